// SPDX-License-Identifier: BSL-1.0
// Some of the hot paths: enough to see that a planted slowdown is caught.
#include "regression/paths/path.hpp"

namespace bench::regression {

paths all() {
    paths made;
    add_success(made);
    add_failed_once(made);
    return made;
}

}  // namespace bench::regression
