// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/durable.hpp>
#include <recoup/store/detail/store_failure.hpp>
#include <recoup/store/memory_store.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace durable_test {

/// A store whose process can end at the n-th call that changes something: before that has happened, or
/// after it, when only the answer is lost. From then on it answers nothing, until `restart`.
class crashing_store {
  public:
    struct transaction {
        std::vector<std::string> rows{};
    };

    // ---- what a test does with it

    void crash_at(std::size_t call, bool after) {
        std::lock_guard const lock{mutex_};
        crash_at_ = changes_ + call;
        after_ = after;
    }
    [[nodiscard]] bool crashed() const {
        std::lock_guard const lock{mutex_};
        return dead_;
    }
    [[nodiscard]] std::size_t changes() const {
        std::lock_guard const lock{mutex_};
        return changes_;
    }
    /// The process is gone, and with it its owners; another one begins.
    void restart() {
        std::set<std::uint64_t> owners;
        {
            std::lock_guard const lock{mutex_};
            owners.swap(owners_);
            dead_ = false;
            crash_at_ = SIZE_MAX;
        }
        for (auto const owner : owners) static_cast<void>(inner.leave(owner));
    }
    /// It answers again, in the same process.
    void revive() {
        std::lock_guard const lock{mutex_};
        dead_ = false;
        crash_at_ = SIZE_MAX;
    }
    /// Whether the result of a step is recorded: what no callable may run again after.
    [[nodiscard]] bool recorded(std::string const& name, std::string const& key,
                                std::string const& step, std::uint32_t count = 0) {
        auto const head = inner.find(recoup::operation_ref{"", name, key}).value();
        if (!head) return false;
        auto const steps = inner.steps(head->number).value();
        return std::any_of(steps.begin(), steps.end(), [&](auto const& row) {
            return row.name == step && row.count == count &&
                   row.status != recoup::step_status::begun;
        });
    }
    recoup::operation_record head(std::string const& name, std::string const& key) {
        return inner.find(recoup::operation_ref{"", name, key}).value().value();
    }

    recoup::memory_store inner{};
    std::vector<std::string> rows{};                    ///< what transactions have written
    std::function<void(std::string_view)> on_change{};  ///< sees each call that changes something

    // ---- the model

    auto load(recoup::operation_ref id, recoup::duration most) { return inner.load(id, most); }
    auto save(recoup::record const& what, recoup::duration most) { return inner.save(what, most); }
    auto erase(recoup::operation_ref id, std::uint64_t revision, recoup::duration most) {
        return inner.erase(id, revision, most);
    }
    auto list(recoup::record_filter const& filter) { return inner.list(filter); }
    auto clean_up(recoup::system_time now, std::size_t most) { return inner.clean_up(now, most); }
    [[nodiscard]] recoup::durability durability() const noexcept { return inner.durability(); }

    recoup::result<std::uint64_t> enter(std::string const& who, recoup::duration lease) {
        if (crashed()) return gone();
        auto entered = inner.enter(who, lease);
        std::lock_guard const lock{mutex_};
        owners_.insert(entered.value());
        return entered;
    }
    recoup::result<std::vector<std::uint64_t>> renew(std::uint64_t owner, recoup::duration lease) {
        if (crashed()) return gone();
        return inner.renew(owner, lease);
    }
    recoup::result<void> leave(std::uint64_t owner) {
        if (crashed()) return gone();
        {
            std::lock_guard const lock{mutex_};
            owners_.erase(owner);
        }
        return inner.leave(owner);
    }
    auto start(recoup::operation_record const& head, std::uint64_t owner, recoup::duration) {
        return change("start", [&] { return inner.start(head, owner); });
    }
    auto claim(recoup::claim_request const& request) {
        return change("claim", [&] { return inner.claim(request); });
    }
    auto take(std::uint64_t number, std::uint64_t epoch, std::uint64_t owner) {
        return change("take", [&] { return inner.take(number, epoch, owner); });
    }
    auto write(recoup::operation_write const& what, recoup::duration = recoup::unlimited) {
        return change("write", [&] { return inner.write(what); });
    }
    auto request_cancel(std::uint64_t number) {
        return change("request_cancel", [&] { return inner.request_cancel(number); });
    }
    auto remove(std::uint64_t number, std::uint64_t epoch) {
        return change("remove", [&] { return inner.remove(number, epoch); });
    }
    recoup::result<std::optional<recoup::operation_record>> find(recoup::operation_ref id,
                                                                 recoup::duration) {
        if (crashed()) return gone();
        return inner.find(id);
    }
    recoup::result<std::vector<recoup::operation_record>> operations(
        recoup::operation_filter const& filter) {
        if (crashed()) return gone();
        return inner.operations(filter);
    }
    recoup::result<std::vector<recoup::step_record>> steps(std::uint64_t number, recoup::duration) {
        if (crashed()) return gone();
        return inner.steps(number);
    }
    template <class Body>
    recoup::result<recoup::write_receipt> transact(std::uint64_t number, std::uint64_t epoch,
                                                   Body&& body, recoup::duration) {
        return change("transact", [&]() -> recoup::result<recoup::write_receipt> {
            auto current = transaction{};
            auto step = body(current);
            if (!step.has_value()) return std::move(step).assume_error();
            auto written = inner.write(
                {.number = number, .epoch = epoch, .steps = std::span{&step.assume_value(), 1}});
            if (written.has_value())
                rows.insert(rows.end(), current.rows.begin(), current.rows.end());
            return written;
        });
    }

  private:
    static recoup::failure gone() {
        return recoup::detail::store_failure(recoup::store_errc::unavailable,
                                             "the process has ended");
    }

    template <class Call>
    auto change(std::string_view what, Call&& call) -> decltype(call()) {
        auto crash = false;
        {
            std::lock_guard const lock{mutex_};
            if (dead_) return gone();
            crash = ++changes_ == crash_at_;
            if (crash && !after_) {
                dead_ = true;
                return gone();
            }
        }
        auto done = call();
        if (on_change) on_change(what);
        if (!crash) return done;
        std::lock_guard const lock{mutex_};
        dead_ = true;
        return gone();
    }

    mutable std::mutex mutex_;
    std::size_t changes_ = 0;
    std::size_t crash_at_ = SIZE_MAX;
    bool after_ = false;
    bool dead_ = false;
    std::set<std::uint64_t> owners_;
};

static_assert(recoup::durable_store<crashing_store>);

/// What tests want of `operations`: no thread that they do not know of.
inline recoup::operations_options by_hand() { return {.threads = 1, .housekeeping = false}; }

/// Lets a program crash at each change of the store in turn, and go on, until it has come to its end
/// without a crash.
///
/// `begin(store)` is one process's life; it is followed by `resume`, and then `check(store)`.
/// Returns: how many places there were.
template <class Life, class Check>
std::size_t crash_everywhere(Life&& life, Check&& check) {
    constexpr std::size_t places_max = 500;
    std::size_t places = 0;
    for (auto const after : {false, true}) {
        for (std::size_t at = 1; at != places_max; ++at) {
            crashing_store store;
            store.crash_at(at, after);
            life(store);
            auto const crashed = store.crashed();
            store.restart();
            if (crashed) life(store);
            check(store, at, after);
            if (!crashed) break;
            ++places;
        }
    }
    return places;
}

}  // namespace durable_test
