// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/sqlite_store.hpp>

#if defined(RECOUP_BENCH_POSTGRES)
#include <recoup/store/postgres_store.hpp>
#endif

#include <stdexcept>
#include <string>

namespace bench::peers {

/// Opens the store called `kind`, as durable as can be, and does `work` with it.
template <class Work>
void with_store(std::string const& kind, std::string const& where, Work const& work) {
    if (kind == "sqlite") {
        recoup::sqlite_store store{where + "/recoup.db"};
        work(store);
        return;
    }
#if defined(RECOUP_BENCH_POSTGRES)
    if (kind == "postgres") {
        recoup::postgres_store store{"", {.schema = where}};
        work(store);
        return;
    }
#endif
    throw std::invalid_argument{"there is no store called '" + kind + "' in this build"};
}

}  // namespace bench::peers
