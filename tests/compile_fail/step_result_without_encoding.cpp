// SPDX-License-Identifier: BSL-1.0
// expect: recoup: this type cannot be stored: include <recoup/json.hpp>
#include <recoup/durable.hpp>

struct plan {
    int models = 0;
};

int control(recoup::operation& op) {
    return op.step("plan", [] { return plan{3}.models; }).value();
}

#ifdef MISUSE
int misuse(recoup::operation& op) {
    return op.step("plan", [] { return plan{3}; }).value().models;
}
#endif
