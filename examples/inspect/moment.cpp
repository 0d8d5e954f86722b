// SPDX-License-Identifier: BSL-1.0
#include "inspect/moment.hpp"

#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <ctime>

namespace inspect {

namespace {

using namespace std::chrono_literals;

bool is_set(recoup::system_time when) noexcept {
    return when != recoup::system_time{} && when != recoup::system_time::max();
}

}  // namespace

std::string iso(recoup::system_time when) {
    if (!is_set(when)) return {};
    auto const seconds = std::chrono::floor<std::chrono::seconds>(when);
    auto const whole = static_cast<std::time_t>(seconds.time_since_epoch().count());
    auto const rest = (when - seconds).count();
    std::tm parts{};
    if (::gmtime_r(&whole, &parts) == nullptr) return {};
    std::array<char, 64> text{};
    auto size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
    std::string out{text.data(), size};
    if (rest != 0) {
        auto const digits = rest % 1'000'000 == 0 ? 3 : rest % 1'000 == 0 ? 6 : 9;
        auto const shown = rest / (digits == 3 ? 1'000'000 : digits == 6 ? 1'000 : 1);
        std::snprintf(text.data(), text.size(), ".%0*lld", digits, static_cast<long long>(shown));
        out += text.data();
    }
    return out + "Z";
}

std::string span_text(recoup::duration span) {
    struct unit {
        recoup::duration below;
        recoup::duration one;
        char const* name;
    };
    // The next larger unit begins where two of it are full: 90 s say more than 1 min.
    for (auto const& each : {unit{1us, 1ns, "ns"}, unit{1ms, 1us, "us"}, unit{1s, 1ms, "ms"},
                             unit{120s, 1s, "s"}, unit{120min, 1min, "min"}, unit{48h, 1h, "h"}})
        if (span < each.below) return std::to_string(span / each.one) + " " + each.name;
    return std::to_string(span / recoup::duration{24h}) + " d";
}

std::string age(recoup::system_time when, recoup::system_time now) {
    if (!is_set(when)) return {};
    auto const passed = recoup::saturating_between(when, now);
    if (passed >= 1s) return span_text(passed) + " ago";
    if (passed > -1s) return "now";
    return "in " + span_text(recoup::saturating_between(now, when));
}

std::optional<recoup::duration> parse_span(std::string_view text) noexcept {
    std::int64_t count = 0;
    auto const* const end = text.data() + text.size();
    auto const [rest, error] = std::from_chars(text.data(), end, count);
    if (error != std::errc{} || count < 0) return std::nullopt;
    auto const unit = std::string_view{rest, static_cast<std::size_t>(end - rest)};
    recoup::duration one{};
    if (unit == "ms")
        one = 1ms;
    else if (unit == "s")
        one = 1s;
    else if (unit == "m" || unit == "min")
        one = 1min;
    else if (unit == "h")
        one = 1h;
    else if (unit == "d")
        one = 24h;
    else if (!unit.empty() || count != 0)
        return std::nullopt;
    std::int64_t total = 0;
    if (__builtin_mul_overflow(count, one.count(), &total)) return std::nullopt;
    return recoup::duration{total};
}

}  // namespace inspect
