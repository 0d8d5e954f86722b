// SPDX-License-Identifier: BSL-1.0
#include <recoup/guard/cache.hpp>

#include <recoup/explain.hpp>
#include <recoup/guard/circuit_breaker.hpp>
#include <recoup/guard/deadline.hpp>
#include <recoup/guard/fallback.hpp>
#include <recoup/guard/rate_limiter.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/retry/retry_if.hpp>
#include <recoup/testing/event_recorder.hpp>
#include <recoup/testing/manual_clock.hpp>
#include <recoup/with_recovery.hpp>

#include <rapidcheck.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "support/catch.hpp"

namespace cache_test {

using namespace std::chrono_literals;
using recoup::cache;
using recoup::cache_options;
using recoup::duration;
using recoup::failure;
using recoup::result;
using recoup::with_recovery;
using recoup::testing::event_recorder;
using recoup::testing::manual_clock;
using trace = std::vector<std::string>;

/// Answers with the number of the call, or fails as it is told to.
struct counting {
    int* calls;
    recoup::category const* fails = nullptr;
    result<int> operator()(int) const {
        ++*calls;
        if (fails && *fails != recoup::category::unknown) return failure{*fails};
        return *calls;
    }
};

auto const once = recoup::retry{.max_attempts = 1};

std::string complaint_about(cache_options const& options) {
    try {
        cache<int, int> const made{options};
        return "none";
    } catch (std::invalid_argument const& refused) {
        return refused.what();
    }
}

/// What a cache of one part is to do, written down plainly.
class plain_cache {
  public:
    plain_cache(std::size_t capacity, duration time_to_live)
        : capacity_{capacity}, time_to_live_{time_to_live} {}

    /// Whether a call at `now` finds a result; it is made where it does not.
    bool call(int key, duration now) {
        auto const at = std::find_if(entries_.begin(), entries_.end(),
                                     [&](auto const& one) { return one.key == key; });
        auto const hit = at != entries_.end() && now < at->until;
        auto const until = hit ? at->until : now + time_to_live_;
        if (at != entries_.end()) entries_.erase(at);
        if (until > now) entries_.push_front({key, until});
        if (entries_.size() > capacity_) entries_.pop_back();
        return hit;
    }
    bool invalidate(int key) {
        return std::erase_if(entries_, [&](auto const& one) { return one.key == key; }) != 0;
    }
    void clear() { entries_.clear(); }
    void change(std::size_t capacity, duration time_to_live) {
        capacity_ = capacity;
        time_to_live_ = time_to_live;
        while (entries_.size() > capacity_) entries_.pop_back();
    }
    [[nodiscard]] std::size_t size() const { return entries_.size(); }

