// SPDX-License-Identifier: BSL-1.0
#include <recoup/with_recovery.hpp>

#include <recoup/testing/manual_clock.hpp>

#include "support/catch.hpp"
#include "with_recovery/with_recovery_support.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

// Every kind of callable, called as it wants to be, and called again.

namespace {

using namespace std::chrono_literals;
using namespace with_recovery_test;
using recoup::attempt;
using recoup::category;
using recoup::failure;
using recoup::result;
using recoup::retry;
using recoup::stop_reason;
using recoup::with_recovery;

int twice(int x) { return 2 * x; }
int twice_noexcept(int x) noexcept { return 2 * x; }
int overloaded(int) { return 1; }
int overloaded(std::string const&) { return 2; }

struct account {
    int balance = 10;
    int get() const { return balance; }
    int add(int more) { return balance += more; }
    int& self() { return balance; }
    int noisy() noexcept { return ++balance; }
    int consume() && { return std::exchange(balance, 0); }
    virtual int kind() const { return 1; }
    virtual ~account() = default;
};
struct special_account : account {
    int kind() const override { return 2; }
};

/// Fails `failures` times, then gives what it is called with.
struct flaky {
    int failures;
    int calls = 0;
    template <class T>
    result<T> operator()(T const& value) {
        if (calls++ < failures) return reset;
        return value;
    }
};

}  // namespace

TEST_CASE("Functions are called, overloaded ones through a lambda, noexcept ones too") {
    CHECK(with_recovery(twice)(4).value() == 8);
    CHECK(with_recovery(&twice)(4).value() == 8);
    CHECK(with_recovery(twice_noexcept)(4).value() == 8);
    CHECK(with_recovery(static_cast<int (*)(std::string const&)>(overloaded))("x").value() == 2);
    auto const either = with_recovery([](auto const& x) { return overloaded(x); });
    CHECK(either(1).value() == 1);
    CHECK(either(std::string{"x"}).value() == 2);
    auto const held = with_recovery(std::function<int(int)>{twice});
    CHECK(held(3).value() == 6);
}

TEST_CASE("Member functions and data members are called as std::invoke calls them") {
    auto mine = account{};
    CHECK(with_recovery(&account::get)(mine).value() == 10);
    CHECK(with_recovery(&account::get)(&mine).value() == 10);
    CHECK(with_recovery(&account::get)(std::ref(mine)).value() == 10);
    CHECK(with_recovery(&account::get)(std::make_unique<account>()).value() == 10);
    CHECK(with_recovery(&account::add)(mine, 5).value() == 15);
    CHECK(mine.balance == 15);
    CHECK(with_recovery(&account::noisy)(mine).value() == 16);
    auto const& constant = mine;
    CHECK(with_recovery(&account::get)(constant).value() == 16);
    result<int&> const data = with_recovery(&account::balance)(mine);
    CHECK(&data.value().get() == &mine.balance);
    result<int&> const self = with_recovery(&account::self)(mine);
    CHECK(&self.value().get() == &mine.balance);
    auto const special = special_account{};
    CHECK(with_recovery(&account::kind)(special).value() == 2);
    CHECK(with_recovery(&account::consume)(account{}).value() == 10);
}

TEST_CASE("Function objects keep their state from attempt to attempt, and copies have their own") {
    auto const wrapped = with_recovery(flaky{.failures = 2}, at_once);
    CHECK(wrapped(std::string{"x"}).value() == "x");
    auto const copy = wrapped;
    CHECK(copy(5).value() == 5);
    auto counting = with_recovery([n = 0]() mutable { return ++n; });
    CHECK(counting().value() == 1);
    CHECK(counting().value() == 2);
    auto const other = counting;
    CHECK(other().value() == 3);
    CHECK(counting().value() == 3);
}

TEST_CASE("Callables that cannot be copied are moved in, and can be shared by reference") {
    auto const wrapped = with_recovery([number = std::make_unique<int>(7)] { return *number; });
    CHECK(wrapped().value() == 7);
    auto moved = with_recovery([number = std::make_unique<int>(8)] { return *number; });
    auto const other = std::move(moved);
    CHECK(other().value() == 8);
    static_assert(!std::is_copy_constructible_v<decltype(moved)>);
    auto own = flaky{.failures = 1};
    CHECK(with_recovery(std::ref(own), at_once)(1).value() == 1);
    CHECK(own.calls == 2);
}

