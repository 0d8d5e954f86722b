// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <string>
#include <system_error>

namespace recoup::inline v1 {

/// The library's own error codes. The numbers may be stored: only append.
enum class errc {
    breaker_open = 1,    ///< a circuit breaker did not admit the call
    deadline_exceeded,   ///< the operation's time was up before an attempt
    cancelled,           ///< a stop token was triggered before an attempt
    no_value,            ///< the callable returned an empty optional
    value_rejected,      ///< the callable returned a value that a predicate calls a failure
    crash_budget_spent,  ///< earlier processes died in this operation and used its attempts up
    input_mismatch,      ///< the key belongs to a record of another input
    already_running,     ///< the operation is running and cannot be joined from here
    joins_itself,        ///< the operation would wait for itself
    key_invalid,         ///< a key is empty, too long, or not printable UTF-8
    value_unreadable,    ///< a recorded value is not of the type that was asked for
    process_ended,       ///< an earlier process ended inside an attempt
    result_unstorable,   ///< the result is to be kept, and its type has no encoding
    operation_blocked,   ///< the durable operation is parked until somebody decides
    operation_dead,      ///< the durable operation crashed more often than it may
    operation_undone,    ///< earlier steps of the durable operation are being undone
    no_such_operation,   ///< the store has no operation of that number, or of that name and key
    request_refused,     ///< the operation is not in a state that fits what was asked for
    step_mismatch,       ///< the step was recorded with other arguments, or is of another kind
    step_running,  ///< a step of that name, or of that id, is running: it needs an id of its own
    step_limit,    ///< the operation has more steps than it may
    not_transactional,    ///< the store has no transaction of the type that a step asks for
    shut_down,            ///< operations were shut down before it ended
    rejected,             ///< a guard did not admit the attempt
    rate_limited,         ///< a rate limiter did not admit the attempt
    bulkhead_full,        ///< as many attempts as a bulkhead admits were running, and waiting
    concurrency_limited,  ///< as many attempts as a dependency is seen to bear were running
    attempt_timed_out,    ///< an attempt took longer than it may
    abandon_pool_full,    ///< all threads were taken, by attempts that run or were let go
    trace_unreadable,     ///< a `traceparent` is not as it has to be
};

namespace detail {

struct recoup_error_category final : std::error_category {
    char const* name() const noexcept override { return "recoup"; }
    std::string message(int code) const override {
        switch (static_cast<errc>(code)) {
            case errc::breaker_open: return "the circuit breaker is open";
            case errc::deadline_exceeded: return "the deadline has passed";
            case errc::cancelled: return "the operation was cancelled";
            case errc::no_value: return "the callable returned no value";
            case errc::value_rejected: return "the returned value counts as a failure";
            case errc::crash_budget_spent: return "earlier runs crashed and used the attempts up";
            case errc::input_mismatch: return "the key was recorded with another input";
            case errc::already_running: return "the operation is already running";
            case errc::joins_itself: return "the operation would wait for itself";
            case errc::key_invalid: return "the key is not 1 to 512 bytes of printable UTF-8";
            case errc::value_unreadable: return "the recorded value is of another type";
            case errc::process_ended: return "an earlier process ended during the attempt";
            case errc::result_unstorable:
                return "the result is to be kept, but its type has no encoding: include "
                       "<recoup/json.hpp> and give it to_json and from_json";
            case errc::operation_blocked: return "the operation is parked until somebody decides";
            case errc::operation_dead: return "the operation crashed more often than it may";
            case errc::operation_undone: return "the operation is being undone";
            case errc::no_such_operation: return "there is no such operation";
            case errc::request_refused: return "the operation is in a state that does not fit";
            case errc::step_mismatch: return "the step was recorded with other arguments";
            case errc::step_running: return "a step of that name is running; give it an id";
            case errc::step_limit: return "the operation has more steps than it may";
            case errc::not_transactional: return "the store has no such transaction";
            case errc::shut_down: return "operations were shut down";
            case errc::rejected: return "a guard did not admit the attempt";
            case errc::rate_limited: return "the rate limit of this caller is reached";
            case errc::bulkhead_full: return "as many attempts as may run at once are running";
            case errc::concurrency_limited:
                return "as many attempts as the dependency bears are running";
            case errc::attempt_timed_out: return "the attempt took longer than it may";
            case errc::abandon_pool_full:
                return "all threads of the pool are taken by attempts that run or were let go";
            case errc::trace_unreadable: return "the trace context cannot be read";
        }
        return "unknown recoup error " + std::to_string(code);
    }
};

/// Not within the function: each rejection would ask whether it is made yet.
inline constinit recoup_error_category const recoup_category_instance{};

}  // namespace detail

/// The category of `errc`; one instance across shared libraries.
inline std::error_category const& recoup_category() noexcept {
    return detail::recoup_category_instance;
}

inline std::error_code make_error_code(errc code) noexcept {
    return {static_cast<int>(code), recoup_category()};
}

}  // namespace recoup::inline v1

template <>
struct std::is_error_code_enum<recoup::errc> : std::true_type {};
