// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>
#include <recoup/retry/backoff_policy.hpp>
#include <recoup/retry/jitter.hpp>

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <ratio>

// What every model here holds to: a negative span counts as zero, and zero means zero; no delay is
// above the cap, even if the first one is set above it; what would overflow is the cap; retry 0
// counts as retry 1.

namespace recoup::inline v1 {

namespace detail {

constexpr std::int64_t not_negative(duration span) noexcept {
    return span.count() > 0 ? span.count() : 0;
}

/// The first delay, as it holds: from zero to the cap.
constexpr std::int64_t first_delay(duration first, duration cap) noexcept {
    auto const from = not_negative(first);
    auto const most = not_negative(cap);
    return from < most ? from : most;
}

/// `low + count * step` where that is below `most`, else `most`. None is negative.
constexpr std::int64_t capped_sum(std::int64_t low, std::int64_t step, std::uint64_t count,
                                  std::int64_t most) noexcept {
    // Below 2^63 + 2^63 * 2^64, which 128 bits hold.
    auto const sum = static_cast<wide_uint>(low) + static_cast<wide_uint>(step) * count;
    return sum < static_cast<wide_uint>(most) ? static_cast<std::int64_t>(sum) : most;
}

/// `base * factor ^ power` where that is below `most`, else `most`; rounded to the nearest.
constexpr std::int64_t capped_power(std::int64_t base, double factor, std::uint32_t power,
                                    std::int64_t most) noexcept {
    // By squaring: multiplication alone gives the same digits with every library, which pow does not.
    auto grown = static_cast<double>(base);
    for (auto square = factor; power != 0; power >>= 1U, square *= square)
        if (power & 1U) grown *= square;
    if (!(grown < static_cast<double>(most))) return most;
    auto const rounded = static_cast<std::int64_t>(grown + 0.5);
    return rounded < most ? rounded : most;
}

/// The Fibonacci numbers F(1), F(2), … that 64 bits hold.
inline constexpr auto fibonacci_numbers = [] {
    std::array<std::uint64_t, 93> numbers{1, 1};
    for (std::size_t i = 2; i != numbers.size(); ++i) numbers[i] = numbers[i - 1] + numbers[i - 2];
    return numbers;
}();

/// Any span as a `duration`: what does not fit becomes the nearest that does, NaN becomes zero.
template <class Rep, class Period>
constexpr duration saturating_cast(std::chrono::duration<Rep, Period> span) noexcept {
    if constexpr (std::integral<Rep> && sizeof(Rep) <= 8) {
        using scale = std::ratio_divide<Period, std::nano>;
        auto const exact = static_cast<wide_int>(span.count()) * scale::num / scale::den;
        if (exact > static_cast<wide_int>(duration::max().count())) return duration::max();
        if (exact < static_cast<wide_int>(duration::min().count())) return duration::min();
        return duration{static_cast<std::int64_t>(exact)};
    } else if constexpr (std::floating_point<Rep>) {
        using floating = std::chrono::duration<long double, std::nano>;
        auto const value = std::chrono::duration_cast<floating>(span).count();
        if (value != value) return duration{};
        if (value >= 0x1p63L) return duration::max();
        if (value <= -0x1p63L) return duration::min();
        return duration{static_cast<std::int64_t>(value)};
    } else {
        return std::chrono::duration_cast<duration>(span);
    }
}

}  // namespace detail

/// Always the same delay.
struct constant_backoff {
    duration every = std::chrono::seconds{1};
    recoup::jitter jitter = recoup::jitter::none;

    /// The same with another jitter.
    [[nodiscard]] constexpr constant_backoff with(recoup::jitter how) const noexcept {
        return {every, how};
    }
    [[nodiscard]] constexpr duration delay(backoff_step step) const noexcept {
        return detail::spread(longest(), jitter, step.random);
    }
    [[nodiscard]] constexpr duration longest() const noexcept {
        return duration{detail::not_negative(every)};
    }
    friend bool operator==(constant_backoff const&, constant_backoff const&) = default;
};

/// Grows by the same step each time: first, first + step, first + 2 × step, … up to the cap.
struct linear_backoff {
    duration first = std::chrono::milliseconds{200};
    duration cap = std::chrono::seconds{30};
    duration step = std::chrono::milliseconds{200};
    recoup::jitter jitter = recoup::jitter::none;

