// SPDX-License-Identifier: BSL-1.0
#include "regression/paths/path.hpp"

namespace bench::regression {

paths all() {
    paths made;
    add_success(made);
    add_failed_once(made);
    add_guards(made);
    add_cache(made);
    add_durable(made);
    add_coroutine(made);
    return made;
}

}  // namespace bench::regression
