// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/testing/detail/operation_checker.hpp>
#include <recoup/testing/detail/store_concurrency.hpp>

#include <algorithm>
#include <atomic>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace recoup::inline v1::testing::detail {

/// All threads start one identity at once: one of them makes it, and all get the same one.
inline constexpr auto check_one_start = [](auto& source, auto const& options, checker& seen) {
    auto const store = source.fresh();
    auto const owner = enter(*store, seen);
    for (unsigned round = 0; round != options.rounds / 2; ++round) {
        auto const what = small_operation(std::to_string(round));
        std::atomic<unsigned> made{0};
        std::atomic<unsigned> broken{0};
        std::vector<std::uint64_t> numbers(options.threads);
        on_threads(options.threads, [&](unsigned thread) {
            result<started_operation> const started = store->start(what, owner, unlimited);
            if (!started.has_value()) {
                ++broken;
                return;
            }
            numbers[thread] = started.value().record.number;
            if (started.value().made) ++made;
        });
        seen.expect(broken == 0, "start failed while others started the same operation");
        auto const one = std::set<std::uint64_t>(numbers.begin(), numbers.end()).size() == 1;
        if (!seen.expect(made == 1 && one, "of starts of one operation at once " +
                                               std::to_string(made) + " made it; expected 1"))
            return true;
    }
    return true;
};

/// Threads claim a few at a time until nothing is left.
inline constexpr auto check_claims_once = [](auto& source, auto const& options, checker& seen) {
    auto const store = source.fresh();
    std::size_t const count = std::size_t{options.rounds} * 3;
    for (std::size_t i = 0; i != count; ++i)
        if (!detail::begin(*store, small_operation(std::to_string(i)), 0, seen)) return true;
    std::vector<std::vector<operation_record>> claimed(options.threads);
    std::vector<std::uint64_t> owners(options.threads);
    std::vector<std::vector<violation>> found(options.threads);
    for (auto& owner : owners) owner = enter(*store, seen);
    on_threads(options.threads, [&](unsigned thread) {
        checker mine{"", found[thread]};
        for (std::size_t round = 0; round <= count; ++round) {
            auto const some = claim(*store, owners[thread], base_time, mine, 3);
            if (some.empty()) return;
            claimed[thread].insert(claimed[thread].end(), some.begin(), some.end());
        }
    });
    std::set<std::uint64_t> numbers;
    std::size_t twice = 0;
    std::size_t fenced = 0;
    for (std::size_t thread = 0; thread != claimed.size(); ++thread) {
        for (auto const& broken : found[thread]) seen.fail(broken.what);
        for (auto const& one : claimed[thread]) {
            if (!numbers.insert(one.number).second) ++twice;
            result<write_receipt> const wrote = store->write(fenced_write(one, nullptr), unlimited);
            if (!wrote.has_value()) ++fenced;
        }
    }
    seen.expect(twice == 0, std::to_string(twice) + " operations were claimed twice");
    seen.expect(fenced == 0, std::to_string(fenced) + " of those who claimed are fenced");
    seen.expect(numbers.size() == count, std::to_string(numbers.size()) + " of " +
                                             std::to_string(count) + " operations were claimed");
    return true;
};

inline constexpr auto check_takes_once = [](auto& source, auto const& options, checker& seen) {
    auto const store = source.fresh();
    std::vector<std::uint64_t> owners(options.threads);
    for (auto& owner : owners) owner = enter(*store, seen);
    auto stored = detail::begin(*store, small_operation("contended"), 0, seen);
    for (unsigned round = 0; stored && round != options.rounds / 2; ++round) {
        std::vector<std::optional<operation_record>> taken(options.threads);
        std::atomic<unsigned> odd{0};
        on_threads(options.threads, [&](unsigned thread) {
            result<operation_record> const got =
                store->take(stored->number, stored->epoch, owners[thread]);
            if (got.has_value())
                taken[thread] = got.value();
            else if (got.error().code() != make_error_code(store_errc::conflict) &&
                     got.error().code() != make_error_code(store_errc::owned))
                ++odd;
        });
        seen.expect(odd == 0, "a take that lost failed with neither conflict nor owned");
        auto const winners = std::count_if(taken.begin(), taken.end(),
                                           [](auto const& one) { return one.has_value(); });
        if (!seen.expect(winners == 1, "of takes of one epoch at once " + std::to_string(winners) +
                                           " succeeded; expected 1"))
            return true;
        for (auto const& one : taken)
            if (one) *stored = *one;
        if (!detail::expect_operation(*store, *stored, seen, "the winner got") ||
            !release(*store, *stored, seen))
            return true;
    }
    return true;
};

