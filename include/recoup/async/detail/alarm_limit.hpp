// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/alarm.hpp>
#include <recoup/core/time.hpp>
#include <recoup/guard/detail/alarm_thread.hpp>

#include <memory>
#include <stop_token>
#include <utility>

namespace recoup::inline v1::detail {

/// The limit of what an executor runs on a clock that was given, whose time no timer of an executor knows: then
/// `scope->expire()` is called, on any thread.
template <class Clock, class Scope>
class alarm_limit {
    static_assert(
        has_alarms<Clock>,
        "recoup: attempt_timeout needs a clock that has alarms: set(alarm&) and forget(alarm&)");

  public:
    /// Throws: std::bad_alloc.
    alarm_limit(Clock& time, duration each, std::shared_ptr<Scope> scope)
        : clock_{time},
          end_{saturating_add(time.now(), each)},
          ends_{end_.source().get_token(), expire{std::move(scope)}} {
        set_alarm(clock_, end_);
    }
    alarm_limit(alarm_limit const&) = delete;
    alarm_limit& operator=(alarm_limit const&) = delete;
    ~alarm_limit() { forget_alarm(clock_, end_); }

  private:
    struct expire {
        std::shared_ptr<Scope> scope;
        void operator()() const noexcept { scope->expire(); }
    };

    Clock& clock_;
    alarm end_;
    std::stop_callback<expire> ends_;
};

}  // namespace recoup::inline v1::detail
