// SPDX-License-Identifier: BSL-1.0
#include <recoup/core/result.hpp>

#include <recoup/core/errc.hpp>

#include "support/catch.hpp"

#include <any>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <variant>

namespace {

using recoup::category;
using recoup::failure;
using recoup::recovery_error;
using recoup::result;

static_assert(std::is_same_v<result<int&>::value_type, std::reference_wrapper<int>>);
static_assert(std::is_same_v<result<int const>::value_type, int>);
static_assert(std::is_void_v<result<void>::value_type>);
static_assert(std::is_same_v<result<int>::error_type, failure>);
static_assert(std::is_nothrow_move_constructible_v<result<int>>);
static_assert(std::is_nothrow_copy_constructible_v<result<int>>);
static_assert(!std::is_copy_constructible_v<result<std::unique_ptr<int>>>);
static_assert(std::is_move_constructible_v<result<std::unique_ptr<int>>>);
static_assert(std::is_base_of_v<std::system_error, recovery_error>);
static_assert(std::is_nothrow_copy_constructible_v<recovery_error>);
static_assert(sizeof(result<int>) <= sizeof(failure) + 16);

result<int> parse(bool good) {
    if (good) return 42;
    return std::errc::invalid_argument;
}
result<std::unique_ptr<int>> move_only(bool good) {
    if (good) return std::make_unique<int>(7);
    return failure{category::not_found};
}
result<void> nothing(bool good) {
    if (good) return recoup::success();
    return std::make_error_code(std::errc::io_error);
}

}  // namespace

TEST_CASE("A result holds a value or a failure, and converts from both") {
    CHECK(parse(true).value() == 42);
    CHECK(parse(true).has_value());
    CHECK(static_cast<bool>(parse(true)));
    CHECK_FALSE(static_cast<bool>(parse(false)));
    CHECK(parse(false).error().code() == std::errc::invalid_argument);
    CHECK(*move_only(true).value() == 7);
    CHECK(move_only(false).error().category() == category::not_found);
    CHECK(nothing(true).has_value());
    CHECK(nothing(false).error().code() == std::errc::io_error);
}

TEST_CASE("value() throws the callable's own exception where there was one") {
    struct own : std::runtime_error {
        using std::runtime_error::runtime_error;
    };
    auto const original = std::make_exception_ptr(own{"mine"});
    result<int> const failed = failure{original};
    CHECK_THROWS_AS(failed.value(), own);
    CHECK_THROWS_WITH(failed.value(), "mine");
    try {
        failed.value();
    } catch (...) {
        CHECK(std::current_exception() == original);  // not a copy of it
    }
    result<int> const odd = failure{std::make_exception_ptr(42)};
    CHECK_THROWS_AS(odd.value(), int);
}

TEST_CASE("value() without an exception throws a recovery_error, which is a std::system_error") {
    auto what = failure{category::network_dns, std::make_error_code(std::errc::host_unreachable)};
    recoup::detail::failure_access::set_end(what, recoup::stop_reason::attempts_exhausted, 3);
    result<std::string> const failed = what;
    try {
        failed.value();
        FAIL("it must throw");
    } catch (std::system_error const& caught) {
        CHECK(caught.code() == std::errc::host_unreachable);
        CHECK(std::string{caught.what()} == what.describe());
    }
    try {
        failed.value();
    } catch (recovery_error const& caught) {
        CHECK(caught.failure() == what);
        auto const copy = caught;
        CHECK(copy.failure() == what);
        CHECK(std::string{copy.what()} == what.describe());
    }
    result<void> const bare = failure{category::maintenance};
    CHECK_THROWS_AS(bare.value(), recovery_error);
}

TEST_CASE("error() of a value is a mistake in the program") {
    CHECK_THROWS_AS(parse(true).error(), std::logic_error);
    CHECK_THROWS_AS(recoup::success().error(), std::logic_error);
}

TEST_CASE("Values that could be mistaken for a failure stay values") {
    using boost::outcome_v2::in_place_type;
    auto const code = std::make_error_code(std::errc::timed_out);
    result<std::error_code> const codes{in_place_type<std::error_code>, code};
    CHECK(codes.has_value());
    CHECK(codes.value() == code);

    result<std::any> const anything{in_place_type<std::any>, std::string{"x"}};
    auto copy = anything;
    auto moved = std::move(copy);
    CHECK(std::any_cast<std::string>(moved.value()) == "x");
    result<std::any> const holds_failure{in_place_type<std::any>, failure{category::defect}};
    CHECK(holds_failure.has_value());
    result<std::any> const failed{in_place_type<failure>, failure{category::defect}};
    CHECK(failed.has_error());
    auto const failed_copy = failed;
    CHECK(failed_copy.error().category() == category::defect);

    using either = std::variant<int, failure>;
    result<either> const both{in_place_type<either>, failure{category::defect}};
    CHECK(both.has_value());
    result<std::exception_ptr> const pointer{in_place_type<std::exception_ptr>,
                                             std::make_exception_ptr(1)};
    CHECK(pointer.has_value());
}
