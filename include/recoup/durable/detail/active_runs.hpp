// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/identity.hpp>
#include <recoup/detail/either_stop.hpp>
#include <recoup/durable/detail/durable_ports.hpp>
#include <recoup/durable/detail/operation_run.hpp>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// Waits until `over` is triggered. Returns: `none`, or why the wait ended before.
inline interruption await_end(any_clock& clock, std::stop_token const& over, steady_time until,
                              std::stop_token const& stop) {
    auto const both = either_stop{over, stop};
    if (until == steady_time::max()) {
        // Without the clock: one that a test moves by itself would jump to the end of time.
        std::mutex mutex;
        std::condition_variable_any wake;
        std::unique_lock lock{mutex};
        wake.wait(lock, both.token(), [] { return false; });
    } else {
        clock.wait_until(until, both.token());
    }
    if (over.stop_requested()) return interruption::none;
    return stop.stop_requested() ? interruption::stopped : interruption::deadline;
}

/// The operations that run in this process: each once.
class active_runs {
  public:
    /// Returns: the run of the operation, and whether it is new, and the caller's.
    std::pair<std::shared_ptr<operation_run>, bool> enter(
        std::shared_ptr<durable_ports> const& ports, operation_id const& id,
        operation_run const* parent) {
        auto made = std::make_shared<operation_run>(ports, id, parent);
        std::lock_guard const lock{mutex_};
        auto const [at, is_new] = runs_.try_emplace({id.name, id.key}, std::move(made));
        return {at->second, is_new};
    }

    void leave(operation_run const& run) noexcept {
        {
            std::lock_guard const lock{mutex_};
            runs_.erase({run.id().name, run.id().key});
        }
        changed_.notify_all();
    }

    [[nodiscard]] std::shared_ptr<operation_run> find(operation_id const& id) const {
        std::lock_guard const lock{mutex_};
        auto const found = runs_.find({id.name, id.key});
        return found == runs_.end() ? nullptr : found->second;
    }

    template <class Visit>
    void each(Visit&& visit) const {
        std::vector<std::shared_ptr<operation_run>> all;
        {
            std::lock_guard const lock{mutex_};
            for (auto const& [key, run] : runs_) all.push_back(run);
        }
        for (auto const& one : all) visit(*one);
    }

    /// Waits until nothing runs. Returns: whether that came in time.
    bool await_empty(duration at_most) {
        std::unique_lock lock{mutex_};
        return changed_.wait_for(lock, at_most, [this] { return runs_.empty(); });
    }

  private:
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::pair<std::string, std::string>, std::shared_ptr<operation_run>> runs_;
};

/// The runner's side: leaves when it goes, and tells those who wait.
class active_claim {
  public:
    active_claim(active_runs& runs, std::shared_ptr<operation_run> run) noexcept
        : runs_{runs}, run_{std::move(run)} {}
    active_claim(active_claim const&) = delete;
    active_claim& operator=(active_claim const&) = delete;
    ~active_claim() {
        runs_.leave(*run_);
        run_->set_over();
    }

  private:
    active_runs& runs_;
    std::shared_ptr<operation_run> run_;
};

}  // namespace recoup::inline v1::detail
