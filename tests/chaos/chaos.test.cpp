// SPDX-License-Identifier: BSL-1.0
#include <recoup/chaos.hpp>

#include "support/catch.hpp"

#include <recoup/recoup.hpp>
#include <recoup/testing.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using recoup::attempt;
using recoup::category;
using recoup::chaos;
using recoup::chaos_options;
using recoup::testing::manual_clock;

int answer() { return 42; }

/// What becomes of the first attempts: a letter each.
template <class Call>
std::string fates(Call& call, int attempts) {
    std::string all;
    for (auto i = 0; i != attempts; ++i) try {
            auto const got = call();
            all += got.has_value() ? (got.value() == 42 ? 'o' : 'w') : 'f';
        } catch (std::system_error const&) {
            all += 't';
        }
    return all;
}

std::string refused(chaos_options const& options) {
    try {
        chaos{options};
    } catch (std::invalid_argument const& what) {
        return what.what();
    }
    return "nothing is wrong";
}

TEST_CASE("what befalls an attempt is drawn from the seed, at the rates that were given") {
    auto const options =
        chaos_options{.failure_rate = 0.2, .throw_rate = 0.1, .wrong_rate = 0.1, .seed = 7};
    auto const run = [&](std::uint64_t seed) {
        auto with = options;
        with.seed = seed;
        chaos const monkey{with};
        auto call = monkey.wrap(answer).wrong([](int right) { return right + 1; });
        auto const found = fates(call, 20'000);
        auto const counted = monkey.snapshot();
        CHECK(counted.attempts == 20'000);
        auto const share = [&](char what, std::uint64_t told, double rate) {
            auto const times = std::count(found.begin(), found.end(), what);
            CHECK(static_cast<std::uint64_t>(times) == told);
            // Five standard deviations of that many draws are less.
            CHECK(std::abs(static_cast<double>(times) / 20'000 - rate) < 0.015);
        };
        share('f', counted.failed, 0.2);
        share('t', counted.thrown, 0.1);
        share('w', counted.wrong, 0.1);
        return found;
    };
    auto const first = run(7);
    CHECK(run(7) == first);
    CHECK(run(8) != first);
}

TEST_CASE("a schedule comes first, word by word, and behind it the rates hold") {
    chaos monkey{{.failure_rate = 1, .schedule = "ok*2,throw,wrong,fail,ok"}};
    auto call = monkey.wrap(answer).wrong([](int) { return 0; });
    CHECK(fates(call, 9) == "ootwfofff");
    monkey.schedule("ok,throw");
    CHECK(fates(call, 4) == "otff");
}

TEST_CASE("an attempt fails as it was told to, and the callable is not called then") {
    auto called = 0;
    chaos const monkey{{.failure_rate = 1, .failure_as = category::rate_limited}};
    auto const got = monkey.wrap([&] { return ++called; })();
    CHECK(got.error().category() == category::rate_limited);
    CHECK(called == 0);
}

TEST_CASE("switched off nothing happens and nothing is counted, and a scope puts it back") {
    chaos monkey{{.failure_rate = 1, .enabled = false}};
    auto call = monkey.wrap(answer);
    CHECK(fates(call, 3) == "ooo");
    CHECK(monkey.snapshot().attempts == 0);
    {
        auto const loud = monkey.during(true);
        CHECK(fates(call, 2) == "ff");
        monkey.disable();
        CHECK(fates(call, 1) == "o");
        monkey.enable();
    }
    CHECK_FALSE(monkey.enabled());
    CHECK(fates(call, 1) == "o");
    CHECK(monkey.snapshot().attempts == 2);
}

TEST_CASE("a slow attempt waits on the clock that was given, and then is made") {
    manual_clock clock;
    chaos const monkey{{.latency_rate = 1, .latency = 200ms}};
    auto const before = clock.now();
    CHECK(monkey.wrap(answer, recoup::on(clock))().value() == 42);
    CHECK(clock.now() - before == 200ms);
    CHECK(monkey.snapshot().slow == 1);

    chaos const planned{{.schedule = "slow 3s,ok"}};
    auto const call = planned.wrap(answer, recoup::on(clock));
    CHECK(call().value() == 42);
    CHECK(clock.now() - before == 3200ms);
    CHECK(call().value() == 42);
    CHECK(clock.now() - before == 3200ms);
}

TEST_CASE("a stop request ends the wait of a slow attempt") {
    manual_clock clock;
    std::stop_source stop;
    chaos const monkey{{.latency_rate = 1, .latency = 1h}};
    auto called = 0;
    auto const call = with_recovery(
        [&, shaken =
                monkey.wrap([&](attempt&) { return ++called; }, recoup::on(clock))](attempt& now) {
            stop.request_stop();
            return shaken(now);
        },
        recoup::stop_on(stop.get_token()), recoup::on(clock));
    CHECK(call().error().stopped() == recoup::stop_reason::cancelled);
    CHECK(called == 0);
}

TEST_CASE("what is shaken is cured by retries, within the arithmetic") {
    manual_clock clock;
    chaos const monkey{{.failure_rate = 0.3, .seed = 3}};
    auto const call =
        with_recovery(monkey.wrap(answer), recoup::retry{.max_attempts = 5}, recoup::on(clock));
    auto good = 0;
    for (auto i = 0; i != 10'000; ++i) good += call().has_value() ? 1 : 0;
    CHECK(good >= 9'950);  // 0.3 to the fifth fail: 24 of 10,000
    CHECK(good < 10'000);
}

TEST_CASE("an attempt that crashes ends the process, and only where code has allowed that") {
    CHECK(refused({.crash_rate = 0.1}) ==
          "recoup: chaos: a crash ends this process: set may_crash where that is wanted");
    CHECK(refused({.schedule = "ok,crash"}) == refused({.crash_rate = 0.1}));
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    auto const child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        chaos const monkey{{.schedule = "ok*3,crash", .may_crash = true}};
        auto call = monkey.wrap([&] { return ::write(ends[1], "x", 1); });
        for (auto i = 0; i != 10; ++i) static_cast<void>(call());
        ::_exit(0);
    }
    ::close(ends[1]);
    auto calls = 0;
    for (char one = 0; ::read(ends[0], &one, 1) == 1;) ++calls;
    ::close(ends[0]);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGKILL);
    CHECK(calls == 3);
}

TEST_CASE("a wrong result that nobody can make is told of") {
    chaos const monkey{{.wrong_rate = 1}};
    auto call = monkey.wrap(answer);
    CHECK_THROWS_AS(call(), std::logic_error);
}

TEST_CASE("options that make no sense are refused with a sentence") {
    CHECK(refused({.failure_rate = 1.5}) ==
          "recoup: chaos: failure_rate is 1.500000, expected a share from 0 to 1");
    CHECK(refused({.failure_rate = 0.6, .wrong_rate = 0.6}) ==
          "recoup: chaos: failure_rate is 0.600000, expected with throw_rate, wrong_rate and "
          "crash_rate at most 1 in all");
    CHECK(refused({.latency = -1s}) ==
          "recoup: chaos: latency is -1000000000 ns, expected 0 or more");
    CHECK(refused({.schedule = "ok,boom"}) ==
          "recoup: chaos: schedule \"ok,boom\" at position 3: expected ok, fail, throw, slow, "
          "wrong, crash or the name of a category");
    CHECK(refused({.schedule = "slow x"}) ==
          "recoup: chaos: schedule \"slow x\" at position 5: expected how long it takes, such as "
          "200ms");
    chaos monkey{{.failure_rate = 1}};
    CHECK_THROWS_AS(monkey.change({.failure_rate = -1}), std::invalid_argument);
    CHECK_THROWS_AS(monkey.schedule("boom"), std::invalid_argument);
    CHECK(monkey.options() == chaos_options{.failure_rate = 1});
}

TEST_CASE("while it is changed and switched, each attempt meets one of its options, whole",
          "[concurrent]") {
    constexpr auto threads = 4;
    constexpr auto calls = 5'000;
    chaos monkey{{.failure_rate = 1, .failure_as = category::rate_limited}};
    std::atomic<int> other = 0;
    std::atomic<std::uint64_t> failed = 0;
    std::atomic<bool> over = false;
    {
        std::jthread const changes{[&] {
            for (auto i = 0; !over; ++i) {
                if (i % 2 == 0)
                    monkey.change({.failure_rate = 1, .failure_as = category::network_dns});
                else
                    monkey.change({.failure_rate = 0, .failure_as = category::defect});
                auto const off = monkey.during(false);
            }
        }};
        std::vector<std::jthread> all;
        for (auto i = 0; i != threads; ++i)
            all.emplace_back([&, call = monkey.wrap(answer)]() mutable {
                for (auto j = 0; j != calls; ++j) {
                    auto const got = call();
                    if (got.has_value()) continue;
                    ++failed;
                    auto const what = got.error().category();
                    if (what != category::rate_limited && what != category::network_dns) ++other;
                }
            });
        all.clear();
        over = true;
    }
    CHECK(other == 0);
    CHECK(failed == monkey.snapshot().failed);
    CHECK(monkey.snapshot().attempts <= threads * calls);
}

TEST_CASE("what shakes a callable is explained") {
    chaos monkey{{.failure_rate = 0.05, .latency_rate = 0.1, .latency = 200ms, .seed = 7}};
    auto const call = recoup::with_recovery(monkey.wrap(answer), recoup::retry{.max_attempts = 1},
                                            recoup::attempt_timeout{5s});
    auto const stages = [](auto const& wrapped) { return recoup::explain(wrapped).stages; };
    CHECK(stages(call) == std::vector<std::string>{
                              "retry: up to 1 attempt", "attempt_timeout: 5 s",
                              "chaos: 5 % of attempts fail, 10 % take 200 ms longer", "callable"});
    monkey.change({.throw_rate = 0.5, .wrong_rate = 0.125, .seed = 3, .schedule = "fail,ok"});
    CHECK(stages(call.with(recoup::deadline{1s}))[3] ==
          "chaos: a schedule, then by seed 3, 50 % throw, 12.5 % give wrong results");
    monkey.change({.failure_rate = 0.05, .enabled = false});
    CHECK(stages(call)[2] == "chaos, switched off: 5 % of attempts fail");
    monkey.change({});
    CHECK(stages(call)[2] == "chaos: nothing happens");
    CHECK(recoup::explain(call).text().find("chaos: nothing happens\ncallable\n") !=
          std::string::npos);
    CHECK(stages(recoup::with_recovery(answer)).size() == 2);
}

}  // namespace
