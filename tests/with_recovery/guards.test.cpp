// SPDX-License-Identifier: BSL-1.0
#include <recoup/with_recovery.hpp>

#include <recoup/guard/circuit_breaker.hpp>
#include <recoup/testing/event_recorder.hpp>
#include <recoup/testing/fault_plan.hpp>
#include <recoup/testing/manual_clock.hpp>

#include "support/catch.hpp"
#include "with_recovery/with_recovery_support.hpp"

#include <chrono>
#include <deque>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

// What guards are asked and told: a guard that writes it all down.

namespace {

using namespace std::chrono_literals;
using namespace with_recovery_test;
using recoup::category;
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

auto const quick = retry{.max_attempts = 3, .backoff = recoup::constant(1ms)};

class diary {
  public:
    trace told{};
    std::deque<bool> admits{};  ///< one answer an attempt; yes, where there is none left
    duration wait{};
    int held = 0;

    explicit diary(std::string name = "") : name_{std::move(name)} {}
    diary(diary const&) = delete;
    diary& operator=(diary const&) = delete;

    class permit {
      public:
        explicit permit(diary* of) noexcept : of_{of} {}
        permit(permit&& other) noexcept : of_{std::exchange(other.of_, nullptr)} {}
        permit& operator=(permit&& other) noexcept {
            std::swap(of_, other.of_);
            return *this;
        }
        ~permit() {
            if (!of_) return;
            --of_->held;
            if (!told_) of_->note("returned");
        }
        explicit operator bool() const noexcept { return of_ != nullptr; }
        void succeeded(auto&) noexcept { tell("succeeded"); }
        void failed(category what, bool over, auto&) noexcept {
            tell("failed " + std::string{to_string(what)} + (over ? " finally" : ""));
        }

      private:
        void tell(std::string const& what) {
            told_ = true;
            of_->note(what);
        }
        diary* of_;
        bool told_ = false;
    };

    permit try_acquire(auto&) noexcept {
        auto const admitted = admits.empty() || admits.front();
        if (!admits.empty()) admits.pop_front();
        note(admitted ? "admitted" : "rejected");
        if (!admitted) return permit{nullptr};
        ++held;
        return permit{this};
    }
    duration retry_in(auto&) noexcept { return wait; }
    void operation_failed(category what, auto&) noexcept {
        note("over " + std::string{to_string(what)});
    }

  private:
    void note(std::string what) { told.push_back(name_ + std::move(what)); }
    std::string name_;
};
static_assert(recoup::guard<diary>);

}  // namespace

TEST_CASE("A guard admits each attempt, and learns how it and its operation end") {
    manual_clock clock;
    diary seen;
    fault_plan faults{"fail,ok,fail*"};
    auto const wrapped = with_recovery(faults.wrap(five), quick, seen, recoup::on(clock));
    CHECK(wrapped().has_value());
    CHECK(seen.told == trace{"admitted", "failed network_connection", "admitted", "succeeded"});
    seen.told.clear();
    CHECK_FALSE(wrapped().has_value());
    CHECK(seen.told == trace{"admitted", "failed network_connection", "admitted",
                             "failed network_connection", "admitted",
                             "failed network_connection finally"});
    CHECK(seen.held == 0);
}

TEST_CASE("An operation that is not tried again is over for the guard at once") {
    manual_clock clock;
    diary seen;
    fault_plan faults{"permission"};
    CHECK_FALSE(with_recovery(faults.wrap(five), quick, seen, recoup::on(clock))().has_value());
    CHECK(seen.told == trace{"admitted", "failed permission finally"});
    seen.told.clear();
    auto const limited = [] {
        return result<int>{failure{category::rate_limited}.retry_after(1h)};
    };
    CHECK_FALSE(with_recovery(limited, quick, seen, recoup::deadline{1min}, recoup::on(clock))()
                    .has_value());
    CHECK(seen.told == trace{"admitted", "failed rate_limited finally"});
}

TEST_CASE("An operation that ends between attempts tells the guard so, once") {
    std::stop_source stop;
    manual_clock clock{{.on_wait = [&](duration) { stop.request_stop(); }}};
    diary seen;
    fault_plan faults{"fail*"};
    CHECK_FALSE(with_recovery(faults.wrap(five), quick, seen, recoup::on(clock), stop.get_token())()
                    .has_value());
    CHECK(seen.told == trace{"admitted", "failed network_connection", "over network_connection"});

    manual_clock other;
    diary first{"first "};
    diary second{"second "};
    second.admits = {true, false};
    auto const failed = with_recovery(faults.wrap(five), quick, first, second, recoup::on(other))();
    CHECK(failed.error().stopped() == stop_reason::rejected);
    CHECK(failed.error().category() == category::network_connection);
    CHECK(first.told == trace{"first admitted", "first failed network_connection", "first admitted",
                              "first returned", "first over network_connection"});
    CHECK(second.told == trace{"second admitted", "second failed network_connection",
                               "second rejected", "second over network_connection"});
}

