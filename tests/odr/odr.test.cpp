// SPDX-License-Identifier: BSL-1.0
#include "all_headers.hpp"

#include "second_unit.hpp"

#include "support/catch.hpp"

namespace {

std::error_category const* category_here() {
    recoup::failure const failure{recoup::store_errc::full};
    return &failure.code().category();
}

}  // namespace

TEST_CASE("two units that include every header link, and share one error category") {
    CHECK(category_here() == odr::category_in_second_unit());
}

TEST_CASE("a result made in one unit is read in the other") {
    recoup::result<int> const value = odr::doubled(21);
    REQUIRE(value);
    CHECK(value.value() == 42);

    recoup::result<int> const refused = odr::doubled(-1);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == std::errc::invalid_argument);
    CHECK(refused.error().category() == recoup::category::invalid_input);
}
