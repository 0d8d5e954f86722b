// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/clock.hpp>
#include <recoup/core/time.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>

namespace recoup::inline v1 {

/// How many retries a `retry_budget` allows: plain data.
struct retry_budget_options {
    double ratio = 0.1;            ///< retries that each operation pays for: 0 to 100
    std::uint32_t per_second = 1;  ///< retries that come free, for those who call rarely
    std::uint32_t reserve = 10;    ///< retries there are at the beginning
    std::uint32_t at_most = 100;   ///< retries that are saved up: `reserve` or more

    friend bool operator==(retry_budget_options const&, retry_budget_options const&) = default;
};

/// Bounds the retries of all calls that share it, so that a dependency which is down sees hardly more calls
/// than it would without any retry: in any time at most `ratio` of the operations, and `per_second` of it,
/// and what was saved up. A call whose retry is not paid for ends with `stop_reason::budget_empty` and the
/// failure that it had.
///
/// Give it as an lvalue, which must outlive the wrappers, or as a `std::shared_ptr`.
/// Source: Finagle's RetryBudget (2015) and gRFC A6 (2017), retry throttling; other than these it counts
/// without a window.
/// Thread safety: all members may be called concurrently; there is no lock. An operation that succeeds at once
/// reads one word while the budget is full, and writes it otherwise.
/// Example: `retry_budget budget{{.ratio = 0.2}};`
class retry_budget {
  public:
    /// Throws: std::invalid_argument that names the option that is wrong.
    explicit retry_budget(retry_budget_options const& options = {})
        : options_{checked(options)},
          deposit_{static_cast<std::int64_t>(options.ratio * token)},
          most_{options.at_most * token},
          balance_{options.reserve * token} {}
    retry_budget(retry_budget const&) = delete;
    retry_budget& operator=(retry_budget const&) = delete;

    /// An operation begins: it pays for its share of a retry.
    void deposit() noexcept {
        if (balance_.load(std::memory_order_relaxed) < most_) [[unlikely]]
            balance_.fetch_add(deposit_, std::memory_order_relaxed);
    }

    /// Takes one retry out, where there is one.
    template <clock Clock>
    [[nodiscard]] bool try_withdraw(Clock& time) noexcept {
        credit(time.now());
        auto now = balance_.load(std::memory_order_relaxed);
        while (now >= token)
            if (balance_.compare_exchange_weak(now, std::min(now, most_) - token,
                                               std::memory_order_relaxed))
                return true;
        return false;
    }

    /// How many retries are saved up.
    [[nodiscard]] double balance() const noexcept {
        return static_cast<double>(std::min(balance_.load(std::memory_order_relaxed), most_)) /
               token;
    }

    /// What it was made with.
    [[nodiscard]] retry_budget_options const& options() const noexcept { return options_; }

  private:
    // A retry, in the units that are counted.
    static constexpr std::int64_t token = 1'000'000'000;

    static retry_budget_options const& checked(retry_budget_options const& options) {
        constexpr auto most = std::uint32_t{1'000'000};
        auto const refuse = [](char const* option, std::string const& value,
                               std::string const& expected) {
            throw std::invalid_argument{std::string{"recoup: retry_budget: "} + option + " is " +
                                        value + ", expected " + expected};
        };
        if (!(options.ratio >= 0 && options.ratio <= 100))  // NaN, too
            refuse("ratio", std::to_string(options.ratio), "0 to 100");
        if (options.per_second > most)
            refuse("per_second", std::to_string(options.per_second), "0 to 1000000");
        if (options.at_most > most)
            refuse("at_most", std::to_string(options.at_most), "0 to 1000000");
        if (options.reserve > options.at_most)
            refuse("reserve", std::to_string(options.reserve),
                   "0 to at_most (" + std::to_string(options.at_most) + ")");
        return options;
    }

    /// Pays in what came free since the last time: one token a second is a unit a nanosecond.
    void credit(steady_time now) noexcept {
        if (options_.per_second == 0) return;
        auto const moment = now.time_since_epoch().count();
        auto before = credited_.load(std::memory_order_relaxed);
        do {
            if (moment <= before) return;
        } while (!credited_.compare_exchange_weak(before, moment, std::memory_order_relaxed));
        if (before == never) return;  // the reserve is what there is at the beginning
        auto const full = most_ / options_.per_second;  // in nanoseconds
        // Unsigned, for the clock may have begun below zero.
        auto const span = static_cast<std::uint64_t>(moment) - static_cast<std::uint64_t>(before);
        auto const free =
            static_cast<std::int64_t>(std::min(span, static_cast<std::uint64_t>(full)));
        auto balance = balance_.load(std::memory_order_relaxed);
        while (balance < most_ &&
               !balance_.compare_exchange_weak(
                   balance, std::min(balance + free * options_.per_second, most_),
                   std::memory_order_relaxed)) {}
    }

    static constexpr auto never = std::numeric_limits<duration::rep>::min();

    retry_budget_options const options_;
    std::int64_t const deposit_;
    std::int64_t const most_;
    alignas(64) std::atomic<std::int64_t> balance_;
    std::atomic<duration::rep> credited_{never};
};

}  // namespace recoup::inline v1