/// Every thread with an operation of its own, of which it writes step after step and the head. Where
/// `with_fenced`, the first thread's writes are all too late, and go on for as long as the others write.
inline constexpr auto write_side_by_side = [](auto& source, auto const& options, checker& seen,
                                              bool with_fenced) {
    auto const store = source.fresh();
    auto const owner = enter(*store, seen);
    std::vector<operation_record> heads;
    for (unsigned thread = 0; thread != options.threads; ++thread) {
        auto const started =
            detail::begin(*store, small_operation(std::to_string(thread)), owner, seen);
        if (!started) return;
        heads.push_back(*started);
    }
    std::vector<std::vector<step_record>> steps(options.threads);
    std::vector<std::vector<violation>> found(options.threads);
    std::atomic<bool> begun{!with_fenced};
    std::atomic<unsigned> writing{options.threads - 1};
    auto const write_too_late = [&](checker& mine) {
        auto late = heads.front();
        ++late.epoch;
        std::vector<step_record> const both{small_step(0, "late"), small_step(1000, "late")};
        do {
            result<write_receipt> const refused =
                store->write(fenced_write(late, &heads.front(), both), unlimited);
            mine.expect_error(refused, store_errc::fenced, "write under another epoch");
            begun = true;
            begun.notify_all();
        } while (writing != 0);
    };
    auto const write_in_time = [&](unsigned thread, checker& mine) {
        auto& head = heads[thread];
        for (unsigned round = 0; round != options.rounds; ++round) {
            auto const step =
                small_step(round, std::to_string(thread) + " " + std::to_string(round));
            std::vector<step_record> const both{step, small_step(1000, step.value)};
            head.progress = step.value;
            if (!detail::write(*store, fenced_write(head, &head, both), mine)) return;
            steps[thread].push_back(step);
            // The last acknowledged write is what everybody sees from now on.
            if (round % 8 == 0 && !detail::expect_operation(*store, head, mine)) return;
        }
        steps[thread].push_back(small_step(1000, steps[thread].back().value));
    };
    on_threads(options.threads, [&](unsigned thread) {
        checker mine{"", found[thread]};
        // Nobody waits for one who has left, be it by an exception of the store's.
        struct leaving {
            std::atomic<bool>& begun;
            std::atomic<unsigned>& writing;
            bool late;
            ~leaving() {
                if (!late) --writing;
                begun = true;
                begun.notify_all();
            }
        } const at_the_end{begun, writing, with_fenced && thread == 0};
        if (at_the_end.late) return write_too_late(mine);
        begun.wait(false);
        write_in_time(thread, mine);
    });
    for (unsigned thread = 0; thread != options.threads; ++thread) {
        for (auto const& broken : found[thread]) seen.fail(broken.what);
        detail::expect_operation(*store, heads[thread], seen, "its thread wrote last");
        detail::expect_steps(*store, heads[thread].number, steps[thread], seen);
    }
};

inline constexpr auto check_writes_apart = [](auto& source, auto const& options, checker& seen) {
    write_side_by_side(source, options, seen, false);
    return true;
};

inline constexpr auto check_fenced_apart = [](auto& source, auto const& options, checker& seen) {
    write_side_by_side(source, options, seen, true);
    return true;
};

