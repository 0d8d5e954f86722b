// SPDX-License-Identifier: BSL-1.0
// expect: recoup: the body of an operation takes recoup::operation& first
#include <recoup/durable.hpp>

void control(recoup::operations& ops) {
    ops.define("a", [](recoup::operation&, int n) { return n; });
}

#ifdef MISUSE
void misuse(recoup::operations& ops) {
    ops.define("a", [](int n) { return n; });
}
#endif
