// SPDX-License-Identifier: BSL-1.0
#include <recoup/core/returns.hpp>

#include <boost/outcome.hpp>

#include "support/catch.hpp"

#include <any>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#if __has_include(<expected>)
#include <expected>
#endif

namespace {

namespace outcome = BOOST_OUTCOME_V2_NAMESPACE;
using recoup::category;
using recoup::failure;
using recoup::result;
using recoup::detail::expected_like;
using recoup::detail::optional_like;
using recoup::detail::outcome_like;
using recoup::detail::returned_value_t;

/// A type shaped like std::expected, of another vendor.
template <class T, class E>
class lookalike {
  public:
    using value_type = T;
    using error_type = E;
    lookalike(T value) : value_{std::move(value)} {}
    static lookalike failed(E error) {
        lookalike made{T{}};
        made.value_.reset();
        made.error_ = std::move(error);
        return made;
    }
    bool has_value() const { return value_.has_value(); }
    T& operator*() & { return *value_; }
    T&& operator*() && { return *std::move(value_); }
    E& error() & { return error_; }
    E&& error() && { return std::move(error_); }

  private:
    std::optional<T> value_;
    E error_{};
};

enum class own_errc { broken = 7 };
struct own_category : std::error_category {
    char const* name() const noexcept override { return "own"; }
    std::string message(int) const override { return "own message"; }
};
std::error_code make_error_code(own_errc code) {
    static own_category const instance;
    return {static_cast<int>(code), instance};
}

struct foreign_error {
    int what;
};
failure to_recoup_failure(foreign_error const& error) {
    return failure{category::quota_exceeded, "foreign " + std::to_string(error.what)};
}

static_assert(outcome_like<result<int>> && outcome_like<outcome::outcome<int>>);
static_assert(outcome_like<outcome::std_result<int>> && !expected_like<outcome::result<int>>);
static_assert(expected_like<lookalike<int, int>> && !outcome_like<lookalike<int, int>>);
static_assert(optional_like<std::optional<int>> && !optional_like<std::any>);
static_assert(!optional_like<int> && !optional_like<std::string> &&
              !optional_like<std::unique_ptr<int>>);
static_assert(std::is_same_v<returned_value_t<outcome::outcome<void>>, void>);
static_assert(std::is_same_v<returned_value_t<std::optional<std::string> const>, std::string>);
static_assert(std::is_same_v<returned_value_t<int&>, int&>);
static_assert(std::is_same_v<returned_value_t<std::any>, std::any>);

/// What a callable that returns `make()` gives.
template <class Make>
auto got(Make make) {
    using returned = std::invoke_result_t<Make>;
    return recoup::detail::invoke_to_result<result<returned_value_t<returned>>>(make);
}

auto const timed_out = std::make_error_code(std::errc::timed_out);

}  // namespace

template <>
struct std::is_error_code_enum<own_errc> : std::true_type {};

TEST_CASE("A plain value, nothing, and a reference come back as they are") {
    CHECK(got([] { return 5; }).value() == 5);
    CHECK(got([] {}).has_value());
    static int target = 1;
    auto const referred = got([]() -> int& { return target; });
    CHECK(&referred.value().get() == &target);
    CHECK(*got([] { return std::make_unique<int>(3); }).value() == 3);
    CHECK(got([]() -> std::string const { return "x"; }).value() == "x");
}

TEST_CASE("Values that look like errors stay values") {
    CHECK(got([] { return timed_out; }).value() == timed_out);
    CHECK(got([] { return std::any{failure{category::defect}}; }).has_value());
    CHECK(got([] { return std::any{}; }).has_value());
    CHECK(got([] { return std::exception_ptr{}; }).value() == nullptr);
    CHECK(got([] { return std::string{"error"}; }).has_value());
    CHECK(got([]() -> result<std::error_code> {
              return result<std::error_code>{outcome::in_place_type<std::error_code>, timed_out};
          }).value() == timed_out);
}

TEST_CASE("A recoup::result passes as it is") {
    CHECK(got([]() -> result<int> { return 5; }).value() == 5);
    auto const hinted = failure{category::rate_limited}.retry_after(std::chrono::seconds{3});
    CHECK(got([&]() -> result<int> { return hinted; }).error() == hinted);
    CHECK(got([]() -> result<void> { return recoup::success(); }).has_value());
    CHECK(
        got([]() -> result<std::unique_ptr<int>> { return std::make_unique<int>(3); }).has_value());
}

