// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/failure.hpp>
#include <recoup/core/identity.hpp>
#include <recoup/core/thread_mark.hpp>
#include <recoup/core/time.hpp>
#include <recoup/store/detail/result_kind.hpp>

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

// Which operations run in this process, so that a second call of one joins it instead of running it
// twice.

namespace recoup::inline v1::detail {

/// One running operation, seen by its runner and by those who wait for it.
struct running_operation {
    std::mutex mutex{};
    std::condition_variable_any ended{};
    bool done = false;
    std::size_t waiting = 0;
    void const* runner = this_thread_mark();
    result_kind const* kind = nullptr;     ///< of the result
    std::shared_ptr<void const> result{};  ///< made only where somebody waits
    /// Wakes those who cannot block; has no state before the first of them.
    std::stop_source wake{std::nostopstate};
};

/// All running operations of the process that have a record: one instance across shared libraries.
class running_registry {
  public:
    using key = std::tuple<void const*, std::string, std::string, std::string>;
    /// The same, for looking up without an allocation.
    using key_view = std::tuple<void const*, std::string_view, std::string_view, std::string_view>;
    using table = std::map<key, std::shared_ptr<running_operation>, std::less<>>;

    static running_registry& instance() {
        static running_registry registry;
        return registry;
    }

    /// Enters an operation of a store.
    ///
    /// Returns: the entry, and whether it is new; if not, another call runs the operation.
    std::pair<std::shared_ptr<running_operation>, bool> enter(
        key_view const& which, void const* runner = this_thread_mark()) {
        auto at = enter_at(which, runner);
        return {std::move(at.entry), at.fresh};
    }

    /// An entry, and where it is: the runner's stays there until it leaves.
    struct entered {
        std::shared_ptr<running_operation> entry;
        bool fresh;
        table::iterator at;
    };
    entered enter_at(key_view const& which, void const* runner = this_thread_mark()) {
        std::lock_guard lock{mutex_};
        if (auto const found = running_.find(which); found != running_.end())
            return {found->second, false, found};
        auto made = std::make_shared<running_operation>();
        made->runner = runner;
        auto const& [store, space, name, id] = which;
        auto const at =
            running_
                .emplace(key{store, std::string{space}, std::string{name}, std::string{id}}, made)
                .first;
        return {std::move(made), true, at};
    }

    /// Returns: the entry of an operation, null where there is none. Needs no memory.
    entered find(key_view const& which) noexcept {
        std::lock_guard lock{mutex_};
        auto const found = running_.find(which);
        return {found != running_.end() ? found->second : nullptr, false, found};
    }

    void leave(key const& which) noexcept {
        std::lock_guard lock{mutex_};
        running_.erase(which);
    }
    void leave(table::iterator at) noexcept {
        std::lock_guard lock{mutex_};
        running_.erase(at);
    }

  private:
    std::mutex mutex_;
    table running_;
};

/// How a wait for another call's result ended.
enum class join_end : unsigned char { done, stopped, timed_out };

/// Waits until the operation ends, the token is triggered or `at_most` has passed.
inline join_end await(running_operation& running, std::stop_token const& stop, duration at_most) {
    std::unique_lock lock{running.mutex};
    ++running.waiting;
    auto const is_done = [&] { return running.done; };
    auto done = false;
    if (at_most == unlimited) {
        done = running.ended.wait(lock, stop, is_done);
    } else {
        auto const until = saturating_add(
            std::chrono::time_point_cast<duration>(std::chrono::steady_clock::now()), at_most);
        done = running.ended.wait_until(lock, stop, until, is_done);
    }
    --running.waiting;
    if (done) return join_end::done;
    return stop.stop_requested() ? join_end::stopped : join_end::timed_out;
}

/// One who waits for another call's result, and blocks no thread for it.
///
/// Thread safety: none; but the runner may end at any time.
class suspended_join {
  public:
    /// Throws: std::bad_alloc.
    explicit suspended_join(std::shared_ptr<running_operation> running)
        : running_{std::move(running)} {
        std::lock_guard const lock{running_->mutex};
        if (!running_->wake.stop_possible()) running_->wake = std::stop_source{};
        if (running_->done) running_->wake.request_stop();
        wake_ = running_->wake.get_token();
        ++running_->waiting;
    }
    suspended_join(suspended_join const&) = delete;
    suspended_join& operator=(suspended_join const&) = delete;
    ~suspended_join() {
        std::lock_guard const lock{running_->mutex};
        --running_->waiting;
    }

