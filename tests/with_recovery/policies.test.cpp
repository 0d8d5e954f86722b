// SPDX-License-Identifier: BSL-1.0
#include <recoup/with_recovery.hpp>

#include <recoup/classify/rules.hpp>
#include <recoup/guard/circuit_breaker.hpp>
#include <recoup/observe/on_event.hpp>
#include <recoup/retry/retry_if.hpp>
#include <recoup/testing/event_recorder.hpp>
#include <recoup/testing/fault_plan.hpp>
#include <recoup/testing/manual_clock.hpp>

#include "support/catch.hpp"
#include "with_recovery/with_recovery_support.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

// How policies become one callable: in any order, in bundles, for one call, and of one's own making.

namespace {

using namespace std::chrono_literals;
using namespace with_recovery_test;
using recoup::category;
using recoup::deadline;
using recoup::duration;
using recoup::failure;
using recoup::result;
using recoup::retry;
using recoup::stop_reason;
using recoup::with_recovery;
using recoup::testing::event_recorder;
using recoup::testing::fault_plan;
using recoup::testing::manual_clock;
using trace = std::vector<std::string>;
using delays = std::vector<duration>;

}  // namespace

TEST_CASE("field pain 11: the order of policies changes nothing", "[field]") {
    auto const strict =
        recoup::default_rules().on(std::errc::connection_reset, category::rate_limited);
    auto const traces = [&](auto make) {
        manual_clock clock;
        recoup::circuit_breaker breaker;
        event_recorder seen;
        fault_plan faults{"fail*"};
        // Each gives the failure a code only, so that the rules decide.
        auto const callable = [&]() -> result<int> {
            static_cast<void>(faults.next());
            return reset;
        };
        auto const wrapped = make(callable, by_ten, deadline{1h}, breaker, strict,
                                  recoup::on(clock), std::ref(seen));
        CHECK(wrapped().error().category() == category::rate_limited);
        return seen.trace();
    };
    auto const one = traces([](auto& f, auto r, auto d, auto& b, auto c, auto t, auto o) {
        return with_recovery(f, r, d, b, c, t, o);
    });
    auto const two = traces([](auto& f, auto r, auto d, auto& b, auto c, auto t, auto o) {
        return with_recovery(f, o, t, c, b, d, r);
    });
    auto const three = traces([](auto& f, auto r, auto d, auto& b, auto c, auto t, auto o) {
        return with_recovery(f, b, o, r, c, t, d);
    });
    CHECK(one.size() == 10);
    CHECK(one == two);
    CHECK(one == three);
}

TEST_CASE("A bundle serves many callables, and shares what it holds") {
    manual_clock clock;
    event_recorder seen;
    auto own = std::make_shared<recoup::circuit_breaker>();
    auto const common = recoup::policies(by_ten, own, recoup::on(clock), std::ref(seen));
    auto const one = with_recovery(five, common);
    auto const two = with_recovery(
        [](int x) -> result<int> { return x < 0 ? result<int>{reset} : result<int>{x}; }, common,
        deadline{1h});
    CHECK(one().value() == 5);
    CHECK(two(3).value() == 3);
    CHECK(two(-3).error().attempts() == 3);
    CHECK(own->snapshot().calls == 3);
    CHECK(clock.waits() == delays{10ms, 20ms});
    auto const nested = recoup::policies(common, deadline{1h});
    CHECK(with_recovery(five, nested)().value() == 5);
}

TEST_CASE("with() replaces a policy for one call, and leaves the wrapper as it is") {
    manual_clock clock;
    fault_plan faults{"fail*"};
    auto const wrapped = with_recovery(faults.wrap(five), by_ten, deadline{1h}, recoup::on(clock));
    CHECK(wrapped.with(retry{.max_attempts = 1})().error().attempts() == 1);
    CHECK(wrapped.with(deadline{15ms})().error().stopped() == stop_reason::deadline);
    std::stop_source stop;
    stop.request_stop();
    CHECK(wrapped.with(stop.get_token())().error().stopped() == stop_reason::cancelled);
    CHECK(wrapped.with(deadline{5s}, stop.get_token())().error().stopped() ==
          stop_reason::cancelled);
    CHECK(
        wrapped
            .with(recoup::default_rules().on(category::network_connection, category::permission))()
            .error()
            .stopped() == stop_reason::not_retryable);
    CHECK(wrapped().error().attempts() == 3);
    CHECK(wrapped.with()().error().attempts() == 3);
    manual_clock other;
    CHECK(wrapped.with(recoup::on(other))().error().attempts() == 3);
    CHECK(other.waits() == delays{10ms, 20ms});
}

