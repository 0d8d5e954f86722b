// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/json.hpp>

#include <recoup/core/category.hpp>
#include <recoup/core/stop_reason.hpp>
#include <recoup/validation/finding.hpp>
#include <recoup/validation/remark.hpp>
#include <recoup/validation/requirements.hpp>
#include <recoup/validation/statistics.hpp>
#include <recoup/validation/verdict.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

/// A verdict as JSON: `nlohmann::json(verdict).dump()`. Spans are in nanoseconds and shares from 0 to 1; what is not
/// known is null.

namespace recoup::inline v1::validation {

inline void to_json(nlohmann::json& made, spread const& shown) {
    made = {{"median", shown.median},
            {"min", shown.least},
            {"max", shown.greatest},
            {"samples", shown.samples}};
}

inline void to_json(nlohmann::json& made, interval const& shown) {
    made = {{"low", shown.low}, {"high", shown.high}, {"confidence", confidence}};
}

inline void to_json(nlohmann::json& made, finding shown) { made = std::string{to_string(shown)}; }

inline void to_json(nlohmann::json& made, remark const& shown) {
    made = {{"kind", std::string{to_string(shown.kind)}}, {"text", shown.text}};
}

inline void to_json(nlohmann::json& made, requirements const& shown) {
    made = {{"overhead_below", shown.overhead_below},
            {"memory_below_bytes", shown.memory_below},
            {"recovery_below_ns", shown.recovery_below.count()},
            {"success_at_least", shown.success_at_least}};
}

namespace detail {

template <class T>
nlohmann::json known(std::optional<T> const& value) {
    return value ? nlohmann::json(*value) : nlohmann::json();
}

}  // namespace detail

inline void to_json(nlohmann::json& made, overhead_figures const& shown) {
    made = {{"found", shown.found},
            {"rounds", shown.rounds},
            {"calls_per_batch", shown.calls_per_batch},
            {"failed", shown.failed},
            {"bare_ns", shown.bare_ns},
            {"decorated_ns", shown.decorated_ns},
            {"added", shown.added},
            {"median_within", detail::known(shown.median)},
            {"control", shown.control},
            {"control_median_within", detail::known(shown.control_median)}};
}

inline void to_json(nlohmann::json& made, memory_figures const& shown) {
    made = {{"found", shown.found},
            {"calls", shown.calls},
            {"growth_bytes", detail::known(shown.growth)},
            {"late_growth_bytes", shown.late_growth},
            {"callable_growth_bytes", shown.callable_growth}};
}

inline void to_json(nlohmann::json& made, recovery_figures const& shown) {
    made = {{"found", shown.found},
            {"recovered", shown.recovered},
            {"median_ns", shown.median.count()},
            {"median_within_ns", detail::known(shown.median_ns)},
            {"p99_ns", shown.p99.count()},
            {"max_ns", shown.longest.count()},
            {"waits_ns", shown.waits.count()},
            {"rest_ns", shown.rest.count()}};
}

inline void to_json(nlohmann::json& made, success_figures const& shown) {
    auto stopped = nlohmann::json::object();
    for (std::size_t i = 0; i != stop_reason_count; ++i)
        if (shown.stopped[i] != 0)
            stopped[std::string{to_string(static_cast<stop_reason>(i))}] = shown.stopped[i];
    made = {{"found", shown.found},
            {"operations", shown.operations},
            {"succeeded", shown.succeeded},
            {"share", shown.rate()},
            {"share_within", detail::known(shown.share)},
            {"arithmetic", shown.arithmetic},
            {"attempts", shown.attempts},
            {"fault", std::string{to_string(shown.fault)}},
            {"calls", shown.calls},
            {"calls_an_operation", shown.amplification()},
            {"arithmetic_calls_an_operation", shown.arithmetic_calls},
            {"fell_back", shown.fell_back},
            {"stopped", stopped},
            {"permanent",
             {{"operations", shown.permanent},
              {"calls", shown.permanent_calls},
              {"succeeded", shown.permanent_succeeded}}}};
}

inline void to_json(nlohmann::json& made, verdict const& shown) {
    made = {{"met", shown.met()},
            {"missed", shown.missed()},
            {"seed", shown.seed},
            {"failure_rate", shown.failure_rate},
            {"took_ns", shown.took.count()},
            {"wanted", shown.wanted},
            {"overhead", shown.overhead},
            {"memory", shown.memory},
            {"recovery", shown.recovery},
            {"success", shown.success},
            {"remarks", shown.remarks}};
}

}  // namespace recoup::inline v1::validation
