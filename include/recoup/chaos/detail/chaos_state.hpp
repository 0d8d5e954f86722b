// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/chaos/chaos_options.hpp>
#include <recoup/core/time.hpp>
#include <recoup/detail/fault_script.hpp>
#include <recoup/detail/versions.hpp>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <utility>

namespace recoup::inline v1::detail {

/// What a chaos and the callables that it shakes share.
struct chaos_state {
    struct plan {
        chaos_options options{};
        fault_script schedule{};
        std::uint64_t begins_at = 0;  ///< the attempt with which it begins
    };
    /// What becomes of one attempt.
    struct fate {
        detail::fault fault{};
        duration latency{};
    };

    explicit chaos_state(plan first) : on{first.options.enabled}, plans{std::move(first)} {}

    /// Draws for the next attempt.
    [[gnu::noinline]] fate next() noexcept {
        auto const current = plans.take();
        auto const index = attempts.fetch_add(1, std::memory_order_relaxed);
        auto found = fate_of(*current, index > current->begins_at ? index - current->begins_at : 0);
        using enum fault_kind;
        if (found.fault.kind == slow) {
            found.latency = found.fault.latency;
            found.fault = {};
        }
        if (found.latency > duration{}) slow_ones.fetch_add(1, std::memory_order_relaxed);
        if (found.fault.kind == failed) failed_ones.fetch_add(1, std::memory_order_relaxed);
        if (found.fault.kind == thrown) thrown_ones.fetch_add(1, std::memory_order_relaxed);
        if (found.fault.kind == wrong) wrong_ones.fetch_add(1, std::memory_order_relaxed);
        return found;
    }

    std::atomic<bool> on;
    std::atomic<std::uint64_t> attempts{0};
    std::atomic<std::uint64_t> failed_ones{0};
    std::atomic<std::uint64_t> thrown_ones{0};
    std::atomic<std::uint64_t> slow_ones{0};
    std::atomic<std::uint64_t> wrong_ones{0};
    versions<plan> plans;
    std::mutex changing;  // of those who make the next plan from the one before

  private:
    static fate fate_of(plan const& by, std::uint64_t index) noexcept {
        if (by.schedule.covers(index)) return {by.schedule.at(index), {}};
        auto const& rates = by.options;
        auto drawn = fate{};
        // Two sequences, so that being slow and failing have nothing to do with one another.
        if (share_of_attempt(~rates.seed, index) < rates.latency_rate)
            drawn.latency = rates.latency;
        auto share = share_of_attempt(rates.seed, index);
        auto const falls_on = [&](double rate) {
            if (share < rate) return true;
            share -= rate;
            return false;
        };
        using enum fault_kind;
        if (falls_on(rates.failure_rate))
            drawn.fault = {failed, rates.failure_as};
        else if (falls_on(rates.throw_rate))
            drawn.fault = {thrown};
        else if (falls_on(rates.wrong_rate))
            drawn.fault = {wrong};
        else if (falls_on(rates.crash_rate))
            drawn.fault = {crash};
        return drawn;
    }
};

}  // namespace recoup::inline v1::detail
