// SPDX-License-Identifier: BSL-1.0
#include "report/text.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>

namespace bench::report_page {

std::string escaped(std::string_view text) {
    std::string made;
    for (auto const one : text) switch (one) {
            case '&': made += "&amp;"; break;
            case '<': made += "&lt;"; break;
            case '>': made += "&gt;"; break;
            case '"': made += "&quot;"; break;
            case '\'': made += "&#39;"; break;
            default:
                // No other control character may stand in HTML.
                made += static_cast<unsigned char>(one) < 0x20 && one != '\n' && one != '\t' ? ' '
                                                                                             : one;
        }
    return made;
}

std::string shown(double value) {
    if (!std::isfinite(value)) return "–";
    auto const size = std::abs(value);
    auto digits = 0;
    if (size > 0 && size < 1e-4) return value < 0 ? "−0" : "0";
    if (size > 0 && size < 100)
        digits = std::clamp(2 - static_cast<int>(std::floor(std::log10(size))), 0, 6);
    if (size > 99 && size < 100) digits = 2;  // 99.76 is not 99.8 where it is a share
    char buffer[400];
    std::snprintf(buffer, sizeof buffer, "%.*f", digits, size);
    std::string made{buffer};
    // 5.00 says no more than 5.
    if (made.find('.') != std::string::npos) {
        made.erase(made.find_last_not_of('0') + 1);
        if (made.back() == '.') made.pop_back();
    }
    auto const point = std::min(made.find('.'), made.size());
    for (auto i = point; i > 3; i -= 3) made.insert(i - 3, ",");
    return value < 0 ? "−" + made : made;
}

std::string signed_text(double value) { return value < 0 ? shown(value) : "+" + shown(value); }

std::string time_text(double nanoseconds) {
    auto const size = std::abs(nanoseconds);
    if (size < 1e3) return shown(nanoseconds) + " ns";
    if (size < 1e6) return shown(nanoseconds / 1e3) + " µs";
    if (size < 1e9) return shown(nanoseconds / 1e6) + " ms";
    return shown(nanoseconds / 1e9) + " s";
}

std::string tick_text(double value) {
    auto const size = std::abs(value);
    if (size >= 1e15) {
        char buffer[16];
        std::snprintf(buffer, sizeof buffer, "%.0e", value);
        return buffer;
    }
    if (size >= 1e12) return shown(value / 1e12) + " T";
    if (size >= 1e9) return shown(value / 1e9) + " G";
    if (size >= 1e6) return shown(value / 1e6) + " M";
    if (size >= 1e4) return shown(value / 1e3) + " k";
    return shown(value);
}

std::string time_tick_text(double nanoseconds) {
    return nanoseconds < 1e13 ? time_text(nanoseconds) : tick_text(nanoseconds / 1e9) + " s";
}

std::string shortened(std::string const& text, std::size_t most) {
    std::size_t characters = 0;
    std::size_t cut = 0;
    for (std::size_t i = 0; i != text.size(); ++i) {
        if ((static_cast<unsigned char>(text[i]) & 0xC0U) == 0x80U) continue;
        if (++characters == most) cut = i;
    }
    return characters <= most ? text : text.substr(0, cut) + "…";
}

}  // namespace bench::report_page