/// A writer stamps head and steps with the number of its write; a reader sees stamps of whole writes.
inline constexpr auto check_whole_writes = [](auto& source, auto const& options, checker& seen) {
    auto const store = source.fresh();
    auto const owner = enter(*store, seen);
    auto stored = detail::begin(*store, small_operation("rewritten"), owner, seen);
    if (!stored) return true;
    auto head = *stored;
    auto const put_round = [&](unsigned round, checker& by) {
        head.fingerprint = round;
        head.progress = std::string(1 + round % 97, 'p');
        std::vector<step_record> steps;
        // Dropped and written anew, now more of them, now less.
        for (unsigned i = 0; i != 2 + round % 3; ++i) {
            steps.push_back(small_step(i, std::string(1 + round % 89, 's')));
            steps.back().fingerprint = round;
        }
        auto what = fenced_write(*stored, &head, steps);
        what.drop_steps = true;
        return detail::write(*store, what, by);
    };
    if (!put_round(0, seen)) return true;
    std::atomic<bool> over{false};
    std::atomic<unsigned> torn{0};
    std::vector<violation> found;
    auto const stamp_of_head = [&]() -> std::optional<std::uint64_t> {
        result<std::optional<operation_record>> const read = store->find(stored->id, unlimited);
        if (!read.has_value() || !read.value()) return std::nullopt;
        auto const stamp = read.value()->fingerprint;
        if (read.value()->progress != std::string(1 + stamp % 97, 'p')) return std::nullopt;
        return stamp;
    };
    auto const stamp_of_steps = [&]() -> std::optional<std::uint64_t> {
        result<std::vector<step_record>> const read = store->steps(stored->number, unlimited);
        if (!read.has_value() || read.value().empty()) return std::nullopt;
        auto const stamp = read.value().front().fingerprint;
        if (read.value().size() != 2 + stamp % 3) return std::nullopt;
        for (auto const& one : read.value())
            if (one.fingerprint != stamp || one.value != std::string(1 + stamp % 89, 's'))
                return std::nullopt;
        return stamp;
    };
    on_threads(options.threads < 2 ? 2 : options.threads, [&](unsigned thread) {
        if (thread == 0) {
            checker mine{"", found};
            for (unsigned round = 1; round <= options.rounds * 4; ++round)
                if (!put_round(round, mine)) break;
            over = true;
            return;
        }
        while (!over) {
            // The steps read in between are of no older write than the head read before, and of no
            // newer one than the head read after.
            auto const before = stamp_of_head();
            auto const between = stamp_of_steps();
            auto const after = stamp_of_head();
            if (!before || !between || !after || *before > *between || *between > *after) ++torn;
        }
    });
    for (auto const& broken : found) seen.fail(broken.what);
    seen.expect(torn == 0,
                std::to_string(torn.load()) + " reads failed, or gave parts of two writes");
    return true;
};

/// One thread writes head after head of an operation while another wants it to end.
inline constexpr auto check_wish_at_once = [](auto& source, auto const& options, checker& seen) {
    constexpr unsigned heads_max = 1000;
    auto const store = source.fresh();
    auto const owner = enter(*store, seen);
    for (unsigned round = 0; round != options.rounds; ++round) {
        auto const stored =
            detail::begin(*store, small_operation(std::to_string(round)), owner, seen);
        if (!stored) return true;
        std::vector<violation> found;
        std::atomic<unsigned> begun{0};
        std::atomic<bool> over{false};
        std::atomic<bool> failed{false};
        on_threads(2, [&](unsigned thread) {
            if (thread == 0) {
                checker mine{"", found};
                for (unsigned i = 0; i != heads_max && !over; ++i) {
                    ++begun;
                    if (!detail::write(*store, fenced_write(*stored, &*stored), mine)) break;
                }
                begun = UINT_MAX;
            } else {
                // Not before all heads, and each round at another point of one of them.
                while (begun <= round % 4) std::this_thread::yield();
                for (unsigned i = 0; i != round; ++i) std::this_thread::yield();
                result<void> const asked = store->request_cancel(stored->number);
                failed = !asked.has_value();
                over = true;
            }
        });
        for (auto const& broken : found) seen.fail(broken.what);
        if (!seen.expect(!failed, "request_cancel failed while heads were written")) return true;
        auto wished = *stored;
        wished.cancel_requested = true;
        if (!detail::expect_operation(*store, wished, seen, "heads and a wish at once leave"))
            return true;
    }
    return true;
};

}  // namespace recoup::inline v1::testing::detail