TEST_CASE("A rejection ends the operation, and the callable is not called") {
    manual_clock clock;
    event_recorder events;
    diary seen;
    seen.admits = {false};
    fault_plan faults{"ok"};
    auto const failed =
        with_recovery(faults.wrap(five), quick, seen, recoup::on(clock), std::ref(events))();
    CHECK(failed.error().stopped() == stop_reason::rejected);
    CHECK(failed.error().code() == recoup::errc::rejected);
    CHECK(failed.error().category() == category::service_unavailable);
    CHECK(failed.error().attempts() == 0);
    CHECK(faults.calls() == 0);
    CHECK(seen.told == trace{"rejected"});
    CHECK(events.trace() == trace{"operation_started", "rejected service_unavailable",
                                  "operation_failed service_unavailable rejected"});
}

TEST_CASE("A retry that is told to waits until the guard may admit again") {
    manual_clock clock;
    event_recorder events;
    diary seen;
    seen.admits = {false, true, false, true};
    seen.wait = 30s;
    auto patient = quick;
    patient.max_attempts = 4;
    patient.wait_when_rejected = true;
    fault_plan faults{"fail,ok"};
    auto const wrapped =
        with_recovery(faults.wrap(five), patient, seen, recoup::on(clock), std::ref(events));
    CHECK(wrapped().value() == 5);
    CHECK(clock.waits() == std::vector<duration>{30s, 1ms, 30s});
    CHECK(seen.told == trace{"rejected", "admitted", "failed network_connection", "rejected",
                             "admitted", "succeeded"});
    CHECK(events.trace() ==
          trace{"operation_started", "rejected service_unavailable",
                "retry_scheduled service_unavailable 30s", "attempt_started 1",
                "attempt_failed 1 network_connection", "retry_scheduled 1 network_connection 1ms",
                "rejected 1 service_unavailable", "retry_scheduled 1 network_connection 30s",
                "attempt_started 2", "operation_succeeded 2"});
}

TEST_CASE("Waiting for a guard ends with the budget, the deadline, or when it will never admit") {
    auto patient = quick;
    patient.wait_when_rejected = true;
    auto const end = [&](duration wait, duration total) {
        manual_clock clock;
        diary seen;
        seen.admits = std::deque<bool>(50, false);
        seen.wait = wait;
        auto const failed =
            with_recovery(five, patient, seen, recoup::deadline{total}, recoup::on(clock))();
        CHECK(failed.error().attempts() == 0);
        CHECK(failed.error().code() == recoup::errc::rejected);
        return std::pair{failed.error().stopped(), seen.told.size()};
    };
    CHECK(end(30s, recoup::unlimited) == std::pair{stop_reason::rejected, std::size_t{3}});
    CHECK(end(30s, 45s) == std::pair{stop_reason::deadline, std::size_t{2}});
    CHECK(end(recoup::unlimited, recoup::unlimited) ==
          std::pair{stop_reason::rejected, std::size_t{1}});
}

TEST_CASE("Several guards admit all or none, in the order given") {
    manual_clock clock;
    diary first{"first "};
    diary second{"second "};
    second.admits = {false};
    CHECK_FALSE(with_recovery(five, first, second, recoup::on(clock))().has_value());
    CHECK(first.told == trace{"first admitted", "first returned"});
    CHECK(second.told == trace{"second rejected"});
    CHECK(first.held == 0);
}

TEST_CASE("Outside of retry a guard is asked once an operation") {
    manual_clock clock;
    diary outside{"outside "};
    diary inside{"inside "};
    fault_plan faults{"fail,ok,fail*"};
    auto const wrapped = with_recovery(faults.wrap(five), recoup::in_order(outside, quick, inside),
                                       recoup::on(clock));
    CHECK(wrapped().has_value());
    CHECK(outside.told == trace{"outside admitted", "outside succeeded"});
    CHECK(inside.told == trace{"inside admitted", "inside failed network_connection",
                               "inside admitted", "inside succeeded"});
    outside.told.clear();
    CHECK_FALSE(wrapped().has_value());
    CHECK(outside.told == trace{"outside admitted", "outside failed network_connection finally"});
    outside.told.clear();
    inside.told.clear();
    outside.admits = {false};
    auto const rejected = wrapped();
    CHECK(rejected.error().stopped() == stop_reason::rejected);
    CHECK(outside.told == trace{"outside rejected"});
    CHECK(inside.told.empty());
}