  private:
    struct entry {
        int key;
        duration until;
    };
    std::size_t capacity_;
    duration time_to_live_;
    std::list<entry> entries_{};
};

TEST_CASE("a result is returned again until its time is over", "[cache]") {
    manual_clock clock;
    auto calls = 0;
    cache<int, int> results{{.time_to_live = 10s}};
    auto const call = with_recovery(counting{&calls}, results, recoup::on(clock));
    CHECK(call(7).value() == 1);
    CHECK(call(8).value() == 2);
    clock.advance(10s - 1ns);
    CHECK(call(7).value() == 1);
    clock.advance(1ns);
    CHECK(call(7).value() == 3);
    CHECK(call(7).value() == 3);
    auto const seen = results.snapshot();
    CHECK(seen.hits == 2);
    CHECK(seen.misses == 3);
    CHECK(seen.size == 2);
}

TEST_CASE("0 keeps nothing, and unlimited keeps for ever", "[cache]") {
    manual_clock clock;
    auto calls = 0;
    cache<int, int> none{{.time_to_live = 0s}};
    auto const anew = with_recovery(counting{&calls}, none, recoup::on(clock));
    CHECK(anew(1).value() == 1);
    CHECK(anew(1).value() == 2);
    CHECK(none.size() == 0);
    cache<int, int> all{{.time_to_live = recoup::unlimited}};
    auto const kept = with_recovery(counting{&calls}, all, recoup::on(clock));
    CHECK(kept(1).value() == 3);
    clock.advance(recoup::unlimited / 2);
    CHECK(kept(1).value() == 3);
}

TEST_CASE("a result from the cache takes nothing of a limiter, a breaker or a deadline",
          "[cache]") {
    manual_clock clock;
    auto calls = 0;
    cache<int, int> results;
    recoup::rate_limiter limiter{recoup::token_bucket(1, 1h)};
    recoup::circuit_breaker breaker;
    auto const call = with_recovery(counting{&calls}, results, limiter, breaker,
                                    recoup::deadline{1s}, recoup::on(clock));
    for (auto i = 0; i != 5; ++i) CHECK(call(1).value() == 1);
    CHECK(breaker.snapshot().calls == 1);
    CHECK(call(2).error().code() == recoup::errc::rate_limited);
    CHECK(call(1).value() == 1);
}

TEST_CASE("the least recently used result makes room", "[cache]") {
    auto calls = 0;
    cache<int, int> results{{.capacity = 2}};
    auto const call = with_recovery(counting{&calls}, results);
    CHECK(call(1).value() == 1);
    CHECK(call(2).value() == 2);
    CHECK(call(1).value() == 1);
    CHECK(call(3).value() == 3);
    CHECK(call(1).value() == 1);
    CHECK(call(2).value() == 4);
    CHECK(results.size() == 2);
    CHECK(results.snapshot().evicted == 2);
}

TEST_CASE("whatever is called, invalidated and waited for, a cache is what its plain model is",
          "[cache]") {
    CHECK(rc::check([] {
        manual_clock clock;
        auto const capacity = [] { return *rc::gen::inRange<std::size_t>(1, 6); };
        auto const span = [] { return duration{*rc::gen::inRange<std::int64_t>(0, 20)}; };
        auto options = cache_options{.capacity = capacity(), .time_to_live = span()};
        cache<int, int> results{options};
        plain_cache model{options.capacity, options.time_to_live};
        auto calls = 0;
        auto const call = with_recovery(counting{&calls}, results, recoup::on(clock));
        for (auto step = 0; step != 100; ++step) {
            auto const key = *rc::gen::inRange(0, 10);
            switch (*rc::gen::inRange(0, 12)) {
                case 0: clock.advance(span()); break;
                case 1: RC_ASSERT(results.invalidate(key) == model.invalidate(key)); break;
                case 2:
                    if (step % 5 == 0) {
                        results.clear();
                        model.clear();
                    }
                    break;
                case 3:
                    options.capacity = capacity();
                    options.time_to_live = span();
                    results.change(options);
                    model.change(options.capacity, options.time_to_live);
                    break;
                default:
                    auto const before = calls;
                    RC_ASSERT(call(key).has_value());
                    RC_ASSERT((calls == before) == model.call(key, clock.elapsed()));
            }
            RC_ASSERT(results.size() == model.size());
        }
    }));
}

TEST_CASE("a large cache never holds more than its capacity, in all of its parts", "[cache]") {
    auto calls = 0;
    cache<int, int> results{{.capacity = 2'000}};
    auto const call = with_recovery(counting{&calls}, results);
    for (auto key = 0; key != 5'000; ++key) CHECK(call(key));
    CHECK(results.size() == 2'000);
    results.change({.capacity = 100});
    CHECK(results.size() == 100);
    results.clear();
    CHECK(results.size() == 0);
}

TEST_CASE("failures are kept only where that is asked for, and only those of the callable",
          "[cache]") {
    manual_clock clock;
    auto calls = 0;
    auto fails = recoup::category::not_found;
    cache<int, int> results;
    auto const call = with_recovery(counting{&calls, &fails}, results, once, recoup::on(clock));
    CHECK_FALSE(call(1));
    CHECK_FALSE(call(1));
    CHECK(calls == 2);
    CHECK(results.size() == 0);

    results.change({.failures_for = 5s});
    CHECK(call(1).error().category() == recoup::category::not_found);
    CHECK(call(1).error().attempts() == 1);
    CHECK(calls == 3);
    clock.advance(5s);
    fails = recoup::category::unknown;
    CHECK(call(1).value() == 4);

    recoup::rate_limiter limiter{recoup::token_bucket(1, 1s)};
    cache<int, int> limited{{.failures_for = 1h}};
    auto const rare = with_recovery(counting{&calls}, limited, limiter, once, recoup::on(clock));
    CHECK(rare(1));
    CHECK_FALSE(rare(2));
    clock.advance(1s);
    CHECK(rare(2));
}

TEST_CASE("an expired result stands in for a failure, for as long as it may", "[cache]") {
    manual_clock clock;
    event_recorder seen;
    auto calls = 0;
    auto fails = recoup::category::unknown;
    cache<int, int> results{{.time_to_live = 10s, .stale_if_error = 20s}};
    auto const call =
        with_recovery(counting{&calls, &fails}, results, once, recoup::on(clock), std::ref(seen));
    CHECK(call(1).value() == 1);
    clock.advance(10s);
    fails = recoup::category::network_timeout;
    seen.clear();
    CHECK(call(1).value() == 1);
    CHECK(seen.trace() == trace{"operation_started", "attempt_started 1",
                                "attempt_failed 1 network_timeout",
                                "operation_failed 1 network_timeout attempts_exhausted",
                                "served_stale network_timeout attempts_exhausted"});
    CHECK(calls == 2);
    CHECK(results.snapshot().stale == 1);

    SECTION("not beyond that") {
        clock.advance(20s);
        CHECK_FALSE(call(1));
        CHECK(results.size() == 0);
    }
    SECTION("not where the answer is a no, which it does not outlive") {
        fails = recoup::category::not_found;
        CHECK_FALSE(call(1));
        fails = recoup::category::network_timeout;
        CHECK_FALSE(call(1));
    }
    SECTION("not where it was invalidated") {
        CHECK(results.invalidate(1));
        CHECK_FALSE(call(1));
    }
    SECTION("the call is made again each time, but with failures_for") {
        CHECK(call(1).value() == 1);
        CHECK(calls == 3);
        results.change({.time_to_live = 10s, .failures_for = 5s, .stale_if_error = 20s});
        CHECK(call(1).value() == 1);
        CHECK(calls == 4);
        clock.advance(5s - 1ns);
        CHECK(call(1).value() == 1);
        CHECK(calls == 4);
        clock.advance(1ns);
        CHECK(call(1).value() == 1);
        CHECK(calls == 5);
    }
}

TEST_CASE("the argument is the key, all of them are, or what a function makes of them", "[cache]") {
    auto calls = 0;
    cache<std::string, std::string> texts;
    auto const echo = with_recovery(
        [&](std::string const& text) { return text + std::to_string(++calls); }, texts);
    CHECK(echo("a").value() == "a1");
    CHECK(echo(std::string{"a"}).value() == "a1");
    CHECK(echo(std::string_view{"a"}.data()).value() == "a1");
    CHECK(texts.invalidate("a"));
    CHECK_FALSE(texts.invalidate("a"));

    cache<std::tuple<std::string, long>, int> pairs;
    auto const both = with_recovery([&](std::string const&, int) { return ++calls; }, pairs);
    CHECK(both("a", 1).value() == 2);
    CHECK(both("a", 2).value() == 3);
    CHECK(both("b", 1).value() == 4);
    CHECK(both("a", 1).value() == 2);
    CHECK(pairs.size() == 3);

    auto const shared = std::make_shared<cache<int, int>>();
    auto const lengths = with_recovery(
        [&](std::string const&) { return ++calls; },
        recoup::by(shared, [](std::string const& text) { return static_cast<int>(text.size()); }));
    auto const numbers = with_recovery(counting{&calls}, shared);
    CHECK(lengths("abc").value() == 5);
    CHECK(lengths("xyz").value() == 5);
    CHECK(numbers(3).value() == 5);

    cache<std::tuple<>, int> single;
    auto const nothing = with_recovery([&] { return ++calls; }, single);
    CHECK(nothing().value() == 6);
    CHECK(nothing().value() == 6);
}

TEST_CASE("a function that makes no key ends the call with what it threw", "[cache]") {
    auto calls = 0;
    cache<int, int> results;
    auto const call = with_recovery(
        counting{&calls}, results.by([](int) -> int { throw std::invalid_argument{"no key"}; }));
    auto const outcome = call(1);
    CHECK(outcome.error().message() == "no key");
    CHECK(outcome.error().stopped() == recoup::stop_reason::not_retryable);
    CHECK(outcome.error().attempts() == 0);
    CHECK(calls == 0);
}

TEST_CASE("what retry_if rejects is not kept", "[cache]") {
    auto calls = 0;
    cache<int, int> results;
    auto const call = with_recovery(counting{&calls}, results, once,
                                    recoup::retry_if([](int value) { return value < 3; }));
    CHECK_FALSE(call(1));
    CHECK_FALSE(call(1));
    CHECK(call(1).value() == 3);
    CHECK(call(1).value() == 3);
}

TEST_CASE("a fallback stands outside: it is not kept, and its candidates are looked for",
          "[cache]") {
    auto calls = 0;
    auto fails = recoup::category::network_timeout;
    cache<int, int> results;
    auto const call = with_recovery(counting{&calls, &fails}, results, once, recoup::fallback(-1));
    CHECK(call(1).value() == -1);
    CHECK(results.size() == 0);
    fails = recoup::category::unknown;
    CHECK(call(1).value() == 2);
    CHECK(call(2).value() == 3);

    fails = recoup::category::network_timeout;
    auto const mirrored =
        with_recovery(counting{&calls, &fails}, results, once, recoup::fallback_to({8, 2}));
    CHECK(mirrored(9).value() == 3);
    CHECK(calls == 5);
}

TEST_CASE("in_order has it behind fallbacks, and one call may have another cache", "[cache]") {
    auto calls = 0;
    cache<int, int> results;
    cache<int, int> other;
    auto const call =
        with_recovery(counting{&calls},
                      recoup::in_order(recoup::fallback(-1), results, recoup::deadline{1s}, once));
    CHECK(call(1).value() == 1);
    CHECK(call.with(other)(1).value() == 2);
    CHECK(call(1).value() == 1);
    auto const bare = with_recovery(counting{&calls}, recoup::in_order(recoup::deadline{1s}, once));
    CHECK(bare.with(results)(1).value() == 1);
    CHECK(recoup::explain(call).stages ==
          std::vector<std::string>{
              "fallback",
              "cache: up to 1024 results for 1 min; equal calls wait for one, up to 30 s",
              "deadline: 1 s", "retry: up to 1 attempt", "callable"});
}

TEST_CASE("observers see what comes from the cache", "[cache]") {
    manual_clock clock;
    event_recorder seen;
    auto calls = 0;
    auto fails = recoup::category::not_found;
    cache<int, int> results{{.failures_for = 1s}};
    auto const call =
        with_recovery(counting{&calls, &fails}, results, once, recoup::on(clock), std::ref(seen));
    CHECK_FALSE(call(1));
    seen.clear();
    CHECK_FALSE(call(1));
    fails = recoup::category::unknown;
    CHECK(call(2));
    CHECK(call(2));
    CHECK(seen.trace() == trace{"served_from_cache not_found not_retryable", "operation_started",
                                "attempt_started 1", "operation_succeeded 1", "served_from_cache"});
}

TEST_CASE("a call within itself on the same key runs as if there were no cache", "[cache]") {
    auto depth = 0;
    cache<int, int> results;
    std::function<result<int>(int)> again;
    auto const call = with_recovery(
        [&](int key) -> result<int> {
            if (++depth < 3) return again(key).value() + 1;
            return 10;
        },
        results, once);
    again = [&](int key) { return call(key); };
    CHECK(call(1).value() == 12);
    CHECK(depth == 3);
    CHECK(call(1).value() == 12);
    CHECK(results.snapshot().coalesced == 0);
    CHECK(results.snapshot().misses == 3);
}

TEST_CASE("a value that calls its cache while it is destroyed finds it unlocked", "[cache]") {
    struct caller {
        cache<int, std::shared_ptr<caller>>* in;
        ~caller() { static_cast<void>(in->size()); }
    };
    cache<int, std::shared_ptr<caller>> results{{.capacity = 1}};
    auto const call =
        with_recovery([&](int) { return std::make_shared<caller>(&results); }, results);
    CHECK(call(1));
    CHECK(call(2));
    CHECK(results.invalidate(2));
    CHECK(call(3));
    results.clear();
    CHECK(results.size() == 0);
}

TEST_CASE("a cache says what is wrong with its options", "[cache]") {
    CHECK(complaint_about({.capacity = 0}) ==
          "recoup: cache: capacity is 0, expected 1 to 10000000");
    CHECK(complaint_about({.time_to_live = -1ns}) ==
          "recoup: cache: time_to_live is -1 ns, expected 0 or more");
    CHECK(complaint_about({.failures_for = -1ns}) ==
          "recoup: cache: failures_for is -1 ns, expected 0 or more");
    CHECK(complaint_about({.stale_if_error = -1ns}) ==
          "recoup: cache: stale_if_error is -1 ns, expected 0 or more");
    CHECK(complaint_about({.wait_at_most = -1ns}) ==
          "recoup: cache: wait_at_most is -1 ns, expected 0 or more");
    cache<int, int> parted{{.capacity = 5'000}};
    CHECK_THROWS_WITH(parted.change({.capacity = 4}),
                      "recoup: cache: capacity is 4, expected at least 16, one for each part of "
                      "the table");
    CHECK(parted.options() == cache_options{.capacity = 5'000});
}

}  // namespace cache_test
