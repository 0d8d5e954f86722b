// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

namespace recoup::inline v1 {

namespace detail {

/// Reads a text from the front; what does not fit makes `failed` true for good.
class date_reader {
  public:
    explicit constexpr date_reader(std::string_view text) noexcept : rest_{text} {}

    [[nodiscard]] constexpr bool failed() const noexcept { return failed_; }
    [[nodiscard]] constexpr bool at_end() const noexcept { return !failed_ && rest_.empty(); }

    constexpr bool take(std::string_view expected) noexcept {
        if (!rest_.starts_with(expected)) return false;
        rest_.remove_prefix(expected.size());
        return true;
    }
    constexpr void expect(std::string_view expected) noexcept {
        if (!take(expected)) failed_ = true;
    }

    /// Exactly `digits` decimal digits.
    constexpr int number(std::size_t digits) noexcept {
        if (rest_.size() < digits) failed_ = true;
        if (failed_) return 0;
        auto value = 0;
        for (auto const digit : rest_.substr(0, digits)) {
            if (digit < '0' || digit > '9') failed_ = true;
            value = value * 10 + (digit - '0');
        }
        rest_.remove_prefix(digits);
        return failed_ ? 0 : value;
    }

    /// Which of `names` comes next, from 1.
    template <std::size_t Count>
    constexpr unsigned one_of(std::array<std::string_view, Count> const& names) noexcept {
        for (std::size_t i = 0; i != Count; ++i)
            if (take(names[i])) return static_cast<unsigned>(i) + 1;
        failed_ = true;
        return 1;
    }

  private:
    std::string_view rest_;
    bool failed_ = false;
};

// The long names first, since each begins with a short one.
inline constexpr std::array<std::string_view, 14> http_days{
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
    "Mon",    "Tue",     "Wed",       "Thu",      "Fri",    "Sat",      "Sun"};
inline constexpr std::array<std::string_view, 12> http_months{
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

constexpr std::chrono::seconds http_time_of_day(date_reader& in) noexcept {
    auto const hours = in.number(2);
    in.expect(":");
    auto const minutes = in.number(2);
    in.expect(":");
    auto const seconds = in.number(2);
    // 60 is a leap second. A time that does not exist is as bad as text.
    if (hours > 23 || minutes > 59 || seconds > 60) in.expect("a time of day");
    return std::chrono::hours{hours} + std::chrono::minutes{minutes} +
           std::chrono::seconds{seconds};
}

/// The moment that an HTTP date names, in seconds since 1970.
///
/// Source: RFC 9110, section 5.6.7: IMF-fixdate, RFC 850 and asctime.
constexpr std::optional<std::chrono::seconds> http_date(std::string_view text,
                                                        std::chrono::year this_year) noexcept {
    date_reader in{text};
    auto const long_name = in.one_of(http_days) <= 7;
    int day = 0;
    unsigned month = 1;
    int year = 0;
    std::chrono::seconds time{};
    if (in.take(", ")) {
        day = in.number(2);
        auto const rfc850 = long_name;
        in.expect(rfc850 ? "-" : " ");
        month = in.one_of(http_months);
        in.expect(rfc850 ? "-" : " ");
        year = in.number(rfc850 ? 2 : 4);
        if (rfc850) {
            // Two digits that would lie more than 50 years ahead are of the century before.
            year += static_cast<int>(this_year) / 100 * 100;
            if (year > static_cast<int>(this_year) + 50) year -= 100;
        }
        in.expect(" ");
        time = http_time_of_day(in);
        in.expect(" GMT");
    } else if (!long_name) {
        in.expect(" ");
        month = in.one_of(http_months);
        in.expect(" ");
        day = in.take(" ") ? in.number(1) : in.number(2);
        in.expect(" ");
        time = http_time_of_day(in);
        in.expect(" ");
        year = in.number(4);
    } else {
        return std::nullopt;
    }
    auto const date =
        std::chrono::year_month_day{std::chrono::year{year}, std::chrono::month{month},
                                    std::chrono::day{static_cast<unsigned>(day)}};
    if (!in.at_end() || !date.ok()) return std::nullopt;
    return std::chrono::sys_days{date}.time_since_epoch() + time;
}

}  // namespace detail

/// How long a `Retry-After` header asks to wait, from `now` on: seconds, or an HTTP date.
///
/// Returns: nothing where the text is neither; zero where the date is past; the longest span where
/// the wait would not fit. Give it to `failure::retry_after`; a policy caps it.
/// Source: RFC 9110, section 10.2.3.
constexpr std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view text,
                                                                     system_time now) noexcept {
    using std::chrono::milliseconds;
    auto const blank = [](char letter) { return letter == ' ' || letter == '\t'; };
    while (!text.empty() && blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && blank(text.back())) text.remove_suffix(1);
    if (text.empty()) return std::nullopt;

    if (text.find_first_not_of("0123456789") == std::string_view::npos) {
        constexpr auto most = std::numeric_limits<std::int64_t>::max() / 1000;
        std::int64_t seconds = 0;
        for (auto const digit : text) {
            if (seconds > (most - (digit - '0')) / 10) return milliseconds::max();
            seconds = seconds * 10 + (digit - '0');
        }
        return milliseconds{seconds * 1000};
    }

    auto const today = std::chrono::floor<std::chrono::days>(now);
    auto const moment = detail::http_date(text, std::chrono::year_month_day{today}.year());
    if (!moment) return std::nullopt;
    // Milliseconds hold every year of four digits, and every moment of `now`.
    auto const wait =
        milliseconds{*moment} - std::chrono::floor<milliseconds>(now.time_since_epoch());
    return wait.count() > 0 ? wait : milliseconds{0};
}

}  // namespace recoup::inline v1
