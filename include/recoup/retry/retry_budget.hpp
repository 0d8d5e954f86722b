// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/clock.hpp>
#include <recoup/core/time.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>
#include <mutex>
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
/// Thread safety: all members may be called concurrently; a call meets no lock. An operation that succeeds at once
/// reads one word while the budget is full, and writes it otherwise.
/// Example: `retry_budget budget{{.ratio = 0.2}};`
class retry_budget {
  public:
    /// Throws: std::invalid_argument that names the option that is wrong.
    explicit retry_budget(retry_budget_options const& options = {})
        : options_{checked(options)},
          deposit_{deposit_of(options)},
          most_{options.at_most * token},
          per_second_{options.per_second},
          balance_{options.reserve * token} {}
    retry_budget(retry_budget const&) = delete;
    retry_budget& operator=(retry_budget const&) = delete;

    /// An operation begins: it pays for its share of a retry.
    void deposit() noexcept {
        if (balance_.load(std::memory_order_relaxed) < most()) [[unlikely]]
            balance_.fetch_add(deposit_.load(std::memory_order_relaxed), std::memory_order_relaxed);
    }

    /// Takes one retry out, where there is one.
    template <clock Clock>
    [[nodiscard]] bool try_withdraw(Clock& time) noexcept {
        credit(time.now());
        auto now = balance_.load(std::memory_order_relaxed);
        while (now >= token)
            if (balance_.compare_exchange_weak(now, std::min(now, most()) - token,
                                               std::memory_order_relaxed))
                return true;
        return false;
    }

    /// How many retries are saved up.
    [[nodiscard]] double balance() const noexcept {
        return static_cast<double>(std::min(balance_.load(std::memory_order_relaxed), most())) /
               token;
    }

    /// Goes on with other options, while calls are made. What is saved up stays, as far as it is not more than
    /// the new `at_most`; `reserve` is for the beginning alone.
    ///
    /// Throws: std::invalid_argument that names the option that is wrong.
    template <clock Clock>
    void change(retry_budget_options const& to, Clock& time) {
        static_cast<void>(checked(to));
        std::scoped_lock const lock{mutex_};
        credit(time.now());  // until now the old rate holds
        if (per_second_.load(std::memory_order_relaxed) == 0)
            credited_.store(never, std::memory_order_relaxed);
        options_ = to;
        deposit_.store(deposit_of(to), std::memory_order_relaxed);
        most_.store(to.at_most * token, std::memory_order_relaxed);
        per_second_.store(to.per_second, std::memory_order_relaxed);
        // What is above the bound would come back with a higher one.
        auto now = balance_.load(std::memory_order_relaxed);
        while (now > most() &&
               !balance_.compare_exchange_weak(now, most(), std::memory_order_relaxed)) {}
        credit(time.now());
    }
    void change(retry_budget_options const& to) { change(to, detail::machine_clock); }

    /// Throws: what `change` would throw; nothing is changed.
    static void check_change(retry_budget_options const& to) { static_cast<void>(checked(to)); }

    /// What it was made with, or changed to.
    [[nodiscard]] retry_budget_options options() const {
        std::scoped_lock const lock{mutex_};
        return options_;
    }

  private:
    [[nodiscard]] std::int64_t most() const noexcept {
        return most_.load(std::memory_order_relaxed);
    }
    static std::int64_t deposit_of(retry_budget_options const& options) noexcept {
        return static_cast<std::int64_t>(options.ratio * token);
    }

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
        auto const per_second = per_second_.load(std::memory_order_relaxed);
        if (per_second == 0) return;
        auto const moment = now.time_since_epoch().count();
        auto before = credited_.load(std::memory_order_relaxed);
        do {
            if (moment <= before) return;
        } while (!credited_.compare_exchange_weak(before, moment, std::memory_order_relaxed));
        if (before == never) return;  // the reserve is what there is at the beginning
        auto const at_most = most();
        auto const full = at_most / per_second;  // in nanoseconds
        // Unsigned, for the clock may have begun below zero.
        auto const span = static_cast<std::uint64_t>(moment) - static_cast<std::uint64_t>(before);
        auto const free =
            static_cast<std::int64_t>(std::min(span, static_cast<std::uint64_t>(full)));
        auto balance = balance_.load(std::memory_order_relaxed);
        while (balance < at_most && !balance_.compare_exchange_weak(
                                        balance, std::min(balance + free * per_second, at_most),
                                        std::memory_order_relaxed)) {}
    }

    static constexpr auto never = std::numeric_limits<duration::rep>::min();

    mutable std::mutex mutex_;  // of those who change it, or ask for all of it
    retry_budget_options options_;
    std::atomic<std::int64_t> deposit_;
    std::atomic<std::int64_t> most_;
    std::atomic<std::int64_t> per_second_;
    alignas(64) std::atomic<std::int64_t> balance_;
    std::atomic<duration::rep> credited_{never};
};

}  // namespace recoup::inline v1
