// SPDX-License-Identifier: BSL-1.0
#include <recoup/classify/default_classifier.hpp>

#include <recoup/classify/http.hpp>
#include <recoup/core/result.hpp>

#include <any>
#include <exception>
#include <filesystem>
#include <functional>
#include <future>
#include <ios>
#include <memory>
#include <new>
#include <optional>
#include <regex>
#include <stdexcept>
#include <string>
#include <system_error>
#include <typeinfo>
#include <variant>

#include "support/catch.hpp"

using recoup::category;
using recoup::classification;
using recoup::default_classifier;
using recoup::failure;

namespace {

static_assert(recoup::error_classifier<default_classifier>);
static_assert(std::is_empty_v<default_classifier>);

struct may_throw {
    classification classify(failure const&) const { return {}; }
};
struct says_category {
    category classify(failure const&) const noexcept { return {}; }
};
struct move_only : default_classifier {
    move_only(move_only&&) = default;
};
static_assert(!recoup::error_classifier<may_throw>);
static_assert(!recoup::error_classifier<says_category>);
static_assert(!recoup::error_classifier<move_only>);
static_assert(!recoup::error_classifier<int>);

category classify(failure const& what) { return default_classifier::classify(what).category; }

template <class E>
category thrown(E const& exception) {
    return classify(failure{std::make_exception_ptr(exception)});
}

/// As the engine makes it of a std::system_error.
category thrown_with_code(std::system_error const& exception) {
    return classify(failure{std::make_exception_ptr(exception), exception.code()});
}

template <class Inner, class Outer>
std::exception_ptr nest(Inner const& inner, Outer const& outer) {
    try {
        try {
            throw inner;
        } catch (...) {
            std::throw_with_nested(outer);
        }
    } catch (...) {
        return std::current_exception();
    }
}

std::exception_ptr nest_deeply(unsigned levels, std::exception_ptr innermost) {
    auto chain = std::move(innermost);
    for (auto i = 0U; i != levels; ++i) {
        try {
            try {
                std::rethrow_exception(chain);
            } catch (...) {
                std::throw_with_nested(std::runtime_error{"outer"});
            }
        } catch (...) {
            chain = std::current_exception();
        }
    }
    return chain;
}

struct not_an_exception {};
struct own_exception : std::exception {};

}  // namespace

TEST_CASE("A failure without anything is unknown, and so retried") {
    CHECK(classify(failure{}) == category::unknown);
    CHECK(recoup::worth_retrying(classify(failure{})));
}

TEST_CASE("A failure that has a category keeps it") {
    CHECK(classify(failure{category::quota_exceeded}) == category::quota_exceeded);
    CHECK(classify(failure{category::maintenance, std::make_error_code(std::errc::timed_out)}) ==
          category::maintenance);
    CHECK(classify(failure{category::unknown, std::make_error_code(std::errc::timed_out)}) ==
          category::unknown);
}

TEST_CASE("The word of the default rules leaves recoverability to the category") {
    auto const found = default_classifier::classify(std::errc::timed_out);
    CHECK(found.category == category::network_timeout);
    CHECK(found.recoverability == recoup::recoverability::unknown);
}

TEST_CASE("An error code tells") {
    CHECK(classify(std::errc::no_space_on_device) == category::disk_full);
    CHECK(classify(std::error_code{104, std::system_category()}) == category::network_connection);
    CHECK(classify(recoup::http_error(429)) == category::rate_limited);
}

TEST_CASE("Standard exceptions tell by their types") {
    CHECK(thrown(std::bad_alloc{}) == category::out_of_memory);
    CHECK(thrown(std::bad_array_new_length{}) == category::invalid_input);
    CHECK(thrown(std::invalid_argument{""}) == category::invalid_input);
    CHECK(thrown(std::domain_error{""}) == category::invalid_input);
    CHECK(thrown(std::length_error{""}) == category::invalid_input);
    CHECK(thrown(std::out_of_range{""}) == category::invalid_input);
    CHECK(thrown(std::range_error{""}) == category::invalid_input);
    CHECK(thrown(std::overflow_error{""}) == category::invalid_input);
    CHECK(thrown(std::underflow_error{""}) == category::invalid_input);
    CHECK(thrown(std::logic_error{""}) == category::defect);
    CHECK(thrown(std::bad_cast{}) == category::defect);
    CHECK(thrown(std::bad_any_cast{}) == category::defect);
    CHECK(thrown(std::bad_typeid{}) == category::defect);
    CHECK(thrown(std::bad_optional_access{}) == category::defect);
    CHECK(thrown(std::bad_variant_access{}) == category::defect);
    CHECK(thrown(std::bad_function_call{}) == category::defect);
    CHECK(thrown(std::bad_weak_ptr{}) == category::defect);
    CHECK(thrown(std::bad_exception{}) == category::defect);
    CHECK(thrown(std::future_error{std::future_errc::no_state}) == category::defect);
    CHECK(thrown(std::runtime_error{""}) == category::unknown);
    CHECK(thrown(own_exception{}) == category::unknown);
    CHECK(thrown(std::regex_error{std::regex_constants::error_brace}) == category::unknown);
}