TEST_CASE("A wrapper can be called only with what its callable takes") {
    auto const wrapped = with_recovery(twice);
    static_assert(std::is_invocable_v<decltype(wrapped) const&, int>);
    static_assert(!std::is_invocable_v<decltype(wrapped) const&, std::string>);
    static_assert(!std::is_invocable_v<decltype(wrapped) const&>);
    static_assert(std::is_same_v<decltype(wrapped(1)), result<int>>);
    SUCCEED();
}

TEST_CASE("Every attempt sees the caller's very arguments, and no retry sees a moved-from one") {
    auto text = std::string{"a text that is too long for the small buffer"};
    auto const* const address = &text;
    auto seen = std::vector<std::string const*>{};
    auto const wrapped = with_recovery(
        [&](std::string const& given) -> result<int> {
            seen.push_back(&given);
            if (seen.size() < 3) return reset;
            return static_cast<int>(given.size());
        },
        at_once);
    CHECK(wrapped(text).value() == 44);
    CHECK(seen == std::vector{address, address, address});

    auto sizes = std::vector<std::size_t>{};
    auto const by_value = with_recovery(
        [&](std::string given) -> result<int> {
            sizes.push_back(given.size());
            given = {};
            if (sizes.size() < 3) return reset;
            return 0;
        },
        at_once);
    CHECK(by_value(std::string{"a text that is too long for the small buffer"}).has_value());
    CHECK(sizes == std::vector<std::size_t>{44, 44, 44});
}

TEST_CASE(
    "An argument that only an rvalue can pass is moved into the first attempt, the only one") {
    auto calls = 0;
    auto const wrapped = with_recovery(
        [&](std::unique_ptr<int> number) -> result<int> {
            ++calls;
            if (*number < 0) return reset;
            return *number;
        },
        at_once);
    CHECK(wrapped(std::make_unique<int>(3)).value() == 3);
    auto const failed = wrapped(std::make_unique<int>(-3));
    CHECK(failed.error().stopped() == stop_reason::arguments_consumed);
    CHECK(failed.error().category() == category::network_connection);
    CHECK(failed.error().attempts() == 1);
    CHECK(calls == 2);

    auto const final = with_recovery(
        [](std::unique_ptr<int>) -> result<int> { return failure{category::permission}; });
    CHECK(final(std::make_unique<int>(1)).error().stopped() == stop_reason::not_retryable);
    auto const once = with_recovery([](std::unique_ptr<int>) -> result<int> { return reset; },
                                    retry{.max_attempts = 1});
    CHECK(once(std::make_unique<int>(1)).error().stopped() == stop_reason::attempts_exhausted);
}

TEST_CASE("An argument that cannot be copied passes by reference to every attempt") {
    auto calls = 0;
    auto const wrapped = with_recovery(
        [&](std::unique_ptr<int>& number, std::unique_ptr<int> const& other) -> result<int> {
            if (++calls < 3) return reset;
            return *number + *other;
        },
        at_once);
    CHECK(wrapped(std::make_unique<int>(1), std::make_unique<int>(2)).value() == 3);
    CHECK(calls == 3);
}

TEST_CASE("The attempt comes first where the callable wants it, and counts") {
    auto numbers = std::vector<std::uint32_t>{};
    auto previous = std::vector<category>{};
    auto const wrapped = with_recovery(
        [&](attempt& current, int x) -> result<int> {
            numbers.push_back(current.number());
            if (current.previous_failure())
                previous.push_back(current.previous_failure()->category());
            CHECK_FALSE(current.resumed());
            CHECK(current.remaining() == recoup::unlimited);
            CHECK_FALSE(current.stop_token().stop_possible());
            if (current.number() < 3) return reset;
            return x;
        },
        at_once);
    CHECK(wrapped(5).value() == 5);
    CHECK(wrapped(6).value() == 6);
    CHECK(numbers == std::vector<std::uint32_t>{1, 2, 3, 1, 2, 3});
    CHECK(previous == std::vector{category::network_connection, category::network_connection,
                                  category::network_connection, category::network_connection});
}

