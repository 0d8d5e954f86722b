// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/alarm.hpp>
#include <recoup/core/attempt.hpp>
#include <recoup/core/time.hpp>
#include <recoup/guard/detail/alarm_thread.hpp>

#include <algorithm>
#include <optional>
#include <stop_token>
#include <utility>

namespace recoup::inline v1::detail {

/// The limit of one attempt of a plain call, for as long as it runs.
template <class Clock>
class attempt_limit final : public stop_maker {
    static_assert(
        has_alarms<Clock>,
        "recoup: attempt_timeout needs a clock that has alarms: set(alarm&) and forget(alarm&)");

  public:
    /// Pre: `state` shows the clock. `give_up_at`: the end of the operation's own time.
    attempt_limit(Clock& time, operation_state& state, duration each,
                  steady_time give_up_at) noexcept
        : clock_{time}, state_{state}, until_{saturating_add(time.now(), each)} {
        state_.give_up_at = std::min(give_up_at, until_);
        state_.on_stop_token = this;
    }
    attempt_limit(attempt_limit const&) = delete;
    attempt_limit& operator=(attempt_limit const&) = delete;
    ~attempt_limit() {
        state_.on_stop_token = nullptr;
        if (watch_) [[unlikely]]
            unwatch();
    }

    /// Whether the time has passed.
    [[nodiscard]] bool over() const noexcept { return clock_.now() >= until_; }

    void make_stop(operation_state& state) override {
        watch_.emplace(until_, state.stop);
        try {
            set_alarm(clock_, watch_->alarm);
        } catch (...) {
            watch_.reset();
            throw;
        }
        state.stop = watch_->alarm.source().get_token();
        state.on_stop_token = nullptr;
    }

  private:
    struct request {
        std::stop_source source;
        void operator()() noexcept { source.request_stop(); }
    };
    struct watch {
        watch(steady_time when, std::stop_token stop)
            : alarm{when}, outer{std::move(stop)}, stopped{outer, request{alarm.source()}} {}
        recoup::alarm alarm;
        std::stop_token outer;  ///< that of the caller
        std::stop_callback<request> stopped;
    };

    [[gnu::noinline]] void unwatch() noexcept {
        forget_alarm(clock_, watch_->alarm);
        state_.stop = std::move(watch_->outer);
    }

    Clock& clock_;
    operation_state& state_;
    steady_time const until_;
    std::optional<watch> watch_{};
};

}  // namespace recoup::inline v1::detail
