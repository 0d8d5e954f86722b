// SPDX-License-Identifier: BSL-1.0
#include <recoup/testing/fault_plan.hpp>

#include <recoup/core/attempt.hpp>
#include <recoup/core/callable.hpp>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <type_traits>
#include <vector>

#include "support/catch.hpp"

using recoup::category;
using recoup::result;
using recoup::testing::fault_plan;
using recoup::testing::faulty;

namespace {

// What the plan says for the next attempts, in words.
std::vector<std::string> outcomes(fault_plan const& plan, int count) {
    std::vector<std::string> words;
    for (int i = 0; i < count; ++i) {
        try {
            auto const next = plan.next();
            words.emplace_back(next ? "ok" : to_string(next.error().category()));
        } catch (std::system_error const&) {
            words.emplace_back("throw");
        }
    }
    return words;
}

std::string complaint(std::string const& script) {
    try {
        fault_plan const plan{script};
    } catch (std::invalid_argument const& caught) {
        return caught.what();
    }
    return {};
}

int twice(int number) { return 2 * number; }

struct counter {
    int calls = 0;
    int add(int more) { return calls += more; }
};

using list = std::vector<std::string>;

}  // namespace

TEST_CASE("a fault plan follows its script, and is ok beyond its end", "[fault_plan]") {
    CHECK(outcomes(fault_plan{"fail,fail,ok"}, 5) ==
          list{"network_connection", "network_connection", "ok", "ok", "ok"});
    CHECK(outcomes(fault_plan{"ok"}, 2) == list{"ok", "ok"});
    CHECK(outcomes(fault_plan{"ok, fail ,ok"}, 4) == list{"ok", "network_connection", "ok", "ok"});
}

TEST_CASE("a word is repeated as often as it says", "[fault_plan]") {
    CHECK(outcomes(fault_plan{"rate_limited*3,ok*2,permission"}, 7) ==
          list{"rate_limited", "rate_limited", "rate_limited", "ok", "ok", "permission", "ok"});
    CHECK(outcomes(fault_plan{"fail*0,disk_full"}, 2) == list{"disk_full", "ok"});
    CHECK(outcomes(fault_plan{"ok,corruption*"}, 4) ==
          list{"ok", "corruption", "corruption", "corruption"});
}

TEST_CASE("every category is a word", "[fault_plan]") {
    for (std::size_t i = 0; i != recoup::category_count; ++i) {
        auto const name = std::string{to_string(static_cast<category>(i))};
        CHECK(outcomes(fault_plan{name}, 1) == list{name});
    }
}

TEST_CASE("a planned failure is classified and carries what a real one does", "[fault_plan]") {
    auto const failed = fault_plan{"fail"}.next();
    REQUIRE(failed.has_error());
    CHECK(failed.error().category() == category::network_connection);
    CHECK(failed.error().code() == std::errc::connection_reset);
    CHECK_FALSE(fault_plan{"permission"}.next().error().code());
}

TEST_CASE("a planned exception is a system error", "[fault_plan]") {
    fault_plan const plan{"throw,ok"};
    auto wrapped = plan.wrap(twice);
    try {
        static_cast<void>(wrapped(1));
        FAIL("nothing was thrown");
    } catch (std::system_error const& caught) {
        CHECK(caught.code() == std::errc::connection_reset);
    }
    CHECK(wrapped(4).value() == 8);
}