TEST_CASE(
    "A callable that could be called either way gets the attempt only where it was asked for") {
    auto either = [](auto&&... all) { return sizeof...(all); };
    CHECK(with_recovery(either)(1, 2).value() == 2);
    CHECK(with_recovery(recoup::wants_attempt(either))(1, 2).value() == 3);
    auto const bare =
        with_recovery(recoup::wants_attempt([](auto&&... all) { return sizeof...(all); }));
    CHECK(bare().value() == 1);
    CHECK(bare.with(recoup::retry{})(1).value() == 2);
}

TEST_CASE("Checkpoint and token pass from attempt to attempt of one call, and not to the next") {
    auto tokens = std::vector<std::string>{};
    auto checkpoints = std::vector<int>{};
    auto const wrapped = with_recovery(
        [&](attempt& current) -> result<void> {
            tokens.push_back(current.idempotency_token());
            checkpoints.push_back(current.checkpoint<int>().value_or(0));
            current.save_checkpoint(checkpoints.back() + 10);
            if (current.number() < 3) return reset;
            return recoup::success();
        },
        at_once);
    CHECK(wrapped().has_value());
    CHECK(checkpoints == std::vector{0, 10, 20});
    CHECK(tokens[0] == tokens[1]);
    CHECK(tokens[0] == tokens[2]);
    CHECK(wrapped().has_value());
    CHECK(checkpoints == std::vector{0, 10, 20, 0, 10, 20});
    CHECK(tokens[3] != tokens[0]);
}

TEST_CASE("Exceptions become failures that give them back") {
    struct own : std::runtime_error {
        using std::runtime_error::runtime_error;
    };
    auto const throwing = with_recovery([]() -> int { throw own{"mine"}; }, at_once);
    auto const failed = throwing();
    CHECK_THROWS_AS(failed.value(), own);
    CHECK(failed.error().message() == "mine");
    CHECK(failed.error().attempts() == 3);

    auto const odd = with_recovery([]() -> int { throw 42; }, at_once);
    CHECK_THROWS_AS(odd().value(), int);

    auto const system =
        with_recovery([]() -> int { throw std::system_error{reset, "what"}; }, at_once)();
    CHECK(system.error().code() == reset);
    CHECK(system.error().category() == category::network_connection);
    CHECK_THROWS_AS(system.value(), std::system_error);

    auto calls = 0;
    auto const defect = with_recovery(
        [&]() -> int {
            ++calls;
            throw std::logic_error{"mistake"};
        },
        at_once)();
    CHECK(defect.error().stopped() == stop_reason::not_retryable);
    CHECK(calls == 1);
    CHECK_THROWS_AS(defect.value(), std::logic_error);
}

TEST_CASE("What value() of another result throws is the failure that it came from") {
    auto calls = 0;
    auto const wrapped = with_recovery(
        [&]() -> int {
            ++calls;
            return result<int>{failure{category::permission, "denied"}}.value();
        },
        at_once);
    auto const failed = wrapped();
    CHECK(failed.error().category() == category::permission);
    CHECK(failed.error().message() == "denied");
    CHECK(failed.error().stopped() == stop_reason::not_retryable);
    CHECK(calls == 1);
}

TEST_CASE("A wrapped callable in a wrapped callable gives one result") {
    auto const inner = with_recovery([](int x) -> result<int> {
        if (x < 0) return failure{category::not_found};
        return x;
    });
    auto const outer = with_recovery(inner, at_once);
    static_assert(std::is_same_v<decltype(outer(1)), result<int>>);
    CHECK(outer(1).value() == 1);
    CHECK(outer(-1).error().category() == category::not_found);
    CHECK(outer(-1).error().attempts() == 1);
}

TEST_CASE("A wrapper fits into a std::function, and calls itself") {
    std::function<result<int>(int)> sum;
    sum = with_recovery([&](int n) -> result<int> {
        if (n == 0) return 0;
        return n + sum(n - 1).value();
    });
    CHECK(sum(10).value() == 55);
}
