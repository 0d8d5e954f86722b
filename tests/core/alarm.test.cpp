// SPDX-License-Identifier: BSL-1.0
#include <recoup/core/alarm.hpp>

#include <recoup/core/random.hpp>
#include <recoup/testing/manual_clock.hpp>

#include "support/catch.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <vector>

using namespace std::chrono_literals;

TEST_CASE("Alarms ring in the order of their moments, those that are forgotten do not") {
    auto random = recoup::splitmix64{7};
    auto const at = [](std::uint64_t second) {
        return recoup::steady_time{std::chrono::seconds{second}};
    };
    for (auto round = 0; round != 50; ++round) {
        recoup::detail::alarm_heap heap;
        auto alarms = std::vector<std::unique_ptr<recoup::alarm>>{};
        for (auto i = 0; i != 60; ++i) {
            alarms.push_back(std::make_unique<recoup::alarm>(at(random() % 20)));
            heap.add(*alarms.back());
        }
        auto kept = alarms.size();
        for (std::size_t i = 0; i != alarms.size(); ++i) {
            if (random() % 3 != 0) continue;
            heap.remove(*alarms[i]);
            heap.remove(*alarms[i]);  // which changes nothing
            alarms[i].reset();
            --kept;
        }
        for (std::uint64_t now = 0; now != 20; ++now) {
            while (auto due = heap.take_due(at(now))) {
                due->request_stop();
                --kept;
            }
            for (auto const& one : alarms)
                if (one) CHECK(one->source().stop_requested() == (one->when() <= at(now)));
        }
        CHECK(kept == 0);
        CHECK(heap.empty());
    }
}

TEST_CASE("An alarm of the manual clock rings when the clock is moved to it, and is no wait") {
    recoup::testing::manual_clock clock;
    auto const rings = [&](recoup::alarm const& one) { return one.source().stop_requested(); };
    recoup::alarm early{clock.now() + 1s};
    recoup::alarm late{clock.now() + 2s};
    recoup::alarm never{clock.now() + 1s};
    clock.set(late);
    clock.set(early);
    clock.set(never);
    CHECK(clock.elapsed() == 0s);
    CHECK(clock.waits().empty());
    clock.forget(never);
    CHECK(clock.alarms() == 2);
    clock.advance(1s);
    CHECK(rings(early));
    CHECK_FALSE(rings(late));
    clock.wait_until(clock.now() + 5s, std::stop_token{});
    CHECK(rings(late));
    CHECK_FALSE(rings(never));
    CHECK(clock.alarms() == 0);
    recoup::alarm past{clock.now()};
    clock.set(past);
    CHECK(rings(past));
}
