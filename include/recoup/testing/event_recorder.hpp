// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/category.hpp>
#include <recoup/core/event.hpp>
#include <recoup/core/failure.hpp>
#include <recoup/core/stop_reason.hpp>
#include <recoup/core/time.hpp>
#include <recoup/core/trace_context.hpp>

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace recoup::inline v1::testing {

/// An event as it is kept: whole, and valid for ever.
struct recorded_event {
    event_kind kind{};
    std::uint32_t attempt = 0;
    std::optional<recoup::failure> failure{};
    duration delay{};
    std::string operation{};
    std::string key{};
    std::string step{};
    std::optional<trace_context> trace{};

    friend bool operator==(recorded_event const&, recorded_event const&) = default;
};

namespace detail {

/// `span` in the largest unit that holds it exactly: `1500us`, `2s`.
inline std::string exact_text(duration span) {
    struct unit {
        duration::rep size;
        char const* name;
    };
    for (auto const& [size, name] :
         {unit{1'000'000'000, "s"}, unit{1'000'000, "ms"}, unit{1'000, "us"}})
        if (span.count() % size == 0) return std::to_string(span.count() / size) + name;
    return std::to_string(span.count()) + "ns";
}

}  // namespace detail

/// One line for an event: its kind, then what it has of attempt, category, reason and delay.
///
/// Example: `attempt_started 1`, `attempt_failed 1 network_connection`, `retry_scheduled 1
/// network_connection 200ms`, `operation_failed 2 network_connection attempts_exhausted`.
inline std::string to_string(recorded_event const& what) {
    auto line = std::string{recoup::to_string(what.kind)};
    if (!what.step.empty()) (line += ' ') += what.step;
    if (what.attempt != 0) line += ' ' + std::to_string(what.attempt);
    if (what.failure) {
        (line += ' ') += recoup::to_string(what.failure->category());
        if (what.failure->stopped() != stop_reason::none)
            (line += ' ') += recoup::to_string(what.failure->stopped());
    }
    if (what.kind == event_kind::retry_scheduled) line += ' ' + detail::exact_text(what.delay);
    return line;
}

template <class Traits>
std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out,
                                             recorded_event const& what) {
    return out << to_string(what);
}

/// An observer that keeps what it sees, in the order in which it saw it: for comparing a whole trace
/// with the expected one.
///
/// Give it as an lvalue: wrappers refer to it. It keeps up to `events_max` events and counts the rest.
/// Thread safety: all members may be called concurrently.
/// Example: `CHECK(seen.trace() == std::vector<std::string>{"operation_started", …});`
class event_recorder {
  public:
    explicit event_recorder(std::size_t events_max = 100'000) : events_max_{events_max} {}
    event_recorder(event_recorder const&) = delete;
    event_recorder& operator=(event_recorder const&) = delete;

    void operator()(event const& what) {
        auto kept = recorded_event{.kind = what.kind,
                                   .attempt = what.attempt,
                                   .delay = what.delay,
                                   .operation = std::string{what.operation},
                                   .key = std::string{what.key},
                                   .step = std::string{what.step}};
        if (what.failure) kept.failure = *what.failure;
        if (auto const* const trace = what.trace()) kept.trace = *trace;
        std::scoped_lock const lock{mutex_};
        if (events_.size() < events_max_)
            events_.push_back(std::move(kept));
        else
            ++dropped_;
    }

    /// The events so far.
    [[nodiscard]] std::vector<recorded_event> events() const {
        std::scoped_lock const lock{mutex_};
        return events_;
    }

    /// The events so far, one line each.
    [[nodiscard]] std::vector<std::string> trace() const {
        std::vector<std::string> lines;
        for (auto const& what : events()) lines.push_back(to_string(what));
        return lines;
    }

    /// How many events of this kind there were.
    [[nodiscard]] std::size_t count(event_kind kind) const {
        std::size_t found = 0;
        for (auto const& what : events()) found += what.kind == kind ? 1U : 0U;
        return found;
    }

    /// How many events were not kept because there were too many.
    [[nodiscard]] std::size_t dropped() const {
        std::scoped_lock const lock{mutex_};
        return dropped_;
    }

    /// Forgets everything.
    void clear() {
        std::scoped_lock const lock{mutex_};
        events_.clear();
        dropped_ = 0;
    }

  private:
    std::size_t const events_max_;
    mutable std::mutex mutex_;
    std::vector<recorded_event> events_;
    std::size_t dropped_ = 0;
};

static_assert(observer<event_recorder>);

}  // namespace recoup::inline v1::testing
