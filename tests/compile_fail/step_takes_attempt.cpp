// SPDX-License-Identifier: BSL-1.0
// expect: recoup: a step's callable that takes recoup::attempt& is wrapped in with_recovery
#include <recoup/durable.hpp>

auto const number = [](recoup::attempt& attempt) { return attempt.number(); };

auto control(recoup::operation& op) { return op.step("n", recoup::with_recovery(number)); }

#ifdef MISUSE
auto misuse(recoup::operation& op) { return op.step("n", number); }
#endif
