// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/result.hpp>
#include <recoup/durable/detail/child_runner.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>

namespace recoup::inline v1::detail {

/// An operation that was started and that somebody may wait for.
class started_call {
  public:
    started_call(std::shared_ptr<detail::definition> of, operation_call what) noexcept
        : definition{std::move(of)}, call{std::move(what)} {}

    /// Returns: whether it is the caller who runs it.
    [[nodiscard]] bool begin() noexcept { return !begun_.exchange(true); }
    void end(result<std::string> outcome) {
        {
            std::lock_guard const lock{mutex_};
            outcome_ = std::move(outcome);
        }
        over_.request_stop();
    }
    [[nodiscard]] std::stop_token over() const noexcept { return over_.get_token(); }
    [[nodiscard]] std::optional<result<std::string>> outcome() const {
        std::lock_guard const lock{mutex_};
        return outcome_;
    }

    std::shared_ptr<detail::definition> const definition;
    operation_call const call;

  private:
    std::atomic<bool> begun_ = false;
    mutable std::mutex mutex_;
    std::optional<result<std::string>> outcome_{};
    std::stop_source over_;
};

}  // namespace recoup::inline v1::detail
