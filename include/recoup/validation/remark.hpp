// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace recoup::inline v1::validation {

/// What a remark is about.
enum class remark_kind : std::uint8_t {
    fails_without_faults,  ///< the callable fails although nothing was done to it
    not_called,            ///< decorated, it is not called once for each call
    measured_in_batches,   ///< a call is too short for the clock
    not_measurable,        ///< so short that not even many of them can be seen
    faster_than_bare,      ///< decorated it takes less time: it cannot be the same work
    noisy,                 ///< the bare call differs from itself by as much as is allowed
    never_retried,         ///< what could be cured is not tried again, and why
    too_few_attempts,      ///< even if all goes well, the attempts do not cure enough
    breaker_opened,        ///< a circuit breaker rejected what could be cured
    stopped_early,         ///< another policy ended operations that could be cured
    permanent_retried,     ///< what cannot be cured is tried again
    fell_back,             ///< a fallback stood in, which cures nothing
    callable_grows,        ///< memory grows by the bare calls as well
    still_growing,         ///< memory had not come to rest when the calls were over
    waits_dominate,        ///< the policy's own waits take the time of a recovery
    time_limit_reached,    ///< there are fewer samples than wanted
};

/// The name of `kind`, as in the enumeration.
constexpr std::string_view to_string(remark_kind kind) noexcept {
    switch (kind) {
        case remark_kind::fails_without_faults: return "fails_without_faults";
        case remark_kind::not_called: return "not_called";
        case remark_kind::measured_in_batches: return "measured_in_batches";
        case remark_kind::not_measurable: return "not_measurable";
        case remark_kind::faster_than_bare: return "faster_than_bare";
        case remark_kind::noisy: return "noisy";
        case remark_kind::never_retried: return "never_retried";
        case remark_kind::too_few_attempts: return "too_few_attempts";
        case remark_kind::breaker_opened: return "breaker_opened";
        case remark_kind::stopped_early: return "stopped_early";
        case remark_kind::permanent_retried: return "permanent_retried";
        case remark_kind::fell_back: return "fell_back";
        case remark_kind::callable_grows: return "callable_grows";
        case remark_kind::still_growing: return "still_growing";
        case remark_kind::waits_dominate: return "waits_dominate";
        case remark_kind::time_limit_reached: return "time_limit_reached";
    }
    return "unknown";
}

/// What there is to say beside the figures: what is wrong with a set-up, or with how it was measured.
struct remark {
    remark_kind kind{};
    std::string text{};  ///< one sentence for people; without credentials, escaped

    friend bool operator==(remark const&, remark const&) = default;
};

}  // namespace recoup::inline v1::validation
