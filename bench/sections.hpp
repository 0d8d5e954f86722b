// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "support/report.hpp"

namespace bench {

// Each measures one subject, and adds its figures and verdicts.
void measure_calls(plan const& chosen, report& into);
void measure_overhead(plan const& chosen, report& into);
void measure_success(plan const& chosen, report& into);
void measure_recovery_time(plan const& chosen, report& into);
void measure_memory(plan const& chosen, report& into);
void measure_durable(plan const& chosen, report& into);
void measure_load(plan const& chosen, report& into);
void measure_latency(plan const& chosen, report& into);
void measure_compile_cost(plan const& chosen, report& into);

/// A child process of measure_recovery_time: dies by SIGKILL in the middle of an operation.
int die_in_operation(char const* path, char const* when);

}  // namespace bench