TEST_CASE("Any Outcome result gives its value, or its error as a failure") {
    using with_code = outcome::basic_result<int, std::error_code, outcome::policy::all_narrow>;
    CHECK(got([]() -> with_code { return 5; }).value() == 5);
    CHECK(got([]() -> with_code { return timed_out; }).error().code() == timed_out);
    CHECK(got([]() -> outcome::std_result<std::string> { return std::string{"x"}; }).value() ==
          "x");
    CHECK(got([]() -> outcome::std_result<std::string> { return timed_out; }).error().code() ==
          timed_out);
    CHECK(got([]() -> outcome::std_result<void> { return outcome::success(); }).has_value());
    CHECK(got([]() -> outcome::std_result<void> { return timed_out; }).error().code() == timed_out);
    using with_enum = outcome::basic_result<int, own_errc, outcome::policy::all_narrow>;
    CHECK(got([]() -> with_enum { return own_errc::broken; }).error().code() == own_errc::broken);
    using with_foreign = outcome::basic_result<int, foreign_error, outcome::policy::all_narrow>;
    CHECK(got([]() -> with_foreign { return foreign_error{4}; }).error().message() == "foreign 4");
    using move_only =
        outcome::basic_result<std::unique_ptr<int>, std::error_code, outcome::policy::all_narrow>;
    CHECK(*got([]() -> move_only { return std::make_unique<int>(8); }).value() == 8);
    using with_exception =
        outcome::basic_result<int, std::exception_ptr, outcome::policy::all_narrow>;
    auto const thrown = std::make_exception_ptr(std::runtime_error{"inside"});
    CHECK(got([&]() -> with_exception { return thrown; }).error().exception() == thrown);
}

TEST_CASE("An outcome's exception and error both reach the failure") {
    using both = outcome::std_outcome<int>;
    auto const thrown = std::make_exception_ptr(std::runtime_error{"inside"});
    CHECK(got([]() -> both { return 5; }).value() == 5);
    CHECK(got([]() -> both { return timed_out; }).error().code() == timed_out);
    CHECK(got([]() -> both { return timed_out; }).error().exception() == nullptr);
    auto const exception = got([&]() -> both { return thrown; }).error();
    CHECK(exception.exception() == thrown);
    CHECK_FALSE(exception.code());
    auto const whole = got([&]() -> both { return {timed_out, thrown}; }).error();
    CHECK(whole.exception() == thrown);
    CHECK(whole.code() == timed_out);
    CHECK(got([]() -> outcome::std_outcome<void> { return outcome::success(); }).has_value());
    CHECK(got([&]() -> outcome::std_outcome<void> { return thrown; }).error().exception() ==
          thrown);
}

TEST_CASE("An empty optional is a failure that says so") {
    CHECK(got([]() -> std::optional<int> { return 5; }).value() == 5);
    CHECK(got([]() -> std::optional<int> { return {}; }).error().code() == recoup::errc::no_value);
    CHECK(*got([]() -> std::optional<std::unique_ptr<int>> {
               return std::make_unique<int>(2);
           }).value() == 2);
    CHECK(got([]() -> std::optional<bool> { return false; }).value() == false);
}

TEST_CASE("What is shaped like std::expected is taken as one") {
    using text = lookalike<std::string, std::error_code>;
    CHECK(got([] { return text{"x"}; }).value() == "x");
    CHECK(got([] { return text::failed(timed_out); }).error().code() == timed_out);
    using with_enum = lookalike<int, own_errc>;
    CHECK(got([] { return with_enum::failed(own_errc::broken); }).error().code() ==
          own_errc::broken);
    using with_text = lookalike<int, std::string>;
    auto const told = got([] { return with_text::failed("why"); }).error();
    CHECK(told.message() == "why");
    CHECK_FALSE(
        recoup::detail::failure_access::classified(told));  // the rules for messages may tell
    using with_failure = lookalike<int, failure>;
    CHECK(got([] { return with_failure::failed(failure{category::maintenance}); })
              .error()
              .category() == category::maintenance);
    using with_std_errc = lookalike<int, std::errc>;
    CHECK(got([] { return with_std_errc::failed(std::errc::timed_out); }).error().code() ==
          std::errc::timed_out);
}

#if defined(__cpp_lib_expected)
TEST_CASE("std::expected is taken as one") {
    using plain = std::expected<int, std::error_code>;
    CHECK(got([]() -> plain { return 5; }).value() == 5);
    CHECK(got([]() -> plain { return std::unexpected{timed_out}; }).error().code() == timed_out);
    using nothing = std::expected<void, std::error_code>;
    CHECK(got([]() -> nothing { return {}; }).has_value());
    CHECK(got([]() -> nothing { return std::unexpected{timed_out}; }).error().code() == timed_out);
    using move_only = std::expected<std::unique_ptr<int>, std::string>;
    CHECK(*got([]() -> move_only { return std::make_unique<int>(4); }).value() == 4);
    CHECK(
        got([]() -> move_only { return std::unexpected{std::string{"why"}}; }).error().message() ==
        "why");
}
#endif

TEST_CASE("Exceptions pass") {
    CHECK_THROWS_AS(got([]() -> int { throw std::runtime_error{"x"}; }), std::runtime_error);
}