    /// The same with another jitter.
    [[nodiscard]] constexpr linear_backoff with(recoup::jitter how) const noexcept {
        return {first, cap, step, how};
    }
    [[nodiscard]] constexpr duration delay(backoff_step at) const noexcept {
        auto const times = at.retry > 0 ? at.retry - 1 : 0;
        auto const grown =
            detail::capped_sum(detail::first_delay(first, cap), detail::not_negative(step), times,
                               detail::not_negative(cap));
        return detail::spread(duration{grown}, jitter, at.random);
    }
    [[nodiscard]] constexpr duration longest() const noexcept {
        return duration{detail::not_negative(cap)};
    }
    friend bool operator==(linear_backoff const&, linear_backoff const&) = default;
};

/// Grows by a factor each time: first, first × factor, first × factor², … up to the cap.
///
/// A factor below 1, or NaN, counts as 1: the delays never shrink.
struct exponential_backoff {
    duration first = std::chrono::milliseconds{200};
    duration cap = std::chrono::seconds{30};
    double factor = 2;
    recoup::jitter jitter = recoup::jitter::full;

    /// The same with another jitter.
    [[nodiscard]] constexpr exponential_backoff with(recoup::jitter how) const noexcept {
        return {first, cap, factor, how};
    }
    [[nodiscard]] constexpr duration delay(backoff_step step) const noexcept {
        return detail::spread(grown(step.retry), jitter, step.random);
    }
    [[nodiscard]] constexpr duration longest() const noexcept {
        return duration{detail::not_negative(first) > 0 ? detail::not_negative(cap) : 0};
    }
    friend bool operator==(exponential_backoff const&, exponential_backoff const&) = default;

  private:
    [[nodiscard]] constexpr duration grown(std::uint32_t retry) const noexcept {
        auto const most = detail::not_negative(cap);
        auto const base = detail::first_delay(first, cap);
        auto const power = retry > 0 ? retry - 1 : 0;
        if (base == 0) return duration{};
        if (factor == 2) [[likely]] {
            // Shifting the cap down instead of the base up cannot overflow.
            auto const fits = power < 63 && base <= most >> power;
            return duration{fits ? base << power : most};
        }
        return duration{detail::capped_power(base, factor > 1 ? factor : 1, power, most)};
    }
};

/// Grows as the Fibonacci numbers: first × 1, 1, 2, 3, 5, 8, … up to the cap.
struct fibonacci_backoff {
    duration first = std::chrono::milliseconds{200};
    duration cap = std::chrono::seconds{30};
    recoup::jitter jitter = recoup::jitter::none;

    /// The same with another jitter.
    [[nodiscard]] constexpr fibonacci_backoff with(recoup::jitter how) const noexcept {
        return {first, cap, how};
    }
    [[nodiscard]] constexpr duration delay(backoff_step step) const noexcept {
        constexpr auto last = detail::fibonacci_numbers.size() - 1;
        auto const wanted = std::size_t{step.retry > 0 ? step.retry - 1 : 0};
        auto const times = detail::fibonacci_numbers[wanted < last ? wanted : last];
        auto const grown = detail::capped_sum(0, detail::first_delay(first, cap), times,
                                              detail::not_negative(cap));
        return detail::spread(duration{grown}, jitter, step.random);
    }
    [[nodiscard]] constexpr duration longest() const noexcept {
        return duration{detail::not_negative(first) > 0 ? detail::not_negative(cap) : 0};
    }
    friend bool operator==(fibonacci_backoff const&, fibonacci_backoff const&) = default;
};

/// Random, and led by the delay before: evenly from `first` to three times that delay, up to the cap.
///
/// Source: "decorrelated jitter", M. Brooker, "Exponential Backoff And Jitter", AWS Architecture
/// Blog, 2015.
struct decorrelated_backoff {
    duration first = std::chrono::milliseconds{200};
    duration cap = std::chrono::seconds{30};

