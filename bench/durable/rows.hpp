// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "support/report.hpp"

namespace bench {

// The rows of the durability section; each adds its figures below `details`.
void measure_added_time(plan const& chosen, report& into, figures& details);
void measure_one_caller(plan const& chosen, report& into, figures& details);
void measure_in_flight(plan const& chosen, report& into, figures& details);
void measure_postgres(plan const& chosen, report& into, figures& details);
void measure_resume(plan const& chosen, report& into, figures& details);
void measure_backlog(plan const& chosen, report& into, figures& details);
void measure_durable_memory(plan const& chosen, report& into, figures& details);

}  // namespace bench