TEST_CASE("What is thrown by the library itself tells") {
    auto const of = [](auto throws) {
        try {
            throws();
        } catch (...) {
            return classify(failure{std::current_exception()});
        }
        return category::cancelled;
    };
    CHECK(of([] { static_cast<void>(std::stoi("x")); }) == category::invalid_input);
    CHECK(of([] { static_cast<void>(std::string{}.at(3)); }) == category::invalid_input);
    CHECK(of([] { static_cast<void>(std::optional<int>{}.value()); }) == category::defect);
    CHECK(of([] { std::function<void()>{}(); }) == category::defect);
    CHECK(of([] {
              auto broken = std::promise<int>{}.get_future();
              broken.get();
          }) == category::defect);
    CHECK(of([] { static_cast<void>(std::filesystem::file_size("/nowhere/at/all")); }) ==
          category::not_found);
}

TEST_CASE("A std::system_error and what is derived from it tell by their codes") {
    auto const code = std::make_error_code(std::errc::connection_reset);
    CHECK(thrown(std::system_error{code}) == category::network_connection);
    CHECK(thrown_with_code(std::system_error{code}) == category::network_connection);
    CHECK(thrown(std::filesystem::filesystem_error{
              "", std::make_error_code(std::errc::no_space_on_device)}) == category::disk_full);
    CHECK(thrown(std::ios_base::failure{"x"}) == category::unknown);
    CHECK(thrown(std::ios_base::failure{"x", code}) == category::network_connection);
    CHECK(thrown(std::system_error{recoup::http_error(401)}) == category::authentication);
}

TEST_CASE("Where no thread is to be had the processor is exhausted") {
    auto const again = std::make_error_code(std::errc::resource_unavailable_try_again);
    CHECK(thrown_with_code(std::system_error{again}) == category::cpu_exhausted);
    CHECK(classify(again) == category::service_unavailable);
    auto const busy = std::error_code{again.value(), std::system_category()};
    CHECK(thrown_with_code(std::system_error{busy}) == category::service_unavailable);
}

TEST_CASE("A recovery_error has the category of its failure") {
    recoup::recovery_error const inner{failure{category::quota_exceeded, "used up"}};
    CHECK(thrown(inner) == category::quota_exceeded);
    CHECK(classify(failure{nest(inner, std::runtime_error{"outer"})}) == category::quota_exceeded);
}

TEST_CASE("What is not derived from std::exception is unknown") {
    CHECK(thrown(42) == category::unknown);
    CHECK(thrown("text") == category::unknown);
    CHECK(thrown(not_an_exception{}) == category::unknown);
}

TEST_CASE("Where an exception says nothing the one nested in it tells") {
    auto const reset = std::system_error{std::make_error_code(std::errc::connection_reset)};
    CHECK(classify(failure{nest(reset, std::runtime_error{"outer"})}) ==
          category::network_connection);
    // One that is no std::exception can hold another all the same.
    CHECK(classify(failure{nest(reset, not_an_exception{})}) == category::network_connection);
    CHECK(classify(failure{nest(not_an_exception{}, std::runtime_error{"outer"})}) ==
          category::unknown);
    // The outer one has the first word.
    CHECK(classify(failure{nest(reset, std::logic_error{"outer"})}) == category::defect);
    // A code that says nothing does not hide what is inside.
    std::system_error const io{std::make_error_code(std::errc::io_error)};
    CHECK(classify(failure{nest(reset, io), io.code()}) == category::network_connection);
    CHECK(classify(failure{nest(reset, io)}) == category::network_connection);
}

TEST_CASE("Nested exceptions are looked at to a limit") {
    auto const inner = std::make_exception_ptr(std::bad_alloc{});
    constexpr auto limit = recoup::detail::nested_exceptions_max;
    CHECK(classify(failure{nest_deeply(limit - 1, inner)}) == category::out_of_memory);
    CHECK(classify(failure{nest_deeply(limit, inner)}) == category::unknown);
    CHECK(classify(failure{nest_deeply(1000, inner)}) == category::unknown);
}

TEST_CASE("A nested exception that holds none is unknown") {
    struct alone : std::runtime_error, std::nested_exception {
        alone() : std::runtime_error{"made outside of a handler"} {}
    };
    CHECK(thrown(alone{}) == category::unknown);
}
