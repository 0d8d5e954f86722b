// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string_view>

namespace recoup::inline v1 {

/// Why an operation ended in failure.
enum class stop_reason : std::uint8_t {
    none = 0,                ///< it has not ended
    attempts_exhausted = 1,  ///< every attempt of the budget was made
    deadline = 2,            ///< the time is up, or the next attempt could not start in time
    not_retryable = 3,       ///< trying again cannot help
    breaker_open = 4,        ///< a circuit breaker did not admit it
    budget_empty = 5,        ///< a retry budget did not allow another attempt
    cancelled = 6,           ///< a stop token was triggered
    store_failed = 7,        ///< the record could not be read or written
    arguments_consumed = 8,  ///< the first attempt took the arguments with it
    input_mismatch = 9,      ///< the key belongs to a record of another input
    busy = 10,               ///< the operation is running elsewhere and cannot be joined
    blocked = 11,            ///< a durable operation is parked until somebody decides
    dead = 12,               ///< a durable operation crashed more often than it may
    shut_down = 13,          ///< durable operations were shut down; the next start goes on
    rejected = 14,           ///< a guard other than a breaker did not admit it; the code says which
    not_idempotent = 15,     ///< it may have happened, and must not happen twice
    retried_within = 16,     ///< a wrapped call inside the attempt had tried again already
};

/// The number of reasons; each is below it.
inline constexpr std::size_t stop_reason_count =
    static_cast<std::size_t>(stop_reason::retried_within) + 1;

/// The name of `why`, as in the enumeration.
constexpr std::string_view to_string(stop_reason why) noexcept {
    switch (why) {
        case stop_reason::none: return "none";
        case stop_reason::attempts_exhausted: return "attempts_exhausted";
        case stop_reason::deadline: return "deadline";
        case stop_reason::not_retryable: return "not_retryable";
        case stop_reason::breaker_open: return "breaker_open";
        case stop_reason::budget_empty: return "budget_empty";
        case stop_reason::cancelled: return "cancelled";
        case stop_reason::store_failed: return "store_failed";
        case stop_reason::arguments_consumed: return "arguments_consumed";
        case stop_reason::input_mismatch: return "input_mismatch";
        case stop_reason::busy: return "busy";
        case stop_reason::blocked: return "blocked";
        case stop_reason::dead: return "dead";
        case stop_reason::shut_down: return "shut_down";
        case stop_reason::rejected: return "rejected";
        case stop_reason::not_idempotent: return "not_idempotent";
        case stop_reason::retried_within: return "retried_within";
    }
    return "none";
}

template <class Char, class Traits>
std::basic_ostream<Char, Traits>& operator<<(std::basic_ostream<Char, Traits>& out,
                                             stop_reason why) {
    return out << to_string(why);
}

}  // namespace recoup::inline v1
