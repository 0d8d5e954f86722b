// SPDX-License-Identifier: BSL-1.0
#include <recoup/config/apply.hpp>

#include <recoup/config/read.hpp>
#include <recoup/guard/abandon_after.hpp>
#include <recoup/guard/cache.hpp>
#include <recoup/testing/manual_clock.hpp>
#include <recoup/with_recovery.hpp>

#include "support/catch.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

// A document that is read anew, and policies that go on with it.

namespace apply_test {

using namespace std::chrono_literals;
using namespace recoup;
using config::policy_document;
using recoup::testing::manual_clock;
using names = std::vector<std::string_view>;

policy_document document_of(std::string_view text) {
    return config::read_text<policy_document>(text, "downloads");
}

/// One of each, with options of its own.
struct all_policies {
    circuit_breaker breaker{{.failure_rate = 0.9, .window = last_calls(10), .minimum_calls = 10}};
    rate_limiter limiter{token_bucket(10, 1s)};
    bulkhead room{{.at_once = 2}};
    concurrency_limit limit{{.initial = 5, .most = 5}};
    retry_budget budget{{.ratio = 0.1}};
    reloadable<retry> again{retry{.max_attempts = 2}};
    reloadable<deadline> within{deadline{1min}};
    reloadable<attempt_timeout> each{attempt_timeout{10s}};
    hedge hedges{{.delay = 1s}};
    cache<int, int> answers{{.capacity = 3}};
    abandon_pool threads{{.threads = 2, .name = "made"}};
    reloadable<abandon_limit> let_go{abandon_limit{10s}};
    reloadable<not_idempotent> once{not_idempotent{}};
    reloadable<classifier> rules{default_rules()};

    auto apply(policy_document const& from, manual_clock& clock) {
        return config::apply(from, "downloads", on(clock), answers, threads, let_go, once, breaker,
                             limiter, room, limit, budget, again, within, each, hedges, rules);
    }
    bool as_made() const {
        return breaker.options().failure_rate == 0.9 && limiter.limit() == token_bucket(10, 1s) &&
               room.options() == bulkhead_options{.at_once = 2} && limit.options().most == 5 &&
               budget.options().ratio == 0.1 && again.version() == 1 &&
               within.current() == deadline{1min} && each.current() == attempt_timeout{10s} &&
               hedges.options() == hedge_options{.delay = 1s} && rules.version() == 1 &&
               answers.options() == cache_options{.capacity = 3} &&
               threads.options() == abandon_pool_options{.threads = 2, .name = "made"} &&
               let_go.current() == abandon_limit{10s} && once.current() == not_idempotent{};
    }
};

constexpr auto other = R"({
    "retry": {"max_attempts": 7},
    "retry_budget": {"ratio": 0.5},
    "deadline": "5s",
    "attempt_timeout": "1s",
    "hedge": {"delay": "20ms"},
    "cache": {"capacity": 9, "time_to_live": "5s"},
    "abandon_pool": {"threads": 7},
    "abandon_after": "3s",
    "not_idempotent": {"nothing_happened": ["rate_limited"]},
    "circuit_breaker": {"failure_rate": 0.2, "window": {"calls": 10}, "minimum_calls": 5},
    "rate_limit": {"calls": 20, "per": "1s"},
    "bulkhead": {"at_once": 9},
    "concurrency_limit": {"initial": 50, "least": 30},
    "classifier": {"errc": {"connection_reset": "permission"}}
})";

TEST_CASE("running policies go on with what a document says") {
    manual_clock clock;
    all_policies running;
    for (auto i = 0; i != 4; ++i) CHECK(running.limiter.try_acquire(clock));
    auto const left = running.apply(document_of(other), clock);
    CHECK(left.empty());
    CHECK(running.answers.options() == cache_options{.capacity = 9, .time_to_live = 5s});
    CHECK(running.threads.options() == abandon_pool_options{.threads = 7});
    CHECK(running.let_go.current() == abandon_limit{3s});
    CHECK(running.once.current() == not_idempotent{.nothing_happened = {category::rate_limited}});
    CHECK(running.each.current() == attempt_timeout{1s});
    CHECK(running.hedges.delay() == 20ms);
    CHECK(running.breaker.options().failure_rate == 0.2);
    CHECK(running.breaker.options().minimum_calls == 5);
    CHECK(running.limiter.limit() == token_bucket(20, 1s));
    CHECK(running.room.options().at_once == 9);
    CHECK(running.limit.limit() == 30);
    CHECK(running.budget.options().ratio == 0.5);
    CHECK(running.again.current().max_attempts == 7);
    CHECK(running.within.current() == deadline{5s});
    auto const reset = failure{std::make_error_code(std::errc::connection_reset)};
    CHECK(running.rules.classify(reset).category == category::permission);
    // What it has seen stays: of 20 tokens as many are missing as before, by the clock that was given.
    auto admitted = 0;
    while (running.limiter.try_acquire(clock)) ++admitted;
    CHECK(admitted == 16);
}

TEST_CASE("what a document does not name stays as it is") {
    manual_clock clock;
    all_policies running;
    CHECK(running.apply(document_of("{}"), clock).empty());
    CHECK(running.as_made());
    CHECK(config::apply(document_of(R"({"bulkhead": {"at_once": 3}, "deadline": "1s"})"),
                        running.room) == names{"deadline"});
    CHECK(running.room.options().at_once == 3);
    CHECK(running.within.current() == deadline{1min});
}

