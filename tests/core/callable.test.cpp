// SPDX-License-Identifier: BSL-1.0
#include <recoup/core/callable.hpp>

#include "support/catch.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

// How each kind of callable is called is known at compile time.

namespace {

using recoup::attempt;
using recoup::detail::call_form;
using recoup::detail::call_form_of;
using recoup::detail::callable_with;
using recoup::detail::wrapped_return_t;

struct thing {
    int size() const { return 3; }
    int& count() { return counted; }
    int counted = 0;
};
struct overloaded {
    int operator()(int) { return 1; }
    int operator()(attempt&, int) { return 2; }
    int operator()(std::string const&) { return 3; }
};
struct only_rvalues {
    int operator()(std::string&&) { return 1; }
};
struct not_const {
    int operator()() { return 1; }
};
[[maybe_unused]] auto generic = [](auto&&...) { return 1; };
[[maybe_unused]] auto with_attempt = [](attempt&, int x) { return x; };
[[maybe_unused]] auto with_generic_rest = [](attempt&, auto const&...) { return 1; };
[[maybe_unused]] auto takes_pointer = [](std::unique_ptr<int>) { return 1; };
[[maybe_unused]] auto takes_attempt_and_pointer = [](attempt&, std::unique_ptr<int>) { return 1; };

template <class F, class... Args>
inline constexpr auto form = call_form_of<std::decay_t<F>, Args...>;

// Arguments alone where that is well-formed, else the attempt first.
static_assert(form<int(int), int> == call_form::plain);
static_assert(form<int(int) noexcept, int&> == call_form::plain);
static_assert(form<decltype(&thing::size), thing&> == call_form::plain);
static_assert(form<decltype(&thing::size), thing const*> == call_form::plain);
static_assert(form<decltype(&thing::counted), thing&> == call_form::plain);
static_assert(form<decltype(&thing::size), std::unique_ptr<thing>> == call_form::plain);
static_assert(form<overloaded, int> == call_form::plain);
static_assert(form<overloaded, char const*> == call_form::plain);
static_assert(form<not_const> == call_form::plain);
static_assert(form<decltype(generic), int, std::string> == call_form::plain);
static_assert(form<decltype(with_attempt), int> == call_form::attempt);
static_assert(form<decltype(with_generic_rest), int, int> == call_form::attempt);
static_assert(form<decltype(recoup::wants_attempt(generic)), int> == call_form::attempt);
static_assert(form<decltype(recoup::wants_attempt(overloaded{})), int> == call_form::attempt);
static_assert(form<decltype(recoup::wants_attempt(overloaded{})), std::string> == call_form::none);

// As rvalues only where nothing else fits.
static_assert(form<decltype(takes_pointer), std::unique_ptr<int>> == call_form::consumed);
static_assert(form<decltype(takes_attempt_and_pointer), std::unique_ptr<int>> ==
              call_form::attempt_consumed);
static_assert(
    form<decltype(recoup::wants_attempt(takes_attempt_and_pointer)), std::unique_ptr<int>> ==
    call_form::attempt_consumed);
static_assert(form<only_rvalues, std::string> == call_form::consumed);
static_assert(form<only_rvalues, std::string&> == call_form::none);
static_assert(form<int(std::string), std::string> == call_form::plain,
              "a copy serves every attempt");

// Not at all.
static_assert(!callable_with<int (*)(int), std::string>);
static_assert(!callable_with<int (*)(int)>);
static_assert(callable_with<int (*)(int), int>);

// What comes back.
static_assert(std::is_same_v<wrapped_return_t<int (*)(int), int>, recoup::result<int>>);
static_assert(std::is_same_v<wrapped_return_t<void (*)()>, recoup::result<void>>);
static_assert(
    std::is_same_v<wrapped_return_t<decltype(&thing::count), thing&>, recoup::result<int&>>);
static_assert(std::is_same_v<wrapped_return_t<std::optional<int> (*)()>, recoup::result<int>>);
static_assert(std::is_same_v<wrapped_return_t<recoup::result<int> (*)()>, recoup::result<int>>);
static_assert(std::is_same_v<wrapped_return_t<overloaded, int>, recoup::result<int>>);

}  // namespace

TEST_CASE("Each form calls the callable as it says, and hands on the very objects") {
    using recoup::detail::invoke_form;
    auto state = recoup::detail::operation_state{.attempt = 4};
    auto current = attempt{state};
    auto text = std::string{"long enough to live on the heap, for sure"};
    auto arguments = std::forward_as_tuple(text);
    using one = std::index_sequence<0>;

    auto see = [&](std::string& seen) { return &seen == &text; };
    CHECK(invoke_form<call_form::plain>(see, nullptr, arguments, one{}));
    auto see_attempt = [&](attempt& given, std::string& seen) {
        return &seen == &text && given.number() == 4;
    };
    CHECK(invoke_form<call_form::attempt>(see_attempt, &current, arguments, one{}));

    auto rvalues = std::forward_as_tuple(std::move(text));
    auto take = [](std::string&& given) { return std::string{std::move(given)}.size(); };
    CHECK(invoke_form<call_form::consumed>(take, nullptr, rvalues, one{}) == 41);
    CHECK(text.empty());
    text = "abc";
    auto take_too = [](attempt&, std::string&& given) {
        return std::string{std::move(given)}.size();
    };
    CHECK(invoke_form<call_form::attempt_consumed>(take_too, &current, rvalues, one{}) == 3);
    CHECK(text.empty());
}