TEST_CASE("with() adds observers, and can be applied again") {
    manual_clock clock;
    auto seen = std::string{};
    auto const note = [&](char who) {
        return recoup::on_event([&seen, who](recoup::event const& what) {
            if (what.kind == recoup::event_kind::operation_started) seen += who;
        });
    };
    auto const wrapped = with_recovery(five, note('a'), note('b'));
    CHECK(wrapped.with(note('c'))().has_value());
    CHECK(seen == "abc");
    seen.clear();
    CHECK(wrapped.with(note('c')).with(note('d'), deadline{1s})().has_value());
    CHECK(seen == "abcd");
    seen.clear();
    CHECK(wrapped().has_value());
    CHECK(seen == "ab");
}

TEST_CASE("with() keeps a written order, and finds the place of what it adds") {
    manual_clock clock;
    recoup::circuit_breaker breaker;
    fault_plan faults{"fail*"};
    auto const wrapped =
        with_recovery(faults.wrap(five), recoup::in_order(breaker, by_ten), recoup::on(clock));
    CHECK(wrapped.with(deadline{15ms})().error().stopped() == stop_reason::deadline);
    CHECK(wrapped.with(retry{.max_attempts = 1})().error().attempts() == 1);
    CHECK(breaker.snapshot().calls == 2);  // once an operation
}

TEST_CASE("with() works on a callable that cannot be copied, and wants the attempt") {
    auto const wrapped =
        with_recovery([number = std::make_unique<int>(7)](recoup::attempt& current) {
            return *number + static_cast<int>(current.number());
        });
    CHECK(wrapped.with(deadline{1h})().value() == 8);
    struct thing {
        int size() const { return 3; }
    };
    CHECK(with_recovery(&thing::size).with(deadline{1h})(thing{}).value() == 3);
}

TEST_CASE("A retry policy of one's own decides") {
    struct stubborn {
        recoup::verdict decide(recoup::failed_attempt const& seen) const noexcept {
            if (seen.attempt == 4) return {.why = stop_reason::budget_empty};
            return {.retry = true, .delay = seen.attempt * 1s, .why = stop_reason::none};
        }
    };
    manual_clock clock;
    auto const failed = with_recovery([]() -> result<int> { return failure{category::permission}; },
                                      stubborn{}, recoup::on(clock))();
    CHECK(failed.error().stopped() == stop_reason::budget_empty);
    CHECK(clock.waits() == delays{1s, 2s, 3s});
}

TEST_CASE("A backoff of one's own says how long") {
    struct squares {
        duration delay(recoup::backoff_step step) const noexcept {
            return step.retry * step.retry * 1s;
        }
        duration longest() const noexcept { return 1h; }
    };
    static_assert(recoup::backoff_policy<squares>);
    manual_clock clock;
    fault_plan faults{"fail*"};
    CHECK_FALSE(with_recovery(faults.wrap(five), retry{.max_attempts = 4, .backoff = squares{}},
                              recoup::on(clock))()
                    .has_value());
    CHECK(clock.waits() == delays{1s, 4s, 9s});
}

TEST_CASE("A classifier of one's own tells the category, as an lvalue, a value or shared") {
    struct all_final {
        recoup::classification classify(failure const&) const noexcept {
            return {.category = category::configuration};
        }
    };
    static_assert(recoup::error_classifier<all_final>);
    manual_clock clock;
    auto const own = all_final{};
    auto const broken = []() -> result<int> { return reset; };
    CHECK(with_recovery(broken, own, recoup::on(clock))().error().stopped() ==
          stop_reason::not_retryable);
    CHECK(with_recovery(broken, all_final{}, recoup::on(clock))().error().category() ==
          category::configuration);
    CHECK(with_recovery(broken, std::make_shared<all_final>(), recoup::on(clock))()
              .error()
              .attempts() == 1);
    CHECK(with_recovery(broken, std::make_shared<recoup::classifier const>(), recoup::on(clock))()
              .error()
              .attempts() == 3);
}

