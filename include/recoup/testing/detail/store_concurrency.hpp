// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/testing/detail/store_limits.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace recoup::inline v1::testing::detail {

/// Runs `body(thread)` on `count` threads that begin together, and waits for them.
///
/// Throws: the first of what they threw.
template <class Body>
void on_threads(unsigned count, Body const& body) {
    std::atomic<unsigned> ready{0};
    std::exception_ptr thrown;
    std::mutex mutex;
    {
        std::vector<std::jthread> threads;
        threads.reserve(count);
        for (unsigned thread = 0; thread != count; ++thread)
            threads.emplace_back([&, thread] {
                ready.fetch_add(1);
                while (ready.load() < count) std::this_thread::yield();
                try {
                    body(thread);
                } catch (...) {
                    std::lock_guard const lock{mutex};
                    if (!thrown) thrown = std::current_exception();
                }
            });
    }
    if (thrown) std::rethrow_exception(thrown);
}

/// What each of several threads got from a call, for judging on one.
struct outcome {
    std::uint64_t saved = 0;  ///< the new revision; 0: it failed
    std::optional<failure> failed{};
};

template <class Store>
outcome save_once(Store& store, record const& what) {
    result<std::uint64_t> const saved = store.save(what, unlimited);
    if (saved.has_value()) return {saved.value(), std::nullopt};
    return {0, saved.error()};
}

/// Expects one success among `outcomes` and conflicts else; gives the winner's place.
inline std::optional<std::size_t> expect_one_winner(std::vector<outcome> const& outcomes,
                                                    checker& seen) {
    std::optional<std::size_t> winner;
    std::size_t winners = 0;
    for (std::size_t i = 0; i != outcomes.size(); ++i) {
        if (!outcomes[i].failed) {
            winner = i;
            ++winners;
        } else if (outcomes[i].failed->code() != make_error_code(store_errc::conflict)) {
            seen.fail("a save that lost failed with: " + outcomes[i].failed->describe());
        }
    }
    if (!seen.expect(winners == 1, "of " + std::to_string(outcomes.size()) +
                                       " saves of one revision at once " + std::to_string(winners) +
                                       " succeeded; expected 1"))
        return std::nullopt;
    return winner;
}

/// Lets all threads save one revision at once, `rounds` times; the first is the first save of all.
inline constexpr auto check_one_winner = [](auto& source, auto const& options, checker& seen) {
    auto const store = source.fresh();
    auto current = small_record("contended");
    for (unsigned round = 0; round != options.rounds; ++round) {
        std::vector<record> proposals(options.threads, current);
        for (unsigned thread = 0; thread != options.threads; ++thread)
            proposals[thread].fingerprint = std::uint64_t{round} * options.threads + thread;
        std::vector<outcome> outcomes(options.threads);
        on_threads(options.threads, [&](unsigned thread) {
            outcomes[thread] = detail::save_once(*store, proposals[thread]);
        });
        auto const winner = expect_one_winner(outcomes, seen);
        if (!winner) return true;
        current = proposals[*winner];
        current.revision = outcomes[*winner].saved;
        if (!detail::expect_stored(*store, current, seen)) return true;
    }
    return true;
};

/// Counts a field up from all threads: every success must be counted, and nothing else.
inline constexpr auto check_lost_updates = [](auto& source, auto const& options, checker& seen) {
    auto const store = source.fresh();
    auto counter = small_record("counter");
    if (!put(*store, counter, seen)) return true;
    std::atomic<std::uint64_t> counted{0};
    std::atomic<unsigned> broken{0};
    on_threads(options.threads, [&](unsigned) {
        for (unsigned round = 0; round != options.rounds; ++round) {
            result<std::optional<record>> loaded = store->load(counter.id, unlimited);
            if (!loaded.has_value() || !loaded.value()) {
                ++broken;
                continue;
            }
            auto next = *loaded.value();
            ++next.fingerprint;
            if (!detail::save_once(*store, next).failed) ++counted;
        }
    });
    seen.expect(broken == 0, "load failed while others saved");
    seen.expect(counted != 0, "no save succeeded while others saved");
    result<std::optional<record>> const loaded = store->load(counter.id, unlimited);
    if (seen.expect_value(loaded, "load") && seen.expect(loaded.value().has_value(), "it is gone"))
        seen.expect(loaded.value()->fingerprint == counted,
                    std::to_string(counted) + " increments succeeded, and " +
                        std::to_string(loaded.value()->fingerprint) + " were kept");
    return true;
};

