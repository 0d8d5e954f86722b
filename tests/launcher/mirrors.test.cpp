// SPDX-License-Identifier: BSL-1.0
#include "launcher/mirrors.hpp"

#include "support/catch.hpp"

#include <chrono>
#include <string>
#include <vector>

#include <recoup/recoup.hpp>

using launcher::download_record;
using launcher::mirrors_to_try;

namespace {

launcher::model const what{.name = "m", .target = "m", .mirrors = {"a", "b", "c"}};

}  // namespace

TEST_CASE("mirrors are tried in the index's order until something speaks against one",
          "[launcher]") {
    using order = std::vector<std::string>;
    CHECK(mirrors_to_try(what, {}, {}) == order{"a", "b", "c"});
    CHECK(mirrors_to_try(what, {}, {{"a", 1}}) == order{"b", "c", "a"});
    CHECK(mirrors_to_try(what, {.strikes = {{"b", 1}}}, {{"a", 9}}) == order{"c", "a", "b"});
}

TEST_CASE("a wrong checksum strikes every mirror that sent a part of the file", "[launcher]") {
    download_record record{.sources = {{"a", 5}, {"b", 0}, {"c", 7}}, .strikes = {{"c", 1}}};
    strike_sources(record);
    CHECK(record.strikes == std::map<std::string, std::uint32_t>{{"a", 1}, {"c", 2}});
}

TEST_CASE("a host that only fails is left alone, and the others are not", "[launcher]") {
    launcher::host_breakers breakers;
    auto const call = [&](std::string const& host, recoup::failure const& failure) {
        return recoup::with_recovery([&]() -> recoup::result<int> { return failure; },
                                     recoup::retry{.max_attempts = 1}, breakers.of(host))();
    };
    recoup::failure const down{recoup::category::network_connection};
    recoup::failure const full{recoup::category::disk_full};
    for (int i = 0; i < 30; ++i) static_cast<void>(call("full:80", full));
    for (int i = 0; i < 10; ++i)
        CHECK(call("down:80", down).error().stopped() != recoup::stop_reason::breaker_open);
    CHECK(call("down:80", down).error().stopped() == recoup::stop_reason::breaker_open);
    CHECK(call("full:80", down).error().stopped() != recoup::stop_reason::breaker_open);
}
