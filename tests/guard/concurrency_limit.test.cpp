// SPDX-License-Identifier: BSL-1.0
#include <recoup/guard/concurrency_limit.hpp>

#include <recoup/testing/manual_clock.hpp>
#include <recoup/with_recovery.hpp>

#include <rapidcheck.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <deque>
#include <limits>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"

namespace {

using namespace std::chrono_literals;
using recoup::category;
using recoup::concurrency_limit;
using recoup::concurrency_limit_options;
using recoup::duration;
using recoup::steady_time;
using recoup::with_recovery;
using recoup::detail::limit_estimate;
using recoup::testing::manual_clock;
using algorithm = concurrency_limit_options::algorithm;

std::string refused_for(concurrency_limit_options const& options) {
    try {
        concurrency_limit const made{options};
        return "none";
    } catch (std::invalid_argument const& refused) {
        return refused.what();
    }
}

/// A server that works on `workers` requests at a time for `service` each, and lets the others wait: every
/// call takes as long as its place in the line says. As many callers as the limit admits call it.
struct queueing_server {
    std::uint32_t workers;
    duration service;

    [[nodiscard]] duration takes(std::uint32_t running) const {
        auto const rounds = std::max(1.0, static_cast<double>(running) / workers);
        return duration{static_cast<duration::rep>(static_cast<double>(service.count()) * rounds)};
    }
};

/// Keeps the limit filled for so many calls; returns where it ends, as the mean of the last tenth.
double settle(limit_estimate& estimate, queueing_server const& server, int calls) {
    auto now = steady_time{1h};
    auto sum = 0.0;
    auto counted = 0;
    for (auto i = 0; i < calls; ++i) {
        auto const running = estimate.limit();
        auto const took = server.takes(running);
        now += took / running;  // so many end in the time of one
        estimate.learn({now - took, now, running, false});
        if (i < calls * 9 / 10) continue;
        sum += estimate.limit();
        ++counted;
    }
    return sum / counted;
}

}  // namespace

TEST_CASE("a concurrency limit admits its limit at a time, and rejects the rest",
          "[concurrency_limit]") {
    manual_clock clock;
    concurrency_limit limit{{.initial = 2}};
    {
        auto const one = limit.try_acquire(clock);
        auto const two = limit.try_acquire(clock);
        CHECK(one);
        CHECK(two);
        CHECK_FALSE(limit.try_acquire(clock));
        CHECK(limit.running() == 2);
        auto const call = with_recovery([] { return 1; }, limit, recoup::on(clock));
        auto const rejected = call();
        REQUIRE_FALSE(rejected);
        CHECK(rejected.error().code() == recoup::errc::concurrency_limited);
        CHECK(rejected.error().attempts() == 0);
    }
    CHECK(limit.running() == 0);
    CHECK(limit.try_acquire(clock));
}

TEST_CASE("aimd: success adds one where the limit is made use of, and only there",
          "[concurrency_limit]") {
    limit_estimate estimate{{.found_by = algorithm::aimd, .initial = 10, .most = 12}};
    auto const now = steady_time{1h};
    CHECK(estimate.learn({now - 1ms, now, 4, false}) == 10);
    CHECK(estimate.learn({now - 1ms, now, 5, false}) == 11);
    CHECK(estimate.learn({now - 1ms, now, 9, false}) == 12);
    CHECK(estimate.learn({now - 1ms, now, 9, false}) == 12);  // the most
}

TEST_CASE("aimd: an overload lowers the limit once for all that were under way",
          "[concurrency_limit]") {
    limit_estimate estimate{
        {.found_by = algorithm::aimd, .initial = 100, .decrease = 0.5, .slow_after = 1s}};
    auto const now = steady_time{1h};
    CHECK(estimate.learn({now - 10ms, now, 100, true}) == 50);
    for (auto i = 0; i < 99; ++i) estimate.learn({now - 5ms, now + 1ms, 100, true});
    CHECK(estimate.limit() == 50);
    // One that began afterwards tells of the new limit; so does one that is slow.
    CHECK(estimate.learn({now, now + 10ms, 50, true}) == 25);
    CHECK(estimate.learn({now + 10ms, now + 2s, 25, false}) == 12);
}