    /// Triggered where the operation ends, also where it has ended before.
    [[nodiscard]] std::stop_token const& wake() const noexcept { return wake_; }

    /// How the wait has ended. `stopped`: whether a stop was asked for.
    [[nodiscard]] join_end end(bool stopped) const {
        std::lock_guard const lock{running_->mutex};
        if (running_->done) return join_end::done;
        return stopped ? join_end::stopped : join_end::timed_out;
    }

  private:
    std::shared_ptr<running_operation> running_;
    std::stop_token wake_{};
};

/// The runner's side: leaves the registry when it goes, with or without a result.
class running_claim {
  public:
    running_claim() noexcept = default;
    running_claim(running_claim const&) = delete;
    running_claim& operator=(running_claim const&) = delete;
    ~running_claim() { release(); }

    /// Returns: null when it is ours now, else the one who runs it.
    std::shared_ptr<running_operation> enter(void const* store, operation_ref id,
                                             void const* runner = this_thread_mark()) {
        auto found =
            running_registry::instance().enter_at({store, id.space, id.name, id.key}, runner);
        if (!found.fresh) return std::move(found.entry);
        place_ = found.at;
        entry_ = std::move(found.entry);
        return nullptr;
    }

    /// Makes an operation ours that is: whoever waits for it has entered it in our name, or nobody has.
    /// What another one has begun meanwhile stays that one's, and who waits then waits for it.
    void adopt(void const* store, operation_ref id, void const* runner = this_thread_mark()) {
        take(running_registry::instance().enter_at({store, id.space, id.name, id.key}, runner),
             runner);
    }

    /// The same, if somebody who waits has entered it in our name; else nothing. Needs no memory.
    void adopt_entered(void const* store, operation_ref id,
                       void const* runner = this_thread_mark()) noexcept {
        take(running_registry::instance().find({store, id.space, id.name, id.key}), runner);
    }

    [[nodiscard]] bool held() const noexcept { return entry_ != nullptr; }

    /// Hands the result, or the failure, to those who wait, and leaves.
    void publish(result_kind const& kind, void const* result) { publish(kind, kind.copy, result); }
    void publish_failure(result_kind const& kind, failure const& last) {
        publish(kind, kind.copy_failure, &last);
    }

    void release() noexcept {
        if (!entry_) return;
        running_registry::instance().leave(place_);
        auto wake = std::stop_source{std::nostopstate};
        {
            std::lock_guard lock{entry_->mutex};
            entry_->done = true;
            wake.swap(entry_->wake);
        }
        entry_->ended.notify_all();
        wake.request_stop();
        entry_.reset();
    }

  private:
    void publish(result_kind const& kind, result_kind::copying copy, void const* what) {
        if (!entry_) return;
        if (copy != nullptr) {
            std::lock_guard lock{entry_->mutex};
            if (entry_->waiting != 0) {
                try {
                    entry_->result = copy(what);
                    entry_->kind = &kind;
                } catch (...) {
                    // Who waits for a value that cannot be copied does the work anew.
                    entry_->result.reset();
                }
            }
        }
        release();
    }

    void take(running_registry::entered found, void const* runner) noexcept {
        if (!found.entry || found.entry->runner != runner) return;
        place_ = found.at;
        entry_ = std::move(found.entry);
    }

    // Where the entry is, so that leaving needs neither memory nor a look-up; and a claim that is never
    // used, which is most of them, costs two words.
    running_registry::table::iterator place_{};
    std::shared_ptr<running_operation> entry_{};
};

/// The same of a coroutine, which no thread stands for: an address of its own does.
class coroutine_claim : public running_claim {
  public:
    std::shared_ptr<running_operation> enter(void const* store, operation_ref id) {
        return running_claim::enter(store, id, this);
    }
};

}  // namespace recoup::inline v1::detail
