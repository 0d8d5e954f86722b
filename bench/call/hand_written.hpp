// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "call/dependency.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <exception>
#include <system_error>
#include <utility>

// The loop that recoup is measured against: what a good engineer writes by hand for one program.
// It tells as much as recoup does of how a call ended, it sorts error codes by a switch, and its
// backoff is exponential with full jitter and a cap. It knows no breaker, deadline, store or rule of
// a user's own, and it is not made to be configured.

namespace bench::hand_written {

enum class kind : std::uint8_t { unknown, network, service, resource, input, permission, defect };
enum class stopped : std::uint8_t { none, exhausted, not_retryable };

/// What the last attempt ended with, and why there was no further one.
struct error {
    std::error_code code;
    std::exception_ptr exception{};
    kind what = kind::unknown;
    stopped why = stopped::none;
    std::uint32_t attempts = 0;
};

using result =
    boost::outcome_v2::basic_result<std::uint64_t, error, boost::outcome_v2::policy::all_narrow>;

inline kind classify(std::error_code const& code) noexcept {
    if (code.category() != std::generic_category() && code.category() != std::system_category())
        return kind::unknown;
    switch (code.value()) {
        case ETIMEDOUT:
        case ECONNREFUSED:
        case ECONNRESET:
        case ECONNABORTED:
        case ENETDOWN:
        case ENETUNREACH:
        case EHOSTUNREACH:
        case EPIPE: return kind::network;
        case EAGAIN:
        case EBUSY:
        case EINTR: return kind::service;
        case ENOMEM:
        case EMFILE:
        case ENFILE: return kind::resource;
        case EINVAL:
        case ENAMETOOLONG:
        case EISDIR: return kind::input;
        case EPERM:
        case EACCES:
        case EROFS: return kind::permission;
        case EBADF:
        case EFAULT: return kind::defect;
        default: return kind::unknown;
    }
}

inline bool worth_retrying(kind what) noexcept {
    return what == kind::unknown || what == kind::network || what == kind::service ||
           what == kind::resource;
}

struct options {
    std::uint32_t max_attempts = 3;
    std::chrono::nanoseconds first = std::chrono::milliseconds{200};
    std::chrono::nanoseconds cap = std::chrono::seconds{30};
};

inline std::chrono::nanoseconds backoff(options const& chosen, std::uint32_t retry,
                                        std::uint64_t random) noexcept {
    auto const doubled = retry <= 30 ? chosen.first * (std::int64_t{1} << (retry - 1)) : chosen.cap;
    auto const most = static_cast<std::uint64_t>(std::min(doubled, chosen.cap).count()) + 1;
    __extension__ using wide = unsigned __int128;
    return std::chrono::nanoseconds{static_cast<std::int64_t>((wide{random} * most) >> 64U)};
}

/// What follows a failed attempt: the end, or a wait and nothing.
template <class Clock>
bool goes_on(error& failed, std::uint32_t attempt, options const& chosen, Clock& time) {
    failed.attempts = attempt;
    failed.what = classify(failed.code);
    if (!worth_retrying(failed.what)) {
        failed.why = stopped::not_retryable;
        return false;
    }
    if (attempt >= chosen.max_attempts) {
        failed.why = stopped::exhausted;
        return false;
    }
    time.wait(backoff(chosen, attempt, time.random()));
    return true;
}

/// Calls `call`, which returns its errors, until it gives a value or trying again is of no use.
template <class F, class Clock>
result retried(F& call, std::uint64_t question, options const& chosen, Clock& time) {
    for (std::uint32_t attempt = 1;; ++attempt) {
        auto got = call(question);
        if (got.has_value()) [[likely]]
            return result{got.assume_value()};
        auto failed = error{.code = got.assume_error()};
        if (!goes_on(failed, attempt, chosen, time)) return result{std::move(failed)};
    }
}

/// What is caught just now, as an error.
inline error caught() {
    try {
        throw;
    } catch (std::system_error const& thrown) {
        return {.code = thrown.code(), .exception = std::current_exception()};
    } catch (...) {
        return {.code = {}, .exception = std::current_exception()};
    }
}

/// The same for one that throws its errors.
template <class F, class Clock>
result retried_throwing(F& call, std::uint64_t question, options const& chosen, Clock& time) {
    for (std::uint32_t attempt = 1;; ++attempt) {
        try {
            return result{call(question)};
        } catch (...) {
            auto failed = caught();
            if (!goes_on(failed, attempt, chosen, time)) return result{std::move(failed)};
        }
    }
}

}  // namespace bench::hand_written
