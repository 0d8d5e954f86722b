// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace inspect {

/// `2026-11-25T15:36:00Z` in UTC, with the fraction that there is, in three, six or nine digits.
/// A moment that is not set, the epoch or the end of time, is empty.
[[nodiscard]] std::string iso(recoup::system_time when);

/// A span for people: `450 ms`, `12 s`, `3 min`, `5 h`, `12 d`.
[[nodiscard]] std::string span_text(recoup::duration span);

/// How `when` lies to `now`: `3 min ago`, `in 5 h`, `now`.
[[nodiscard]] std::string age(recoup::system_time when, recoup::system_time now);

/// `90s`, `15m`, `2h`, `7d`, `250ms`, `0`; nothing for what is not that or does not fit.
[[nodiscard]] std::optional<recoup::duration> parse_span(std::string_view text) noexcept;

}  // namespace inspect
