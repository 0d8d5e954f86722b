// SPDX-License-Identifier: BSL-1.0
// expect: recoup: the body of an operation must not be generic
#include <recoup/durable.hpp>

void control(recoup::operations& ops) {
    ops.define<int(int)>("given", [](recoup::operation&, auto n) { return n; });
}

#ifdef MISUSE
void misuse(recoup::operations& ops) {
    ops.define("generic", [](recoup::operation&, auto n) { return n; });
}
#endif
