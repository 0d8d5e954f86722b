// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace bench::report_page {

/// `text` as it may stand in HTML, SVG and their attributes.
std::string escaped(std::string_view text);

/// Three digits that count, thousands apart, and a true minus: `2,810`, `0.0123`, `−4.5`.
std::string shown(double value);
/// The same with a sign.
std::string signed_text(double value);
/// Nanoseconds in the unit that suits them: `1.2 ms`.
std::string time_text(double nanoseconds);

/// For an axis, in at most six characters: `0.01`, `20`, `100 k`, `10 M`, `1e18`.
std::string tick_text(double value);
/// The same for nanoseconds: `10 ms`.
std::string time_tick_text(double nanoseconds);

/// At most `most` characters, the last of them an ellipsis where some are left out.
std::string shortened(std::string const& text, std::size_t most);

}  // namespace bench::report_page
