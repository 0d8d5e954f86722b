// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/chaos/chaos_options.hpp>
#include <recoup/config/detail/describe_retry.hpp>
#include <recoup/config/detail/value.hpp>

#include <cstddef>

namespace recoup::inline v1::config::detail {

/// But for `may_crash`, which code alone can say.
template <class Fields>
void describe(Fields& fields, chaos_options& it) {
    constexpr std::size_t schedule_bytes_max = 1U << 16U;
    constexpr auto rate = real{0, 1, "a share from 0 to 1"};
    fields("failure_rate", it.failure_rate, rate);
    fields("failure_as", it.failure_as);
    fields("throw_rate", it.throw_rate, rate);
    fields("latency_rate", it.latency_rate, rate);
    fields("latency", it.latency);
    fields("wrong_rate", it.wrong_rate, rate);
    fields("crash_rate", it.crash_rate, rate);
    fields("seed", it.seed);
    fields("schedule", it.schedule, schedule_bytes_max);
    fields("enabled", it.enabled);
    fields.check([&] { static_cast<void>(recoup::detail::checked_schedule(it)); });
}

}  // namespace recoup::inline v1::config::detail
