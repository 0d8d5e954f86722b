// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "support/report.hpp"

#include <string>

namespace bench {

/// What was measured on: processor, kernel, compiler, library.
void describe_machine(figures& into);

/// The load average of the last minute; negative where it is not known.
double load_average();

/// The processors that this process may use.
unsigned processors();

}  // namespace bench