TEST_CASE("A guard outside is told nothing of an operation that made no attempt") {
    manual_clock clock;
    diary outside{"outside "};
    CHECK_FALSE(with_recovery(five, recoup::in_order(outside, recoup::deadline{0s}, quick),
                              recoup::on(clock))()
                    .has_value());
    CHECK(outside.told == trace{"outside admitted", "outside returned"});
    outside.told.clear();
    diary inside{"inside "};
    inside.admits = {false};
    CHECK_FALSE(with_recovery(five, recoup::in_order(outside, quick, inside), recoup::on(clock))()
                    .has_value());
    CHECK(outside.told == trace{"outside admitted", "outside returned"});
}

TEST_CASE("A guard is shared where it is an lvalue, and owned where it is a shared_ptr") {
    manual_clock clock;
    diary seen;
    auto const one = with_recovery(five, seen, recoup::on(clock));
    auto const two = with_recovery(five, seen, recoup::on(clock));
    CHECK((one().has_value() && two().has_value()));
    CHECK(seen.told.size() == 4);
    auto owned = std::make_shared<diary>();
    auto const watched = std::weak_ptr{owned};
    auto const three = with_recovery(five, owned, recoup::on(clock));
    auto const four = three;
    owned.reset();
    CHECK((three().has_value() && four().has_value()));
    CHECK(watched.lock()->told.size() == 4);
}

TEST_CASE("A breaker and a retry cooperate: what is cured does not open it, what is dead does") {
    manual_clock clock;
    recoup::circuit_breaker breaker;
    auto const faults = fault_plan::random({.rate = 0.3, .seed = 5});
    auto const wrapped =
        with_recovery(faults.wrap(five), retry{.max_attempts = 5, .backoff = recoup::constant(0ms)},
                      breaker, recoup::on(clock));
    auto succeeded = 0;
    for (int i = 0; i != 5'000; ++i) succeeded += wrapped().has_value() ? 1 : 0;
    CHECK(succeeded >= 4'960);
    CHECK(breaker.state() == recoup::breaker_state::closed);

    fault_plan dead{"fail*"};
    auto const calls_dead =
        with_recovery(dead.wrap(five), retry{.max_attempts = 5, .backoff = recoup::constant(0ms)},
                      breaker, recoup::on(clock));
    auto calls = 0;
    while (calls_dead().error().attempts() != 0) REQUIRE(++calls <= 100);
    CHECK(calls_dead().error().stopped() == stop_reason::breaker_open);
}

namespace {

/// Guards that note in one list that they were asked.
template <recoup::guard_stage Stage>
struct noted_guard {
    static constexpr recoup::guard_stage stage = Stage;
    trace* asked;

    explicit noted_guard(trace& in) : asked{&in} {}
    noted_guard(noted_guard const&) = delete;
    noted_guard& operator=(noted_guard const&) = delete;

    struct permit {
        explicit operator bool() const noexcept { return true; }
        void succeeded(auto&) noexcept {}
        void failed(category, bool, auto&) noexcept {}
    };
    permit try_acquire(auto&) noexcept {
        asked->push_back(std::to_string(static_cast<int>(Stage)));
        return {};
    }
    duration retry_in(auto&) const noexcept { return {}; }
};

}  // namespace

TEST_CASE("guards are asked by their stages, or as written in in_order", "[with_recovery][guard]") {
    trace asked;
    noted_guard<recoup::guard_stage::room> room_guard{asked};
    noted_guard<recoup::guard_stage::rate> rate_guard{asked};
    noted_guard<recoup::guard_stage::breaker> breaker_guard{asked};
    CHECK(with_recovery(five, room_guard, rate_guard, breaker_guard)());
    CHECK(asked == trace{"0", "1", "2"});
    asked.clear();
    CHECK(with_recovery(five, recoup::in_order(retry{}, room_guard, rate_guard, breaker_guard))());
    CHECK(asked == trace{"2", "1", "0"});
    asked.clear();
    CHECK(with_recovery(five, recoup::in_order(rate_guard, retry{}, room_guard, breaker_guard))());
    CHECK(asked == trace{"1", "2", "0"});
}

TEST_CASE("with replaces a guard by one of its type, and leaves the others",
          "[with_recovery][guard]") {
    trace asked;
    trace others;
    noted_guard<recoup::guard_stage::rate> first{asked};
    noted_guard<recoup::guard_stage::room> room_guard{asked};
    noted_guard<recoup::guard_stage::rate> second{others};
    noted_guard<recoup::guard_stage::breaker> added{others};
    auto const call = with_recovery(five, first, room_guard);
    CHECK(call.with(second)());
    CHECK(asked == trace{"2"});
    CHECK(others == trace{"1"});
    CHECK(call.with(added)());
    CHECK(asked == trace{"2", "1", "2"});
    CHECK(others == trace{"1", "0"});
}
