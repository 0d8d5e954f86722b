// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/json.hpp>

#include <recoup/core/category.hpp>
#include <recoup/core/event.hpp>
#include <recoup/core/stop_reason.hpp>
#include <recoup/guard/circuit_breaker_options.hpp>
#include <recoup/observe/histogram.hpp>
#include <recoup/observe/metrics_snapshot.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

/// Metrics as JSON: `nlohmann::json(metrics.snapshot()).dump()`. Spans are in nanoseconds; what is not known
/// is null, and counts by name that are zero are left out.

namespace recoup::inline v1 {

inline void to_json(nlohmann::json& made, latency_histogram const& shown) {
    made = {{"count", shown.count()}};
    if (shown.count() == 0) return;
    made["mean_ns"] = shown.mean().count();
    made["p50_ns"] = shown.quantile(0.5).count();
    made["p90_ns"] = shown.quantile(0.9).count();
    made["p99_ns"] = shown.quantile(0.99).count();
    made["p999_ns"] = shown.quantile(0.999).count();
    made["max_ns"] = shown.longest().count();
}

namespace detail {

template <class Kind, std::size_t Count>
nlohmann::json counts_to_json(std::array<std::uint64_t, Count> const& counts) {
    auto made = nlohmann::json::object();
    for (std::size_t i = 0; i != Count; ++i)
        if (counts[i] != 0) made[std::string{to_string(static_cast<Kind>(i))}] = counts[i];
    return made;
}

inline nlohmann::json number_to_json(std::optional<double> number) {
    return number ? nlohmann::json(*number) : nlohmann::json();
}

}  // namespace detail

inline void to_json(nlohmann::json& made, watched_metrics const& shown) {
    made = {{"name", shown.name},
            {"operations", shown.operations},
            {"succeeded", shown.succeeded},
            {"failed", shown.failed},
            {"abandoned", shown.abandoned},
            {"attempts", shown.attempts},
            {"retries", shown.retries},
            {"rejections", shown.rejections},
            {"recovered", shown.recovered},
            {"success", detail::number_to_json(shown.success())},
            {"events", detail::counts_to_json<event_kind>(shown.events)},
            {"failed_attempts", detail::counts_to_json<category>(shown.failed_attempts)},
            {"stopped", detail::counts_to_json<stop_reason>(shown.stops)},
            {"latency", shown.latency},
            {"smooth", shown.smooth},
            {"recovery", shown.recovery},
            {"overhead",
             {{"share", detail::number_to_json(shown.overhead())},
              {"measured", shown.measured},
              {"own_ns", shown.own.count()},
              {"callable_ns", shown.callable.count()}}}};
}

inline void to_json(nlohmann::json& made, gauge_reading const& shown) {
    made = {{"name", shown.name},
            {"value", detail::number_to_json(shown.value)},
            {"unit", shown.unit == gauge_unit::bytes ? "bytes" : "number"}};
}

inline void to_json(nlohmann::json& made, breaker_reading const& shown) {
    made = {{"name", shown.name}, {"state", std::string{to_string(shown.state)}}};
}

inline void to_json(nlohmann::json& made, metrics_snapshot const& shown) {
    made = {{"watched", shown.watched},
            {"gauges", shown.gauges},
            {"breakers", shown.breakers},
            {"memory_bytes", shown.memory},
            {"alerts",
             {{"raised", shown.alerts_raised},
              {"cleared", shown.alerts_cleared},
              {"put_off", shown.alerts_put_off}}}};
}

}  // namespace recoup::inline v1
