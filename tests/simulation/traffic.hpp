// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "simulation/world.hpp"

#include <recoup/core/event.hpp>
#include <recoup/core/time.hpp>
#include <recoup/guard/bulkhead.hpp>
#include <recoup/guard/circuit_breaker.hpp>
#include <recoup/guard/guard.hpp>
#include <recoup/guard/per_key.hpp>
#include <recoup/guard/rate_limiter.hpp>
#include <recoup/observe/metrics.hpp>
#include <recoup/retry/retry_budget.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace simulation {

class traffic;

/// What the strand that runs now fetches.
struct errand {
    std::uint64_t operation = 0;
    std::string file{};  ///< the id of its step
    // Of the wrapped operation: there is one after the other where mirrors stand in for each other.
    recoup::steady_time began{};
    recoup::duration active_before{};
    int calls = 0;
    std::size_t host = 0;
    std::uint64_t admitted_at = 0;  ///< how often the breaker had changed
};

inline thread_local errand* current_errand = nullptr;

/// Host keys, as `per_key` makes them of the arguments of a call.
struct host_of {
    std::string const& operator()(std::string const& host, std::uint32_t /*file*/,
                                  std::string const& /*path*/) const noexcept {
        return host;
    }
};

/// Stands behind the breaker and looks at what it lets through.
class doorman {
  public:
    using is_keyed_guard = void;
    static constexpr recoup::guard_stage stage = recoup::guard_stage::breaker;
    static constexpr std::string_view label = "doorman";
    static constexpr recoup::guard_rejection rejection = recoup::circuit_breaker::rejection;

    class permit {
      public:
        explicit operator bool() const noexcept { return true; }
        template <recoup::clock Clock>
        void succeeded(Clock&) noexcept {}
        template <recoup::clock Clock>
        void failed(recoup::category, bool, Clock&) noexcept {}
    };

    class post {
      public:
        using permit = doorman::permit;
        static constexpr recoup::guard_rejection rejection = doorman::rejection;
        post(traffic& of, std::size_t host) noexcept : of_{&of}, host_{host} {}
        template <recoup::clock Clock>
        permit try_acquire(Clock&) noexcept {
            look();
            return {};
        }
        template <recoup::clock Clock>
        recoup::duration retry_in(Clock&) const noexcept {
            return {};
        }

      private:
        void look() const noexcept;
        traffic* of_;
        std::size_t host_;
    };

    explicit doorman(traffic& of);
    doorman(doorman const&) = delete;
    doorman& operator=(doorman const&) = delete;
    post& guard_for(std::string const& host, std::uint32_t, std::string const&) noexcept;

  private:
    std::vector<post> posts_;
};

/// The guards of one process, and what its calls come to: counted beside the library, and compared.
class traffic {
  public:
    traffic(world& in, process const& of, recoup::clock auto& time)
        : traffic{in, of,
                  std::make_unique<recoup::metrics>(recoup::metrics_options{.time_one_in = 1},
                                                    recoup::on(time))} {}
    traffic(traffic const&) = delete;
    traffic& operator=(traffic const&) = delete;

    using breaker_table = decltype(recoup::per_key<recoup::circuit_breaker>(
        recoup::circuit_breaker_options{}, host_of{}));

    recoup::rate_limiter limiter;
    recoup::bulkhead room;
    recoup::retry_budget budget;
    breaker_table breakers;
    doorman door;
    std::unique_ptr<recoup::metrics> metrics;

    /// Sees what the wrapped callable tells of itself.
    void operator()(recoup::event const& what);

    /// A call of a host begins.
    void call_begins(std::size_t host, std::uint32_t attempt);
    /// It has failed, or not.
    void call_ends(recoup::failure const* what);

    void admitted(std::size_t host);
    /// What metrics say is what was counted.
    void compare();

    [[nodiscard]] recoup::circuit_breaker& breaker(std::size_t host) {
        return breakers.guard_for(mirrors::host(host), 0U, std::string{});
    }

  private:
    traffic(world& in, process const& of, std::unique_ptr<recoup::metrics> counted);

    struct host_state {
        recoup::breaker_state state = recoup::breaker_state::closed;
        recoup::steady_time since{};
        std::uint64_t changes = 0;
        std::uint32_t failed_in_a_row = 0;  ///< operations
        int running = 0;
    };

    void state_changed(std::size_t host, recoup::breaker_state to);
    void count_operation(recoup::failure const* what);
    void look_at_limit();

    world& in_;
    process const& of_;
    std::vector<host_state> hosts_;
    std::deque<recoup::steady_time> recent_;  ///< calls within the span of the limit
    std::uint64_t operations_ = 0;
    std::uint64_t calls_ = 0;
    std::uint64_t retries_ = 0;
    int running_ = 0;
    std::array<std::uint64_t, recoup::category_count> failed_{};
};

}  // namespace simulation
