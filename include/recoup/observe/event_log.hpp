// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/config/duration_text.hpp>
#include <recoup/core/category.hpp>
#include <recoup/core/event.hpp>
#include <recoup/core/failure.hpp>
#include <recoup/core/redact.hpp>
#include <recoup/core/stop_reason.hpp>
#include <recoup/core/time.hpp>
#include <recoup/core/trace_context.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace recoup::inline v1 {

/// How much an event matters to whoever runs the program, least first.
enum class log_level : std::uint8_t {
    debug,    ///< how an operation gets on
    info,     ///< it has ended well, or is gone on with
    warning,  ///< something has failed, and something is done about it
    error,    ///< nothing more is done about it
};

/// The name of `level`, as in the enumeration.
constexpr std::string_view to_string(log_level level) noexcept {
    switch (level) {
        case log_level::debug: return "debug";
        case log_level::info: return "info";
        case log_level::warning: return "warning";
        case log_level::error: return "error";
    }
    return "unknown";
}

/// How much an event of this kind matters.
constexpr log_level level_of(event_kind kind) noexcept {
    switch (kind) {
        case event_kind::operation_failed:
        case event_kind::store_failed:
        case event_kind::abandoned_lost: return log_level::error;
        case event_kind::attempt_failed:
        case event_kind::retry_scheduled:
        case event_kind::rejected:
        case event_kind::fell_back:
        case event_kind::served_stale:
        case event_kind::attempt_abandoned:
        case event_kind::racer_failed:
        case event_kind::step_failed:
        case event_kind::step_unreached:
        case event_kind::operation_parked: return log_level::warning;
        case event_kind::operation_resumed:
        case event_kind::operation_succeeded:
        case event_kind::operation_left:
        case event_kind::step_undone:
        case event_kind::abandoned_ended: return log_level::info;
        default: return log_level::debug;
    }
}

namespace detail {

/// Adds ` name="value"` to a line: without secrets, on one line, cut at a length, and in quotes that the value
/// cannot close.
inline void add_field(std::string& line, std::string_view name, std::string_view value) {
    constexpr std::size_t bytes_max = 1024;
    if (value.empty()) return;
    auto quoted = std::string{};
    for (auto const letter : redacted_prefix(value, bytes_max)) {
        if (letter == '"' || letter == '\\') quoted += '\\';
        quoted += letter;
    }
    ((line += ' ') += name) += "=\"";
    (line += escape(quoted)) += '"';
}

}  // namespace detail

/// An event as a line in the manner of logfmt: `event=retry_scheduled operation="download" attempt=2
/// category=network_timeout delay=200ms message="…"`. What it does not have is left out.
///
/// Texts that come from elsewhere stand in quotes, where `"` and `\` have a `\` before them, and cannot make
/// lines or fields of their own; secrets that can be recognised are replaced (`redact`), and each text is cut at
/// 1024 bytes.
/// Throws: std::bad_alloc.
inline std::string log_line(event const& what) {
    auto line = std::string{"event="};
    line += to_string(what.kind);
    detail::add_field(line, "operation", what.operation);
    detail::add_field(line, "key", what.key);
    detail::add_field(line, "step", what.step);
    if (what.attempt != 0) line += " attempt=" + std::to_string(what.attempt);
    if (what.failure) {
        (line += " category=") += to_string(what.failure->category());
        if (what.failure->stopped() != stop_reason::none)
            (line += " stopped=") += to_string(what.failure->stopped());
    }
    if (what.delay != duration{}) (line += " delay=") += config::duration_text(what.delay);
    if (auto const* const trace = what.trace()) {
        auto const text = trace->traceparent();
        line += " trace_id=" + text.substr(3, 32) + " span_id=" + text.substr(36, 16);
    }
    if (what.failure) detail::add_field(line, "message", what.failure->message());
    return line;
}

/// An observer that writes lines. Made by `log_events`.
template <class Write>
struct event_log {
    mutable Write write;
    log_level least;
    void operator()(event const& what) const {
        auto const level = level_of(what.kind);
        if (level >= least) write(level, log_line(what));
    }
};

/// Calls `write(log_level, std::string)` with a line for each event that matters so much, or more.
///
/// It is called on the thread of the operation, which waits for it.
/// Thread safety: that of `write`.
/// Example: `with_recovery(fetch_page, log_events([](log_level, std::string const& line) { std::clog << line + '\n'; }))`
template <class Write>
[[nodiscard]] event_log<std::decay_t<Write>> log_events(Write&& write,
                                                        log_level least = log_level::warning) {
    static_assert(std::is_invocable_v<std::decay_t<Write>&, log_level, std::string>,
                  "recoup: the function of log_events takes a recoup::log_level and a line");
    return {std::forward<Write>(write), least};
}

}  // namespace recoup::inline v1
