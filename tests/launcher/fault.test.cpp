// SPDX-License-Identifier: BSL-1.0
#include "fault_server/fault.hpp"

#include "support/catch.hpp"

#include <stdexcept>
#include <string>
#include <vector>

using fault_server::fault;
using fault_server::fault_plan;
using fault_server::parse_fault_rule;

namespace {

std::vector<fault> fates(fault_plan& plan, std::string const& path, int requests) {
    std::vector<fault> seen;
    for (int i = 0; i < requests; ++i) seen.push_back(plan.next(path).kind);
    return seen;
}

}  // namespace

TEST_CASE("a fault rule is read whole or refused", "[fault_server]") {
    auto const rule = parse_fault_rule("wrong-bytes=0.25@/a/b.bin");
    CHECK(rule.kind == fault::wrong_bytes);
    CHECK(rule.probability == 0.25);
    CHECK(rule.path == "/a/b.bin");
    CHECK(parse_fault_rule("reset=1").path.empty());
    for (std::string const text : {"", "reset", "reset=", "reset=2", "reset=-1", "reset=nan",
                                   "reset=0.5x", "none=1", "fire=1", "reset=1@a.bin", "=1"}) {
        INFO(text);
        CHECK_THROWS_AS(parse_fault_rule(text), std::invalid_argument);
    }
}

TEST_CASE("the same seed gives the same faults, whatever other paths are asked for",
          "[fault_server]") {
    std::vector const rules{parse_fault_rule("reset=0.3"), parse_fault_rule("stall=0.3")};
    fault_plan alone{7, rules};
    fault_plan disturbed{7, rules};
    fault_plan other{8, rules};
    auto const expected = fates(alone, "/a", 64);
    std::vector<fault> seen;
    for (int i = 0; i < 64; ++i) {
        static_cast<void>(disturbed.next("/b"));
        seen.push_back(disturbed.next("/a").kind);
    }
    CHECK(seen == expected);
    CHECK(fates(other, "/a", 64) != expected);
}

TEST_CASE("faults come as often as their probability says, and only where it holds",
          "[fault_server]") {
    fault_plan plan{1, {parse_fault_rule("reset=0.2"), parse_fault_rule("unavailable=0.5@/a")}};
    int resets = 0;
    int unavailable = 0;
    for (int i = 0; i < 10'000; ++i) {
        fault const kind = plan.next("/a").kind;
        resets += kind == fault::reset ? 1 : 0;
        unavailable += kind == fault::unavailable ? 1 : 0;
        CHECK(plan.next("/b").kind != fault::unavailable);
    }
    CHECK(resets > 1'800);
    CHECK(resets < 2'200);
    CHECK(unavailable > 4'800);
    CHECK(unavailable < 5'200);
    CHECK_THROWS_AS(
        (fault_plan{1, {parse_fault_rule("reset=0.6"), parse_fault_rule("stall=0.6@/a")}}),
        std::invalid_argument);
}
