// SPDX-License-Identifier: BSL-1.0
#include <recoup/classify/sqlite.hpp>

#include <recoup/classify/category_of.hpp>

#include <string>
#include <system_error>

#include "support/catch.hpp"

#if __has_include(<sqlite3.h>)
#include <sqlite3.h>
#endif

using recoup::category;
using recoup::category_of;
using recoup::sqlite_error;

namespace {

struct sample {
    int code;
    category expected;
};

}  // namespace

TEST_CASE("Every primary result code of SQLite has its category") {
    auto const [code, expected] = GENERATE(values<sample>({
        {1, category::invalid_schema},
        {2, category::defect},
        {3, category::permission},
        {4, category::cancelled},
        {5, category::service_unavailable},
        {6, category::service_unavailable},
        {7, category::out_of_memory},
        {8, category::permission},
        {9, category::cancelled},
        {10, category::unknown},
        {11, category::corruption},
        {12, category::not_found},
        {13, category::disk_full},
        {14, category::configuration},
        {15, category::service_unavailable},
        {16, category::unknown},
        {17, category::service_unavailable},
        {18, category::invalid_input},
        {19, category::invalid_input},
        {20, category::invalid_schema},
        {21, category::defect},
        {22, category::configuration},
        {23, category::permission},
        {24, category::invalid_format},
        {25, category::defect},
        {26, category::corruption},
        {27, category::unknown},
        {28, category::unknown},
        {29, category::unknown},
        {100, category::unknown},
        {101, category::unknown},
        {0, category::unknown},
        {-1, category::unknown},
        {-251, category::unknown},
    }));
    INFO(code);
    CHECK(category_of(sqlite_error(code)) == expected);
}

TEST_CASE("An extended code counts as its primary one, or as what it says more") {
    auto const primary_of = [](int code) { return category_of(sqlite_error(code & 0xFF)); };
    for (auto const code : {262, 517, 518, 773, 520, 776, 267, 787, 2067, 1555, 526, 782})
        CHECK(category_of(sqlite_error(code)) == primary_of(code));

    auto const [code, expected] = GENERATE(values<sample>({
        {257, category::missing_dependency},
        {513, category::service_unavailable},
        {769, category::service_unavailable},
        {516, category::service_unavailable},
        {261, category::maintenance},
        {1032, category::not_found},
        {266, category::unknown},      // IOERR_READ
        {522, category::corruption},   // IOERR_SHORT_READ
        {778, category::unknown},      // IOERR_WRITE
        {1034, category::corruption},  // IOERR_FSYNC: never retried
        {1290, category::corruption},  // IOERR_DIR_FSYNC
        {2058, category::service_unavailable},
        {2314, category::service_unavailable},
        {2826, category::service_unavailable},
        {3594, category::service_unavailable},
        {3850, category::service_unavailable},
        {5130, category::service_unavailable},
        {3082, category::out_of_memory},
        {3338, category::permission},
        {7178, category::permission},
        {8202, category::corruption},
        {8458, category::corruption},
        {1550, category::permission},
        {3091, category::invalid_schema},
        {279, category::authentication},
    }));
    INFO(code);
    CHECK(category_of(sqlite_error(code)) == expected);
}

TEST_CASE("An SQLite error says what happened, and the extended code where there is one") {
    CHECK(sqlite_error(5).message() == "database is locked");
    CHECK(sqlite_error(517).message() == "database is locked (extended code 517)");
    CHECK(sqlite_error(77).message() == "SQLite error 77");
    CHECK(sqlite_error(-1).message() == "SQLite error -1");
    CHECK(sqlite_error(5).category().name() == std::string{"sqlite"});
}

#ifdef SQLITE_VERSION
TEST_CASE("The numbers are SQLite's") {
    CHECK(category_of(sqlite_error(SQLITE_BUSY)) == category::service_unavailable);
    CHECK(category_of(sqlite_error(SQLITE_BUSY_RECOVERY)) == category::maintenance);
    CHECK(category_of(sqlite_error(SQLITE_IOERR_FSYNC)) == category::corruption);
    CHECK(category_of(sqlite_error(SQLITE_IOERR_DIR_FSYNC)) == category::corruption);
    CHECK(category_of(sqlite_error(SQLITE_IOERR_NOMEM)) == category::out_of_memory);
    CHECK(category_of(sqlite_error(SQLITE_IOERR_SHMLOCK)) == category::service_unavailable);
    CHECK(category_of(sqlite_error(SQLITE_READONLY_DBMOVED)) == category::not_found);
    CHECK(category_of(sqlite_error(SQLITE_ABORT_ROLLBACK)) == category::service_unavailable);
    CHECK(category_of(sqlite_error(SQLITE_NOTADB)) == category::corruption);
    CHECK(category_of(sqlite_error(SQLITE_FULL)) == category::disk_full);
}
#endif