/// Every thread with records of its own: nobody disturbs another, and what one has saved another sees.
inline constexpr auto check_neighbours = [](auto& source, auto const& options, checker& seen) {
    using store_type = typename std::remove_cvref_t<decltype(source)>::store_type;
    auto const store = source.fresh();
    std::vector<std::vector<record>> kept(options.threads);
    std::vector<std::vector<violation>> found(options.threads);
    std::vector<std::atomic<unsigned>> done(options.threads);
    on_threads(options.threads, [&](unsigned thread) {
        checker mine{"", found[thread]};
        auto const next = (thread + 1) % options.threads;
        for (unsigned round = 0; round != options.rounds; ++round) {
            auto what = full_record(std::to_string(thread) + " " + std::to_string(1000 + round));
            if (!put(*store, what, mine)) return;
            if (round % 3 == 0) {
                result<void> const erased = store->erase(what.id, what.revision, unlimited);
                mine.expect_value(erased, "erase");
                detail::expect_absent(*store, what.id, mine, "that was erased");
            } else {
                if (!put(*store, what, mine) || !detail::expect_stored(*store, what, mine)) return;
                kept[thread].push_back(what);
            }
            done[thread].store(round + 1, std::memory_order_release);
            if constexpr (has_filter<store_type>) {
                // Saved by another thread, and known to be: a filter must not deny it.
                auto const seen_there = done[next].load(std::memory_order_acquire);
                if (seen_there == 0 || (seen_there - 1) % 3 == 0) continue;
                auto const there = small_record(std::to_string(next) + " " +
                                                std::to_string(1000 + seen_there - 1));
                expect_may_contain(*store, there, mine);
            }
        }
    });
    for (auto const& of_thread : found)
        for (auto const& broken : of_thread) seen.fail(broken.what);
    std::vector<record> all;
    for (auto const& of_thread : kept) all.insert(all.end(), of_thread.begin(), of_thread.end());
    std::sort(all.begin(), all.end(),
              [](record const& left, record const& right) { return left.id.key < right.id.key; });
    expect_list(*store, {.limit = all.size() + 1}, all, seen, "of what all threads saved");
    return true;
};

/// A writer and readers: what is read is always one of the records that were saved, whole.
inline constexpr auto check_whole_reads = [](auto& source, auto const& options, checker& seen) {
    auto const store = source.fresh();
    auto what = small_record("rewritten");
    auto const stamp = [&](unsigned round) {
        what.fingerprint = round;
        what.checkpoint = std::string(1 + round % 97, static_cast<char>('a' + round % 26));
        what.attempts = round;
    };
    stamp(0);
    if (!put(*store, what, seen)) return true;
    std::atomic<bool> over{false};
    std::atomic<unsigned> torn{0};
    std::vector<violation> found;
    on_threads(options.threads < 2 ? 2 : options.threads, [&](unsigned thread) {
        if (thread == 0) {
            checker mine{"", found};
            for (unsigned round = 1; round <= options.rounds * 4; ++round) {
                stamp(round);
                if (!put(*store, what, mine)) break;
            }
            over = true;
            return;
        }
        while (!over) {
            result<std::vector<record>> const listed = store->list({});
            result<std::optional<record>> const loaded = store->load(what.id, unlimited);
            auto const whole = [&](record const& one) {
                auto const round = one.attempts;
                return one.fingerprint == round &&
                       one.checkpoint ==
                           std::string(1 + round % 97, static_cast<char>('a' + round % 26));
            };
            if (!loaded.has_value() || !loaded.value() || !whole(*loaded.value())) ++torn;
            if (!listed.has_value() || listed.value().size() != 1 || !whole(listed.value()[0]))
                ++torn;
        }
    });
    for (auto const& broken : found) seen.fail(broken.what);
    seen.expect(torn == 0,
                std::to_string(torn.load()) + " reads failed, or gave parts of two saves");
    return true;
};

}  // namespace recoup::inline v1::testing::detail