TEST_CASE("Observers of every make see events: functions, objects with state, shared ones") {
    struct counter {
        int events = 0;
        void operator()(recoup::event const&) { ++events; }
    };
    auto by_lambda = 0;
    auto own = counter{};
    auto shared = std::make_shared<counter>();
    auto const wrapped = with_recovery(
        five, [&](recoup::event const&) { ++by_lambda; }, std::ref(own), shared,
        recoup::on_event([n = 0](recoup::event const&) mutable { return ++n; }));
    CHECK(wrapped().has_value());
    CHECK(by_lambda == 3);
    CHECK(own.events == 3);
    CHECK(shared->events == 3);
}

TEST_CASE("An observer with state that is given as a value counts on in the wrapper") {
    auto last = 0;
    auto const wrapped =
        with_recovery(five, [&last, n = 0](recoup::event const&) mutable { last = ++n; });
    CHECK((wrapped().has_value() && wrapped().has_value()));
    CHECK(last == 6);
}

TEST_CASE("An observer that throws harms nobody, and the others still see") {
    manual_clock clock;
    event_recorder before;
    event_recorder after;
    fault_plan faults{"fail,ok"};
    auto const wrapped = with_recovery(
        faults.wrap(five), by_ten, recoup::on(clock), std::ref(before),
        recoup::on_event([](recoup::event const&) { throw std::runtime_error{"observer"}; }),
        [](recoup::event const&) { throw 1; }, std::ref(after));
    CHECK(wrapped().value() == 5);
    CHECK(before.trace() == after.trace());
    CHECK(after.trace().size() == 6);
}

TEST_CASE("on_retry sees the retries, each with its failure and delay") {
    manual_clock clock;
    auto seen = trace{};
    fault_plan faults{"fail,rate_limited,ok"};
    auto const note = recoup::on_retry([&](recoup::event const& what) {
        seen.push_back(std::to_string(what.attempt) + " " +
                       std::string{to_string(what.failure->category())} + " " +
                       std::to_string(what.delay / 1ms));
    });
    CHECK(with_recovery(faults.wrap(five), by_ten, note, recoup::on(clock))().has_value());
    CHECK(seen == trace{"1 network_connection 10", "2 rate_limited 20"});
}

TEST_CASE("retry_if calls values failures: by bool, by category, by a failure of one's own") {
    manual_clock clock;
    auto statuses = std::vector<int>{503, 429, 200};
    auto calls = std::size_t{0};
    auto const fetch = [&] { return statuses[calls++]; };
    CHECK(with_recovery(fetch, by_ten, recoup::retry_if([](int status) { return status != 200; }),
                        recoup::on(clock))()
              .value() == 200);
    calls = 0;
    auto const by_category = recoup::retry_if([](int status) -> std::optional<category> {
        if (status == 503) return category::service_unavailable;
        if (status == 429) return category::permission;
        return std::nullopt;
    });
    auto const denied = with_recovery(fetch, by_ten, by_category, recoup::on(clock))();
    CHECK(denied.error().category() == category::permission);
    CHECK(denied.error().code() == recoup::errc::value_rejected);
    CHECK(denied.error().attempts() == 2);
    calls = 0;
    auto const by_failure = recoup::retry_if([](int status) -> std::optional<failure> {
        if (status == 200) return std::nullopt;
        return failure{category::rate_limited, "status " + std::to_string(status)}.retry_after(7s);
    });
    manual_clock other;
    CHECK(with_recovery(fetch, by_ten, by_failure, recoup::on(other))().value() == 200);
    CHECK(other.waits() == delays{7s, 7s});
}

TEST_CASE("Several retry_if are asked in turn, and one that throws is a failure") {
    manual_clock clock;
    auto const above = recoup::retry_if([](int x) -> std::optional<category> {
        if (x > 10) return category::invalid_input;
        return std::nullopt;
    });
    auto const below = recoup::retry_if([](int x) -> std::optional<category> {
        if (x < 0) return category::not_found;
        return std::nullopt;
    });
    auto const wrapped = with_recovery([](int x) { return x; }, above, below, recoup::on(clock));
    CHECK(wrapped(5).value() == 5);
    CHECK(wrapped(11).error().category() == category::invalid_input);
    CHECK(wrapped(-1).error().category() == category::not_found);
    auto const throws = recoup::retry_if([](int) -> bool { throw std::logic_error{"predicate"}; });
    CHECK(with_recovery([](int x) { return x; }, throws, recoup::on(clock))(1).error().category() ==
          category::defect);
}
