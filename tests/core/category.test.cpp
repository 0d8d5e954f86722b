// SPDX-License-Identifier: BSL-1.0
#include <recoup/core/category.hpp>

#include "support/catch.hpp"

#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using recoup::category;
using recoup::category_set;
using recoup::recoverability;
using recoup::severity;

category nth(std::size_t index) { return static_cast<category>(index); }

static_assert(sizeof(category) == 1);
static_assert(noexcept(recoup::info(category::unknown)));
static_assert(recoup::to_string(category::network_tls) == "network_tls");
static_assert(category_set{category::defect, category::unknown}.contains(category::unknown));

}  // namespace

TEST_CASE("The numbers of the categories are those that are stored in records") {
    // A change here makes old records lie: append only.
    auto const numbered = std::vector<std::pair<int, std::string_view>>{{0, "unknown"},
                                                                        {1, "cancelled"},
                                                                        {2, "network_timeout"},
                                                                        {3, "network_connection"},
                                                                        {4, "network_dns"},
                                                                        {5, "network_tls"},
                                                                        {6, "disk_full"},
                                                                        {7, "out_of_memory"},
                                                                        {8, "cpu_exhausted"},
                                                                        {9, "quota_exceeded"},
                                                                        {10, "permission"},
                                                                        {11, "api_permission"},
                                                                        {12, "authentication"},
                                                                        {13, "invalid_input"},
                                                                        {14, "invalid_schema"},
                                                                        {15, "invalid_format"},
                                                                        {16, "service_unavailable"},
                                                                        {17, "rate_limited"},
                                                                        {18, "maintenance"},
                                                                        {19, "missing_dependency"},
                                                                        {20, "configuration"},
                                                                        {21, "corruption"},
                                                                        {22, "not_found"},
                                                                        {23, "defect"}};
    CHECK(numbered.size() == recoup::category_count);
    for (auto const& [number, name] : numbered)
        CHECK(to_string(static_cast<category>(number)) == name);
    CHECK(static_cast<int>(category::defect) == 23);
}

TEST_CASE("Every category has a name of its own, a severity and a recoverability") {
    std::set<std::string_view> names;
    for (std::size_t i = 0; i != recoup::category_count; ++i) names.insert(to_string(nth(i)));
    CHECK(names.size() == recoup::category_count);
}

TEST_CASE("What trying again can cure is known, category by category") {
    auto const cured = category_set{
        category::unknown,       category::network_timeout,     category::network_connection,
        category::network_dns,   category::network_tls,         category::out_of_memory,
        category::cpu_exhausted, category::service_unavailable, category::rate_limited,
        category::maintenance};
    for (std::size_t i = 0; i != recoup::category_count; ++i) {
        INFO(to_string(nth(i)));
        CHECK(worth_retrying(nth(i)) == cured.contains(nth(i)));
    }
}

TEST_CASE("A number that is no category is read as unknown") {
    CHECK(to_string(nth(24)) == "unknown");
    CHECK(to_string(nth(255)) == "unknown");
    CHECK(worth_retrying(nth(200)));
}

TEST_CASE("A category streams its name") {
    std::ostringstream out;
    out << category::rate_limited;
    CHECK(out.str() == "rate_limited");
}

TEST_CASE("A set holds what was put in, and nothing else") {
    auto some = category_set{category::defect, category::cancelled};
    CHECK(some.contains(category::defect));
    CHECK_FALSE(some.contains(category::unknown));
    some.erase(category::defect);
    CHECK_FALSE(some.contains(category::defect));
    CHECK(some == category_set{category::cancelled});
    some.erase(category::cancelled);
    CHECK(some.empty());
    CHECK(category_set{}.empty());
}
