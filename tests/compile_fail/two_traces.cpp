// SPDX-License-Identifier: BSL-1.0
// expect: recoup: there are two traces; a call is part of one
#include <recoup/observe/trace.hpp>
#include <recoup/recoup.hpp>

int work();
recoup::trace_context const context;

auto const control = recoup::with_recovery(work, recoup::trace(context))();

#ifdef MISUSE
auto const misuse =
    recoup::with_recovery(work, recoup::trace(context), recoup::trace([] { return context; }))();
#endif
