// SPDX-License-Identifier: BSL-1.0
#include <recoup/validation.hpp>

#include "validation_support.hpp"

#include <recoup/core/attempt.hpp>
#include <recoup/core/callable.hpp>
#include <recoup/core/result.hpp>
#include <recoup/guard/abandon_after.hpp>
#include <recoup/guard/attempt_timeout.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>

using namespace validation_test;
using Catch::Matchers::ContainsSubstring;

namespace {

/// What is validated here takes 1 ms, in whatever form it comes.
template <class Check, class Callable>
void check_met(planted_machine& machine, Check const& check, Callable&& callable) {
    auto const seen = check.measured_with(machine)(std::forward<Callable>(callable), at_once);
    CHECK(seen.met());
    CHECK(seen.success.attempts == 3);
    CHECK(seen.remarks.empty());
}

struct client {
    planted_machine* machine;
    int fetch(std::string const& url) const {
        machine->time.advance(1ms);
        return static_cast<int>(url.size());
    }
};

}  // namespace

TEST_CASE("callables of every kind that with_recovery takes can be validated") {
    planted_machine machine;
    auto const check = validation::validator{planned()};
    check_met(machine, check, [&] { machine.time.advance(1ms); });
    check_met(machine, check, [&]() -> recoup::result<std::string> {
        machine.time.advance(1ms);
        return "text";
    });
    check_met(machine, check, [&]() -> std::optional<int> {
        machine.time.advance(1ms);
        return 1;
    });
    check_met(machine, check, [&, owned = std::make_unique<int>(5)]() -> int& {
        machine.time.advance(1ms);
        return *owned;
    });
    check_met(machine, check, [&](recoup::attempt& attempt) {
        machine.time.advance(1ms);
        // A bare call finds nothing of the one before it.
        if (attempt.number() != 1 && !attempt.previous_failure()) throw std::logic_error{"number"};
        if (attempt.checkpoint<std::int64_t>()) throw std::logic_error{"checkpoint"};
        attempt.save_checkpoint(std::int64_t{1});
        return 5;
    });
    check_met(machine, check.with(3), recoup::wants_attempt([&](auto&&... all) {
                  machine.time.advance(1ms);
                  return sizeof...(all);
              }));
}

TEST_CASE("arguments are the same for each call, or made for it") {
    planted_machine machine;
    auto const check = validation::validator{planned()};
    auto const client_of_machine = client{&machine};
    check_met(machine, check.with(client_of_machine, "http://example.test/"), &client::fetch);

    auto most = std::uint64_t{0};
    check_met(machine, check.with_each([](std::uint64_t number) {
        return std::tuple{number, std::to_string(number)};
    }),
              [&](std::uint64_t number, std::string const& text) {
                  machine.time.advance(1ms);
                  if (std::to_string(number) != text) throw std::logic_error{"torn"};
                  most = std::max(most, number);
              });
    CHECK(most > 2'000);
}

TEST_CASE("what takes its arguments with it is validated as what is never tried again") {
    planted_machine machine;
    auto const seen = validation::validator{planned()}
                          .with_each([](std::uint64_t) { return std::make_unique<int>(1); })
                          .measured_with(machine)(
                              [&](std::unique_ptr<int> mine) {
                                  machine.time.advance(1ms);
                                  return *mine;
                              },
                              at_once);
    CHECK(seen.overhead.found == finding::met);
    CHECK(seen.success.found == finding::missed);
    CHECK_THAT(remark_of(seen, remark_kind::stopped_early),
               ContainsSubstring("arguments_consumed ended"));
}

TEST_CASE("the same calls are made on both sides") {
    planted_machine machine;
    auto const seen = validation::validator{planned()}
                          .with_each([](std::uint64_t number) { return number; })
                          .measured_with(machine)(
                              [&](std::uint64_t number) {
                                  // What costs more by its number would look like overhead.
                                  machine.time.advance(number % 2 == 0 ? 1ms : 20ms);
                              },
                              at_once);
    CHECK(seen.overhead.control.greatest == Approx(0.0));
    CHECK(seen.overhead.added.greatest == Approx(0.0));
    CHECK(seen.overhead.bare_ns.greatest == Approx(20e6));
}

TEST_CASE("policies that need the real clock or threads of their own can be validated") {
    recoup::abandon_pool pool;
    auto chosen = validation::options{.rounds = 6,
                                      .operations = 60,
                                      .memory_calls = 6,
                                      .recoveries = 2,
                                      .time_limit = 10min,
                                      .batch_at_least = 0us};
    auto const abandoned =
        validation::validator{chosen}([] { return 5; }, at_once, recoup::abandon_after{1min, pool});
    CHECK(abandoned.success.succeeded > 30);
    auto const timed = validation::validator{chosen}([](recoup::attempt&) { return 5; }, at_once,
                                                     recoup::attempt_timeout{1min});
    CHECK(timed.success.succeeded > 30);
}

TEST_CASE("options that make no sense are refused by name") {
    auto const refused = [](auto change) {
        auto chosen = validation::options{};
        change(chosen);
        try {
            static_cast<void>(validation::validator{chosen});
        } catch (std::invalid_argument const& caught) {
            return std::string{caught.what()};
        }
        return std::string{"accepted"};
    };
    CHECK(refused([](auto&) {}) == "accepted");
    CHECK_THAT(refused([](auto& chosen) { chosen.failure_rate = 1.5; }),
               ContainsSubstring("failure_rate is 1.5"));
    CHECK_THAT(refused([](auto& chosen) {
                   chosen.permanent_rate = std::numeric_limits<double>::quiet_NaN();
               }),
               ContainsSubstring("permanent_rate"));
    CHECK_THAT(refused([](auto& chosen) { chosen.rounds = 0; }), ContainsSubstring("rounds is 0"));
    CHECK_THAT(refused([](auto& chosen) { chosen.time_limit = 0s; }),
               ContainsSubstring("time_limit"));
}