TEST_CASE("the gradient finds where the server begins to queue, up and down",
          "[concurrency_limit]") {
    limit_estimate estimate{{.initial = 20}};
    // tolerance * workers + the root of it
    auto const large = settle(estimate, {.workers = 200, .service = 10ms}, 100'000);
    CHECK(large > 200);  // all workers have something to do
    CHECK(large < 300);  // and the line stays short
    auto const small = settle(estimate, {.workers = 20, .service = 10ms}, 100'000);
    CHECK(small > 20);
    CHECK(small < 40);
}

TEST_CASE("the gradient finds out anew how long attempts take, with few under way",
          "[concurrency_limit]") {
    limit_estimate estimate{{.initial = 50, .remeasure_every = 1s}};
    queueing_server const server{.workers = 10, .service = 10ms};
    auto now = steady_time{1h};
    auto fewest = estimate.limit();
    for (auto i = 0; i < 20'000; ++i) {
        auto const running = estimate.limit();
        auto const took = server.takes(running);
        now += took / running;
        estimate.learn({now - took, now, running, false});
        fewest = std::min(fewest, estimate.limit());
    }
    CHECK(fewest == 3);
    CHECK(estimate.limit() >= 10);
    CHECK(estimate.limit() < 25);  // what it took at 50 at once is forgotten
}

TEST_CASE("whatever it learns, the limit stays within its bounds",
          "[concurrency_limit][property]") {
    auto const holds = rc::check("bounds", [] {
        auto const least = *rc::gen::inRange<std::uint32_t>(1, 50);
        auto const most = least + *rc::gen::inRange<std::uint32_t>(0, 100);
        concurrency_limit_options options;
        options.found_by = *rc::gen::element(algorithm::aimd, algorithm::gradient);
        options.least = least;
        options.most = most;
        options.initial = *rc::gen::inRange<std::uint32_t>(least, most + 1);
        limit_estimate estimate{options};
        auto const spans = *rc::gen::container<std::vector<std::int64_t>>(
            rc::gen::oneOf(rc::gen::inRange<std::int64_t>(-10, 1'000),
                           rc::gen::just(std::numeric_limits<std::int64_t>::max())));
        auto now = steady_time{1h};
        for (auto const span : spans) {
            auto const running = *rc::gen::inRange<std::uint32_t>(1, most + 1);
            auto const overloaded = *rc::gen::arbitrary<bool>();
            auto const limit = estimate.learn(
                {now, recoup::saturating_add(now, duration{span}), running, overloaded});
            RC_ASSERT(limit >= least);
            RC_ASSERT(limit <= most);
        }
    });
    CHECK(holds);
}

TEST_CASE("failures that say nothing of overload teach nothing", "[concurrency_limit]") {
    manual_clock clock;
    concurrency_limit limit{{.found_by = algorithm::aimd, .initial = 10, .decrease = 0.5}};
    auto const end_with = [&](category what) {
        auto const call = with_recovery(
            [&]() -> recoup::result<int> {
                clock.advance(1ms);
                return recoup::failure{what};
            },
            limit, recoup::retry{.max_attempts = 1}, recoup::on(clock));
        return call().has_value();
    };
    CHECK_FALSE(end_with(category::invalid_input));
    CHECK_FALSE(end_with(category::not_found));
    CHECK(limit.limit() == 10);
    CHECK_FALSE(end_with(category::network_timeout));
    CHECK(limit.limit() == 5);
}

TEST_CASE("many threads never run more than the highest limit, and all leave",
          "[concurrency_limit][concurrent]") {
    recoup::real_clock clock;
    concurrency_limit limit{
        {.found_by = algorithm::aimd, .initial = 2, .most = 4, .decrease = 0.5}};
    std::atomic<int> running = 0;
    std::atomic<int> most = 0;
    {
        std::vector<std::jthread> threads;
        for (auto t = 0; t < 8; ++t)
            threads.emplace_back([&, t] {
                for (auto n = 0; n < 2'000; ++n) {
                    auto turn = limit.try_acquire(clock);
                    if (!turn) continue;
                    auto const now = ++running;
                    for (auto seen = most.load();
                         seen < now && !most.compare_exchange_weak(seen, now);) {}
                    if (n % 7 == 0) std::this_thread::yield();
                    --running;
                    if ((n + t) % 5 == 0)
                        turn.failed(category::rate_limited, true, clock);
                    else if ((n + t) % 5 != 1)
                        turn.succeeded(clock);
                }
            });
    }
    CHECK(most <= 4);
    CHECK(limit.running() == 0);
    CHECK(limit.limit() >= 1);
    CHECK(limit.limit() <= 4);
}

TEST_CASE("a concurrency limit that cannot be is refused with what is wrong",
          "[concurrency_limit]") {
    CHECK(refused_for({.least = 0}) == "recoup: concurrency_limit: least is 0, expected 1 or more");
    CHECK(refused_for({.initial = 5, .least = 10, .most = 20}) ==
          "recoup: concurrency_limit: initial is 5, expected least (10) to most (20)");
    CHECK(refused_for({.least = 10, .most = 9}) ==
          "recoup: concurrency_limit: most is 9, expected least (10) to 1000000");
    CHECK(refused_for({.decrease = std::nan("")}) ==
          "recoup: concurrency_limit: decrease is nan, expected 0.5 up to below 1");
    CHECK(refused_for({.tolerance = 0.5}) ==
          "recoup: concurrency_limit: tolerance is 0.500000, expected 1 to 100");
    CHECK(refused_for({.slow_after = 0s}) ==
          "recoup: concurrency_limit: slow_after is 0 ns, expected above 0");
    CHECK(refused_for({.remeasure_every = 0s}) ==
          "recoup: concurrency_limit: remeasure_every is 0 ns, expected above 0");
}