    [[nodiscard]] constexpr duration delay(backoff_step step) const noexcept {
        auto const most = detail::not_negative(cap);
        auto const low = detail::first_delay(first, cap);
        auto const before = detail::not_negative(step.previous);
        // The bound of what is picked stays three times the delay before, as in the source; what is
        // above the cap is cut afterwards, so that the cap itself is often given.
        auto const high = detail::capped_sum(0, before > low ? before : low, 3, INT64_MAX);
        auto const picked = low + detail::pick_up_to(low > 0 ? high - low : 0, step.random);
        return duration{picked < most ? picked : most};
    }
    [[nodiscard]] constexpr duration longest() const noexcept {
        return duration{detail::first_delay(first, cap) > 0 ? detail::not_negative(cap) : 0};
    }
    friend bool operator==(decorrelated_backoff const&, decorrelated_backoff const&) = default;
};

/// The same delay each time; no jitter unless asked: `constant(1s).with(jitter::full)`.
template <class Rep, class Period>
constexpr constant_backoff constant(std::chrono::duration<Rep, Period> every) noexcept {
    return {.every = detail::saturating_cast(every)};
}

/// Delays that grow by `first` each time up to `cap`; no jitter unless asked.
template <class Rep, class Period, class CapRep, class CapPeriod>
constexpr linear_backoff linear(std::chrono::duration<Rep, Period> first,
                                std::chrono::duration<CapRep, CapPeriod> cap) noexcept {
    auto const start = detail::saturating_cast(first);
    return {.first = start, .cap = detail::saturating_cast(cap), .step = start};
}

/// Delays that start at `first` and grow by `step` each time up to `cap`; no jitter unless asked.
template <class Rep, class Period, class CapRep, class CapPeriod, class StepRep, class StepPeriod>
constexpr linear_backoff linear(std::chrono::duration<Rep, Period> first,
                                std::chrono::duration<CapRep, CapPeriod> cap,
                                std::chrono::duration<StepRep, StepPeriod> step) noexcept {
    return {.first = detail::saturating_cast(first),
            .cap = detail::saturating_cast(cap),
            .step = detail::saturating_cast(step)};
}

/// Delays that grow by `factor` each time up to `cap`, with full jitter unless told otherwise:
/// `exponential(200ms, 30s).with(jitter::equal)`.
template <class Rep, class Period, class CapRep, class CapPeriod>
constexpr exponential_backoff exponential(std::chrono::duration<Rep, Period> first,
                                          std::chrono::duration<CapRep, CapPeriod> cap,
                                          double factor = 2) noexcept {
    return {.first = detail::saturating_cast(first),
            .cap = detail::saturating_cast(cap),
            .factor = factor};
}

/// Delays that grow as the Fibonacci numbers up to `cap`; no jitter unless asked.
template <class Rep, class Period, class CapRep, class CapPeriod>
constexpr fibonacci_backoff fibonacci(std::chrono::duration<Rep, Period> first,
                                      std::chrono::duration<CapRep, CapPeriod> cap) noexcept {
    return {.first = detail::saturating_cast(first), .cap = detail::saturating_cast(cap)};
}

/// Random delays led by the one before, from `first` up to `cap`.
template <class Rep, class Period, class CapRep, class CapPeriod>
constexpr decorrelated_backoff decorrelated(std::chrono::duration<Rep, Period> first,
                                            std::chrono::duration<CapRep, CapPeriod> cap) noexcept {
    return {.first = detail::saturating_cast(first), .cap = detail::saturating_cast(cap)};
}

static_assert(backoff_policy<constant_backoff> && backoff_policy<linear_backoff> &&
              backoff_policy<exponential_backoff> && backoff_policy<fibonacci_backoff> &&
              backoff_policy<decorrelated_backoff>);

}  // namespace recoup::inline v1
