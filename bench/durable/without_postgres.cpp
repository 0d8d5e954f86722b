// SPDX-License-Identifier: BSL-1.0
// Stands in for durable/postgres where libpq is not installed.
#include "durable/rows.hpp"

namespace bench {

void measure_postgres(plan const& /*chosen*/, report& into, figures& /*details*/) {
    into.skip("durable: all on PostgreSQL", "built without libpq (Debian and Ubuntu: libpq-dev)");
}

}  // namespace bench
