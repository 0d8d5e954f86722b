// SPDX-License-Identifier: BSL-1.0
#include "simulation/traffic.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

namespace simulation {

using recoup::breaker_state;
using recoup::event_kind;
using recoup::stop_reason;

void doorman::post::look() const noexcept { of_->admitted(host_); }

doorman::doorman(traffic& of) {
    constexpr std::size_t hosts_max = 8;
    for (std::size_t i = 0; i != hosts_max; ++i) posts_.emplace_back(of, i);
}

doorman::post& doorman::guard_for(std::string const& host, std::uint32_t,
                                  std::string const&) noexcept {
    return posts_[static_cast<std::size_t>(host.back() - '0')];
}

traffic::traffic(world& in, process const& of, std::unique_ptr<recoup::metrics> counted)
    : limiter{in.settings.limit},
      room{in.settings.room},
      budget{in.settings.budget},
      breakers{in.settings.breaker, host_of{}, {.most = 16}},
      door{*this},
      metrics{std::move(counted)},
      in_{in},
      of_{of},
      hosts_(in.servers.count()) {
    for (std::size_t i = 0; i != hosts_.size(); ++i)
        breaker(i).on_state_change([this, i](recoup::breaker_change const& change) {
            if (!of_.dead) state_changed(i, change.to);
        });
}

void traffic::state_changed(std::size_t host, breaker_state to) {
    auto& one = hosts_[host];
    auto const now = in_.by.clock().now();
    if (one.state == breaker_state::open)
        in_.tells.require(now - one.since >= in_.settings.breaker.open_for,
                          "an open breaker stays open for its time", [&] {
                              return mirrors::host(host) + " was open for " +
                                     std::to_string((now - one.since).count()) + " ns";
                          });
    one.state = to;
    one.since = now;
    ++one.changes;
    one.failed_in_a_row = 0;
    if (to == breaker_state::open) ++in_.breakers_opened;
}

void traffic::admitted(std::size_t host) {
    if (of_.dead || current_errand == nullptr) return;
    auto& one = hosts_[host];
    current_errand->admitted_at = one.changes;
    in_.tells.require(one.state != breaker_state::open, "no call to a host passes its open breaker",
                      [&] {
                          return mirrors::host(host) + ", open since " +
                                 std::to_string((in_.by.clock().now() - one.since).count()) + " ns";
                      });
}

void traffic::operator()(recoup::event const& what) {
    if (of_.dead || current_errand == nullptr) return;
    auto& errand = *current_errand;
    switch (what.kind) {
        case event_kind::operation_started:
            ++operations_;
            errand.began = in_.by.clock().now();
            errand.active_before = {};
            errand.calls = 0;
            return;
        case event_kind::operation_resumed: {
            auto const kept = in_.kept.retries(errand.operation, "download", errand.file);
            if (kept && kept->status == recoup::record_status::running)
                errand.active_before = kept->active;
            return;
        }
        case event_kind::operation_succeeded:
        case event_kind::operation_failed: return count_operation(what.failure);
        default: return;
    }
}

void traffic::count_operation(recoup::failure const* what) {
    auto& errand = *current_errand;
    auto const took = in_.by.clock().now() - errand.began;
    // The callable looks at what remains, and so ends with it.
    auto const slept = of_.frozen_until > errand.began;
    in_.tells.require(slept || took + errand.active_before <= in_.settings.deadline,
                      "no operation takes longer than its deadline", [&] {
                          return errand.file + " took " + std::to_string(took.count()) + " ns";
                      });
    if (errand.calls == 0) return;
    auto& host = hosts_[errand.host];
    if (what == nullptr) {
        host.failed_in_a_row = 0;
        return;
    }
    auto const counts = (what->stopped() == stop_reason::attempts_exhausted ||
                         what->stopped() == stop_reason::budget_empty) &&
                        !in_.settings.breaker.neutral.contains(what->category());
    if (!counts || errand.admitted_at != host.changes) {
        host.failed_in_a_row = 0;
        return;
    }
    auto const most = in_.settings.breaker.consecutive_failures;
    in_.tells.require(++host.failed_in_a_row < most || host.state != breaker_state::closed,
                      "a breaker opens where all operations fail", [&] {
                          return std::to_string(host.failed_in_a_row) + " in a row at " +
                                 mirrors::host(errand.host);
                      });
}

void traffic::call_begins(std::size_t host, std::uint32_t attempt) {
    auto& errand = *current_errand;
    errand.host = host;
    auto const now = in_.by.clock().now();
    ++calls_;
    ++in_.calls;
    in_.tells.require(attempt <= in_.settings.attempts_max,
                      "no operation makes more attempts than it may",
                      [&] { return errand.file + ", attempt " + std::to_string(attempt); });
    if (errand.calls++ != 0) {
        ++retries_;
        ++in_.retries;
    }
    in_.tells.require(of_.frozen_until > errand.began ||
                          errand.active_before + (now - errand.began) < in_.settings.deadline,
                      "no attempt begins after the deadline", [&] { return errand.file; });
    auto const& paid = in_.settings.budget;
    in_.tells.require(static_cast<double>(retries_) <=
                          paid.reserve + paid.ratio * static_cast<double>(operations_) + 1e-6,
                      "what is down sees no more than 1.1 times the calls, and the reserve", [&] {
                          return std::to_string(retries_) + " retries of " +
                                 std::to_string(operations_) + " operations";
                      });
    in_.tells.require(static_cast<std::uint32_t>(++running_) <= in_.settings.room.at_once,
                      "no more calls run at once than there is room for",
                      [&] { return std::to_string(running_); });
    recent_.push_back(now);
    look_at_limit();
    compare();
}

void traffic::look_at_limit() {
    auto const& limit = in_.settings.limit;
    auto const now = in_.by.clock().now();
    // Those who wait have their turns already: a process that was stopped finds them all over at once.
    if (of_.frozen_until != recoup::steady_time{} && now < of_.frozen_until + limit.per)
        recent_.clear();
    while (!recent_.empty() && now - recent_.front() >= limit.per) recent_.pop_front();
    auto const most = limit.counted_by == recoup::rate_limit::method::sliding_window
                          ? limit.calls
                          : limit.calls + limit.burst;
    in_.tells.require(recent_.size() <= most, "no more calls than the rate limiter allows", [&] {
        return std::to_string(recent_.size()) + " calls, " + std::to_string(most) + " allowed";
    });
}

void traffic::call_ends(recoup::failure const* what) {
    if (of_.dead) return;
    --running_;
    if (what != nullptr) ++failed_[static_cast<std::size_t>(what->category())];
}

void traffic::compare() {
    auto const shown = metrics->snapshot();
    auto const* const one = shown.find("fetch");
    in_.tells.require(one != nullptr, "metrics count what happens", [] { return "nothing"; });
    in_.tells.require(one->attempts == calls_, "metrics count what happens", [&] {
        return std::to_string(one->attempts) + " attempts; there were " + std::to_string(calls_);
    });
    in_.tells.require(one->operations == operations_, "metrics count what happens", [&] {
        return std::to_string(one->operations) + " operations; there were " +
               std::to_string(operations_);
    });
    in_.tells.require(one->failed_attempts == failed_, "metrics count what happens", [&] {
        for (std::size_t i = 0; i != failed_.size(); ++i)
            if (one->failed_attempts[i] != failed_[i])
                return std::to_string(one->failed_attempts[i]) + " attempts failed as " +
                       std::string{to_string(static_cast<recoup::category>(i))} + "; there were " +
                       std::to_string(failed_[i]);
        return std::string{};
    });
}

}  // namespace simulation
