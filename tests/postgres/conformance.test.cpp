// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/postgres_store.hpp>

#include "support/catch.hpp"

#include "postgres/server.hpp"

#include <recoup/testing/store_conformance.hpp>

// The written contracts, checked by the suite that every store must pass.

namespace {

using namespace recoup_test;

/// Stores on a schema of their own each.
struct schemas {
    explicit schemas(std::string words = {}) : more{std::move(words)} {}
    std::unique_ptr<recoup::postgres_store> fresh() {
        options = fresh_options();
        options.record_bytes_max = record_bytes_max;
        return open_store(options, more);
    }
    std::unique_ptr<recoup::postgres_store> reopen() { return open_store(options, more); }

    static constexpr std::size_t record_bytes_max = std::size_t{1} << 20U;
    std::string more;
    recoup::postgres_store_options options;
};

TEST_CASE("postgres_store keeps the contracts of records and of durable operations",
          "[concurrent]") {
    schemas stores;
    auto const report =
        recoup::testing::check_store(stores, {.durability = recoup::durability::power_loss,
                                              .record_bytes_max = schemas::record_bytes_max,
                                              .rounds = 20});
    INFO(report);
    CHECK(report.ok());
    CHECK(report.checked.size() >= 50);
}

}  // namespace
