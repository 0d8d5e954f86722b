// SPDX-License-Identifier: BSL-1.0
// expect: recoup: this type cannot be stored: include <recoup/json.hpp>
#include <recoup/durable.hpp>

struct order {
    int number = 0;
};

auto control(recoup::operations& ops) {
    return ops.define("ship", [](recoup::operation&, int number) { return number; }).run("k", 1);
}

#ifdef MISUSE
auto misuse(recoup::operations& ops) {
    return ops.define("ship", [](recoup::operation&, order what) { return what.number; })
        .run("k", order{1});
}
#endif