TEST_CASE("a bad script is refused with what is wrong and where", "[fault_plan]") {
    using Catch::Matchers::ContainsSubstring;
    auto const expected_word =
        ContainsSubstring("expected ok, fail, throw or the name of a category");
    CHECK_THAT(complaint(""), ContainsSubstring("position 0") && expected_word);
    CHECK_THAT(complaint("fail,,ok"), ContainsSubstring("position 5") && expected_word);
    CHECK_THAT(complaint("fail,ok,"), ContainsSubstring("position 8") && expected_word);
    CHECK_THAT(complaint("fail,flop,ok"),
               ContainsSubstring("\"fail,flop,ok\" at position 5") && expected_word);
    CHECK_THAT(complaint("Fail"), ContainsSubstring("position 0") && expected_word);
    CHECK_THAT(complaint("fail ok"), ContainsSubstring("position 5: expected ',' or the end"));
    CHECK_THAT(complaint("fail*2x"), ContainsSubstring("position 6: expected ',' or the end"));
    CHECK_THAT(complaint("fail*,ok"), ContainsSubstring("only the last word may repeat for ever"));
    CHECK_THAT(complaint("fail*99999999999999999999"), ContainsSubstring("at most 1000000000"));
    std::string endless = "ok";
    for (int i = 0; i < 10'000; ++i) endless += ",ok";
    CHECK_THAT(complaint(endless), ContainsSubstring("at most 10000 words"));
    CHECK(complaint("fail,fail,ok").empty());
}

TEST_CASE("a wrapped callable returns a result of what the callable returns", "[fault_plan]") {
    fault_plan const plan{"ok"};
    int target = 0;
    auto const number = plan.wrap(twice);
    auto const nothing = plan.wrap([] {});
    auto const reference = plan.wrap([&]() -> int& { return target; });
    auto const already = plan.wrap([]() -> result<std::string> { return std::string{"text"}; });
    auto const maybe = plan.wrap(
        [](bool there) -> std::optional<int> { return there ? std::optional{3} : std::nullopt; });
    static_assert(std::same_as<decltype(number(1)), result<int>>);
    static_assert(std::same_as<decltype(nothing()), result<void>>);
    static_assert(std::same_as<decltype(reference()), result<int&>>);
    static_assert(std::same_as<decltype(already()), result<std::string>>);
    static_assert(std::same_as<decltype(maybe(true)), result<int>>);
    CHECK(number(21).value() == 42);
    CHECK(nothing().has_value());
    CHECK(&reference().value().get() == &target);
    CHECK(already().value() == "text");
    CHECK(maybe(true).value() == 3);
    CHECK(maybe(false).error().code() == recoup::errc::no_value);
}

TEST_CASE("a wrapped callable is invocable exactly as the callable is", "[fault_plan]") {
    using recoup::detail::call_form;
    using recoup::detail::call_form_of;
    auto const plain = [](int) {};
    auto const with_attempt = [](recoup::attempt&, int) {};
    auto const takes_rvalue = [](std::unique_ptr<int>&&) {};
    auto only_mutable = [calls = 0](int) mutable { return ++calls; };
    static_assert(call_form_of<faulty<decltype(plain)>, int> == call_form::plain);
    static_assert(call_form_of<faulty<decltype(with_attempt)>, int> == call_form::attempt);
    static_assert(call_form_of<faulty<decltype(takes_rvalue)>, std::unique_ptr<int>> ==
                  call_form::consumed);
    static_assert(call_form_of<faulty<decltype(only_mutable)>, int> == call_form::plain);
    static_assert(call_form_of<faulty<decltype(plain)>, std::string> == call_form::none);
    static_assert(!std::is_invocable_v<faulty<decltype(only_mutable)> const&, int>);
    static_assert(std::is_invocable_v<faulty<int (*)(int)> const&, int>);
    static_assert(std::is_invocable_v<faulty<int (counter::*)(int)> const&, counter&, int>);

    counter counted;
    CHECK(fault_plan{"ok"}.wrap(&counter::add)(counted, 5).value() == 5);
    auto wrapped = fault_plan{"fail,ok"}.wrap(only_mutable);
    CHECK(wrapped(0).has_error());
    CHECK(wrapped(0).value() == 1);  // the callable was not called while the plan said no
    auto const moved = fault_plan{"ok"}.wrap(
        [held = std::make_unique<int>(9)](std::unique_ptr<int>&& given) { return *held + *given; });
    CHECK(moved(std::make_unique<int>(1)).value() == 10);
}

TEST_CASE("what the callable throws passes", "[fault_plan]") {
    auto const wrapped = fault_plan{"ok"}.wrap([]() -> int { throw std::out_of_range{"mine"}; });
    CHECK_THROWS_AS(wrapped(), std::out_of_range);
}

TEST_CASE("copies and wrapped callables share one count", "[fault_plan]") {
    fault_plan const plan{"fail,ok,fail,ok"};
    auto const copy = plan;
    auto const first = plan.wrap(twice);
    auto const second = copy.wrap(twice);
    CHECK(first(1).has_error());
    CHECK(second(1).has_value());
    CHECK(first(1).has_error());
    CHECK(second(1).has_value());
    CHECK(plan.calls() == 4);
    CHECK(copy.injected() == 2);
}

TEST_CASE("faults by chance are as frequent as they should be", "[fault_plan]") {
    constexpr int draws = 100'000;
    auto const plan = fault_plan::random({.rate = 0.3, .seed = 42, .permanent = 0.05});
    auto const words = outcomes(plan, draws);
    auto const transient = std::count(words.begin(), words.end(), "network_connection");
    auto const permanent = std::count(words.begin(), words.end(), "invalid_input");
    auto const ok = std::count(words.begin(), words.end(), "ok");
    CHECK(transient + permanent + ok == draws);
    CHECK(std::abs(transient - 30'000) < 5 * 145);  // five standard deviations
    CHECK(std::abs(permanent - 5'000) < 5 * 69);
    CHECK(plan.calls() == draws);
    CHECK(plan.injected() == static_cast<std::uint64_t>(transient + permanent));

    // Independent: a failure after a failure is as likely as after a success.
    long after_failure = 0;
    long pairs = 0;
    for (std::size_t i = 1; i < words.size(); ++i)
        if (words[i - 1] != "ok") {
            ++pairs;
            after_failure += words[i] != "ok" ? 1 : 0;
        }
    CHECK(std::abs(static_cast<double>(after_failure) / static_cast<double>(pairs) - 0.35) <
          0.0128);
}

TEST_CASE("equal seeds give equal faults, and the ends of the rates hold", "[fault_plan]") {
    auto const of_seed = [](std::uint64_t seed) {
        return outcomes(fault_plan::random({.rate = 0.5, .seed = seed}), 200);
    };
    CHECK(of_seed(1) == of_seed(1));
    CHECK(of_seed(1) != of_seed(2));
    CHECK(outcomes(fault_plan::random({.rate = 0}), 3) == list{"ok", "ok", "ok"});
    CHECK(
        outcomes(fault_plan::random({.rate = 0, .permanent = 1, .permanent_as = category::defect}),
                 2) == list{"defect", "defect"});
    CHECK(outcomes(fault_plan::random({.rate = 1, .transient_as = category::network_dns}), 2) ==
          list{"network_dns", "network_dns"});
}

TEST_CASE("rates that are no shares are refused", "[fault_plan]") {
    auto const none = std::numeric_limits<double>::quiet_NaN();
    CHECK_THROWS_AS(fault_plan::random({.rate = -0.1}), std::invalid_argument);
    CHECK_THROWS_AS(fault_plan::random({.rate = 1.1}), std::invalid_argument);
    CHECK_THROWS_AS(fault_plan::random({.rate = none}), std::invalid_argument);
    CHECK_THROWS_AS(fault_plan::random({.permanent = none}), std::invalid_argument);
    CHECK_THROWS_AS(fault_plan::random({.rate = 0.6, .permanent = 0.6}), std::invalid_argument);
}

TEST_CASE("each attempt of many threads gets one word of the script", "[fault_plan][concurrent]") {
    fault_plan const plan{"fail*1000,ok*1000"};
    auto const wrapped = plan.wrap(twice);
    std::vector<int> failed(4);
    {
        std::vector<std::jthread> threads;
        for (auto& count : failed)
            threads.emplace_back([&] {
                for (int i = 0; i < 500; ++i) count += wrapped(i).has_error() ? 1 : 0;
            });
    }
    CHECK(failed[0] + failed[1] + failed[2] + failed[3] == 1000);
    CHECK(plan.calls() == 2000);
    CHECK(plan.injected() == 1000);
}