TEST_CASE(
    "where one policy cannot go on with a document none does, and all is told with its path") {
    manual_clock clock;
    all_policies running;
    auto document = document_of(other);
    document.circuit_breaker->window = last_calls(11);
    document.rate_limit = sliding_window(5, 1s);
    try {
        running.apply(document, clock);
        FAIL("it was applied");
    } catch (config::bad_config const& refused) {
        CHECK(refused.problems() ==
              std::vector<config::problem>{{"downloads.circuit_breaker.window",
                                            "cannot be changed: it holds what it has seen"},
                                           {"downloads.rate_limit.counted_by",
                                            "cannot be changed while calls are counted"}});
    }
    CHECK(running.as_made());

    // Nor one that nobody has read, and so nobody has looked at.
    document = document_of(other);
    document.bulkhead->at_once = 0;
    document.retry_budget->ratio = -1;
    document.abandon_pool->threads = 0;
    document.cache->capacity = 0;
    document.concurrency_limit->least = 0;
    CHECK_THROWS_AS(running.apply(document, clock), config::bad_config);
    CHECK(running.as_made());
    CHECK_THROWS_AS(document_of(R"({"bulkhead": {"at_once": 9}, "rate_limit": {"calls": 0}})"),
                    config::bad_config);
}

TEST_CASE("where there is no room for one more version nothing is changed") {
    manual_clock clock;
    all_policies running;
    auto leases = std::vector<reloadable<classifier>::lease_type>{};
    for (auto i = 0; i != 64; ++i) {
        if (i != 0) running.rules.replace(default_rules());
        leases.push_back(running.rules.lease());
    }
    CHECK_THROWS_AS(running.apply(document_of(other), clock), std::length_error);
    CHECK(running.again.version() == 1);
    CHECK(running.room.options().at_once == 2);
    leases.clear();
    running.apply(document_of(other), clock);
    CHECK(running.again.version() == 2);
}

TEST_CASE("a document that has a name in messages may be applied on the machine's clock") {
    bulkhead room{{.at_once = 2}};
    auto document = policy_document{};
    document.bulkhead = bulkhead_options{.at_once = 0};
    auto const told = [&](auto const& apply) {
        try {
            apply();
        } catch (config::bad_config const& refused) {
            return refused.problems().at(0).path;
        }
        return std::string{"nothing was told"};
    };
    CHECK(told([&] { config::apply(document, room); }) == "bulkhead.at_once");
    CHECK(told([&] { config::apply(document, "imports", room); }) == "imports.bulkhead.at_once");
    CHECK(told([&] { config::apply(document, std::string{"imports"}, room); }) ==
          "imports.bulkhead.at_once");
    document.bulkhead->at_once = 4;
    CHECK(config::apply(document, "imports", room).empty());
    CHECK(room.options().at_once == 4);
}

TEST_CASE("policies that are shared go on with a document, too") {
    auto const room = std::make_shared<bulkhead>(bulkhead_options{.at_once = 2});
    auto const wrapped = with_recovery([] { return 1; }, room);
    CHECK(config::apply(document_of(R"({"bulkhead": {"at_once": 3}})"), room).empty());
    CHECK(room->options().at_once == 3);
    CHECK(wrapped().value() == 1);
}

TEST_CASE("documents are applied while calls run, which see one or the other", "[concurrent]") {
    bulkhead room{{.at_once = 2, .waiting = 100}};
    reloadable<retry> again{retry{.max_attempts = 2, .backoff = constant(0ms)}};
    reloadable<deadline> within{deadline{1h}};
    rate_limiter limiter{token_bucket(1'000'000, 1s)};
    auto const few = document_of(
        R"({"bulkhead": {"at_once": 2, "waiting": 100}, "deadline": "1h",
            "retry": {"max_attempts": 2, "backoff": {"model": "constant", "every": "0s"}},
            "rate_limit": {"calls": 1000000, "per": "1s"}})");
    auto const many = document_of(
        R"({"bulkhead": {"at_once": 3, "waiting": 100}, "deadline": "2h",
            "retry": {"max_attempts": 5, "backoff": {"model": "constant", "every": "0s"}},
            "rate_limit": {"calls": 2000000, "per": "1s"}})");
    std::atomic<int> calls_running{3};
    std::atomic<int> wrong{0};
    std::atomic<int> inside{0};
    auto const call = with_recovery(
        [&]() -> result<int> {
            if (++inside > 3) ++wrong;
            --inside;
            return std::make_error_code(std::errc::connection_reset);
        },
        room, again, within, limiter);
    {
        std::vector<std::jthread> callers;
        for (auto i = 0; i != 3; ++i)
            callers.emplace_back([&] {
                for (auto n = 0; n != 500; ++n) {
                    auto const attempts = call().error().attempts();
                    if (attempts != 2 && attempts != 5) ++wrong;
                }
                --calls_running;
            });
        for (auto i = 0; calls_running != 0; ++i)
            config::apply(i % 2 == 0 ? many : few, room, again, within, limiter);
    }
    CHECK(wrong == 0);
    CHECK(room.snapshot().running == 0);
}

}  // namespace apply_test
