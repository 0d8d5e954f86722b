// SPDX-License-Identifier: BSL-1.0
#include <recoup/classify/rules.hpp>

#include <recoup/classify/curl.hpp>
#include <recoup/classify/http.hpp>
#include <recoup/classify/sqlite.hpp>
#include <recoup/core/errc.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>

#include "support/allocations.hpp"
#include "support/catch.hpp"

namespace {

enum class my_errc { quota = 1, manifest, other };

struct my_error_category final : std::error_category {
    char const* name() const noexcept override { return "mine"; }
    std::string message(int) const override { return "Mine is FULL"; }
};

std::error_category const& my_category() {
    static my_error_category const instance;
    return instance;
}

std::error_code make_error_code(my_errc code) { return {static_cast<int>(code), my_category()}; }

/// A condition that codes of several categories meet.
enum class my_condition { server_side = 1 };

struct my_condition_category final : std::error_category {
    char const* name() const noexcept override { return "my conditions"; }
    std::string message(int) const override { return "server side"; }
    bool equivalent(std::error_code const& code, int) const noexcept override {
        return code == std::errc::connection_reset ||
               (code.category() == recoup::http_category() && code.value() >= 500);
    }
};

std::error_condition make_error_condition(my_condition what) {
    static my_condition_category const instance;
    return {static_cast<int>(what), instance};
}

}  // namespace

template <>
struct std::is_error_code_enum<my_errc> : std::true_type {};
template <>
struct std::is_error_condition_enum<my_condition> : std::true_type {};

using recoup::category;
using recoup::classifier;
using recoup::default_rules;
using recoup::failure;
using recoup::http_error;
using recoup::recoverability;

namespace {

static_assert(recoup::error_classifier<classifier>);
static_assert(std::is_nothrow_default_constructible_v<classifier>);
static_assert(std::is_nothrow_copy_constructible_v<classifier>);

category classify(classifier const& rules, failure const& what) {
    return rules.classify(what).category;
}

template <class E>
failure as_failure(E const& exception) {
    return failure{std::make_exception_ptr(exception)};
}

struct bad_manifest : std::runtime_error {
    explicit bad_manifest(int at) : std::runtime_error{"bad manifest"}, line{at} {}
    int line;
};
struct worse_manifest : bad_manifest {
    using bad_manifest::bad_manifest;
};
struct polymorphic {
    virtual ~polymorphic() = default;
};
struct tagged : std::runtime_error, polymorphic {
    tagged() : std::runtime_error{"tagged"} {}
};
struct plain_tag {
    int value = 0;
};
struct plainly_tagged : std::runtime_error, plain_tag {
    plainly_tagged() : std::runtime_error{"tagged"} {}
};
struct left : std::runtime_error {
    left() : std::runtime_error{"left"} {}
};
struct right : std::runtime_error {
    right() : std::runtime_error{"right"} {}
};
struct ambiguous : left, right {};

template <class Inner>
failure nested_in_runtime_error(Inner const& inner) {
    try {
        try {
            throw inner;
        } catch (...) {
            std::throw_with_nested(std::runtime_error{"outer"});
        }
    } catch (...) {
        return failure{std::current_exception()};
    }
}

}  // namespace

TEST_CASE("Without rules of its own a classifier says what the default one does") {
    CHECK(classify(default_rules(), std::errc::timed_out) == category::network_timeout);
    CHECK(classify(classifier{}, http_error(404)) == category::not_found);
    CHECK(classify(classifier{}, as_failure(std::bad_alloc{})) == category::out_of_memory);
    CHECK(classify(classifier{}, my_errc::quota) == category::unknown);
}

TEST_CASE("The example of the design does what it says") {
    classifier const rules = default_rules()
                                 .on(my_errc::quota, category::rate_limited)
                                 .on_exception<bad_manifest>(category::invalid_input);
    CHECK(classify(rules, my_errc::quota) == category::rate_limited);
    CHECK(classify(rules, my_errc::other) == category::unknown);
    CHECK(classify(rules, as_failure(bad_manifest{1})) == category::invalid_input);
    CHECK(classify(rules, std::errc::timed_out) == category::network_timeout);
}

TEST_CASE("A rule leaves the classifier that it is added to as it was") {
    auto const first = default_rules().on(my_errc::quota, category::rate_limited);
    auto const second = first.on(my_errc::quota, category::quota_exceeded);
    auto copy = second;
    copy = copy.on(my_errc::other, category::cancelled);
    CHECK(classify(first, my_errc::quota) == category::rate_limited);
    CHECK(classify(second, my_errc::quota) == category::quota_exceeded);
    CHECK(classify(second, my_errc::other) == category::unknown);
    CHECK(classify(copy, my_errc::quota) == category::quota_exceeded);
    CHECK(classify(copy, my_errc::other) == category::cancelled);
}

TEST_CASE("A rule for a code is for that code alone") {
    auto const rules = default_rules()
                           .on(std::make_error_code(std::errc::timed_out), category::maintenance)
                           .on(http_error(409), category::service_unavailable);
    CHECK(classify(rules, std::errc::timed_out) == category::maintenance);
    CHECK(classify(rules, std::error_code{ETIMEDOUT, std::system_category()}) ==
          category::network_timeout);
    CHECK(classify(rules, http_error(409)) == category::service_unavailable);
    CHECK(classify(rules, std::error_code{409, my_category()}) == category::unknown);
}

TEST_CASE("A rule for a condition is for every code that meets it") {
    auto const rules = default_rules()
                           .on(std::errc::timed_out, category::maintenance)
                           .on(my_condition::server_side, category::rate_limited);
    CHECK(classify(rules, std::errc::timed_out) == category::maintenance);
    CHECK(classify(rules, std::error_code{ETIMEDOUT, std::system_category()}) ==
          category::maintenance);
    CHECK(classify(rules, http_error(404)) == category::not_found);
    CHECK(classify(rules, http_error(500)) == category::rate_limited);
    CHECK(classify(rules, std::errc::connection_reset) == category::rate_limited);
    CHECK(classify(rules, std::errc::connection_refused) == category::network_connection);

    auto const on_meaning =
        default_rules().on(recoup::make_error_condition(category::not_found), category::defect);
    CHECK(classify(on_meaning, http_error(410)) == category::defect);
    CHECK(classify(on_meaning, http_error(500)) == category::service_unavailable);
}

TEST_CASE("Rules are asked in the order in which they were written") {
    auto const any = [](failure const&) { return true; };
    auto const timed_out = std::make_error_code(std::errc::timed_out);
    CHECK(classify(default_rules()
                       .on(timed_out, category::defect)
                       .on(std::errc::timed_out, category::maintenance)
                       .when(any, category::cancelled),
                   timed_out) == category::defect);
    CHECK(classify(default_rules()
                       .on(std::errc::timed_out, category::maintenance)
                       .on(timed_out, category::defect)
                       .when(any, category::cancelled),
                   timed_out) == category::maintenance);
    CHECK(classify(default_rules()
                       .when(any, category::cancelled)
                       .on(std::errc::timed_out, category::maintenance)
                       .on(timed_out, category::defect),
                   timed_out) == category::cancelled);
    CHECK(classify(default_rules()
                       .on(my_condition::server_side, category::quota_exceeded)
                       .on(http_error(500), category::defect),
                   http_error(500)) == category::quota_exceeded);
    CHECK(classify(default_rules()
                       .on(http_error(500), category::defect)
                       .on(my_condition::server_side, category::quota_exceeded),
                   http_error(500)) == category::defect);
    CHECK(classify(default_rules()
                       .on_exception<worse_manifest>(category::corruption)
                       .on_exception<bad_manifest>(category::invalid_format),
                   as_failure(worse_manifest{1})) == category::corruption);
    CHECK(classify(default_rules()
                       .on_exception<bad_manifest>(category::invalid_format)
                       .on_exception<worse_manifest>(category::corruption),
                   as_failure(worse_manifest{1})) == category::invalid_format);
}

TEST_CASE("A second rule for the same code, condition or type takes the place of the first") {
    auto const any = [](failure const&) { return true; };
    auto const rules = default_rules()
                           .on(my_errc::quota, category::rate_limited)
                           .on(std::errc::timed_out, category::maintenance)
                           .on(my_condition::server_side, category::maintenance)
                           .on_exception<bad_manifest>(category::invalid_input)
                           .when(any, category::cancelled)
                           .on(my_errc::quota, category::quota_exceeded)
                           .on(std::errc::timed_out, category::network_dns)
                           .on(my_condition::server_side, category::network_tls)
                           .on_exception<bad_manifest>(category::invalid_schema);
    CHECK(classify(rules, my_errc::quota) == category::quota_exceeded);
    CHECK(classify(rules, std::errc::timed_out) == category::network_dns);
    CHECK(classify(rules, http_error(502)) == category::network_tls);
    CHECK(classify(rules, as_failure(bad_manifest{1})) == category::invalid_schema);
    CHECK(classify(rules, failure{}) == category::cancelled);
}

TEST_CASE("A rule overrules a category that the failure already has") {
    auto const rules = default_rules().on(my_errc::quota, category::rate_limited);
    CHECK(classify(rules, failure{category::defect, make_error_code(my_errc::quota)}) ==
          category::rate_limited);
    CHECK(classify(rules, failure{category::defect, make_error_code(my_errc::other)}) ==
          category::defect);
    CHECK(classify(rules, failure{category::defect}) == category::defect);
    // The rule's word about trying again holds too, against what an inner wrapper noted.
    CHECK(rules.classify(my_errc::quota).recoverability == recoverability::later);
}

TEST_CASE("An exception rule is for what a handler of its type would catch") {
    auto const rules =
        default_rules()
            .on_exception<polymorphic>(category::maintenance)
            .on_exception<plain_tag>(category::network_tls)
            .on_exception<int>([](int code) { return static_cast<category>(code); })
            .on_exception<char const*>(category::invalid_format)
            .on_exception<left>(category::disk_full)
            .on_exception<std::bad_alloc>(category::quota_exceeded)
            .on_exception<bad_manifest>([](bad_manifest const& caught) {
                return caught.line == 0 ? std::optional<category>{} : category::invalid_schema;
            })
            .on_exception<std::runtime_error>(category::service_unavailable);
    CHECK(classify(rules, as_failure(tagged{})) == category::maintenance);
    CHECK(classify(rules, as_failure(polymorphic{})) == category::maintenance);
    CHECK(classify(rules, as_failure(plain_tag{})) == category::network_tls);
    CHECK(classify(rules, as_failure(plainly_tagged{})) == category::network_tls);
    CHECK(classify(rules, as_failure(7)) == category::out_of_memory);
    CHECK(classify(rules, as_failure("text")) == category::invalid_format);
    CHECK(classify(rules, as_failure(std::bad_array_new_length{})) == category::quota_exceeded);
    CHECK(classify(rules, as_failure(bad_manifest{3})) == category::invalid_schema);
    CHECK(classify(rules, as_failure(bad_manifest{0})) == category::service_unavailable);
    // With two std::exceptions in it no handler for one of them catches it, but one for `left` does.
    CHECK(classify(rules, as_failure(ambiguous{})) == category::disk_full);
    CHECK(classify(rules, as_failure(std::logic_error{""})) == category::defect);
    CHECK(classify(rules, as_failure(4.0)) == category::unknown);
    CHECK(classify(rules, std::errc::timed_out) == category::network_timeout);
}

TEST_CASE("A predicate sees the failure whole") {
    auto const rules =
        default_rules()
            .when([](failure const& what) { return what.retry_after().has_value(); },
                  category::rate_limited)
            .when([](failure const& what) -> std::optional<category> {
                if (what.category() == category::network_tls) return category::configuration;
                return std::nullopt;
            })
            .when([owned = std::make_unique<int>(404)](
                      failure const& what) { return what.code() == http_error(*owned); },
                  category::maintenance);
    CHECK(classify(rules, failure{http_error(503)}.retry_after(std::chrono::seconds{1})) ==
          category::rate_limited);
    CHECK(classify(rules, http_error(503)) == category::service_unavailable);
    CHECK(classify(rules, failure{category::network_tls}) == category::configuration);
    CHECK(classify(rules, http_error(404)) == category::maintenance);
}

TEST_CASE("A rule that throws says nothing, and the next one is asked") {
    auto const rules =
        default_rules()
            .when([](failure const&) -> bool { throw 1; }, category::cancelled)
            .on_exception<bad_manifest>([](bad_manifest const&) -> category { throw 1; })
            .on_exception<std::runtime_error>(category::invalid_input);
    CHECK(classify(rules, as_failure(bad_manifest{1})) == category::invalid_input);
    CHECK(classify(rules, std::errc::timed_out) == category::network_timeout);
}

TEST_CASE("A rule for a category renames what the default rules or the failure say") {
    auto const rules = default_rules()
                           .on(category::network_tls, category::configuration)
                           .on(category::unknown, category::service_unavailable)
                           .on(category::service_unavailable, category::maintenance)
                           .on(my_errc::quota, category::network_tls);
    CHECK(classify(rules, recoup::curl_error(35)) == category::configuration);
    CHECK(classify(rules, failure{category::network_tls}) == category::configuration);
    // Once, not in a chain.
    CHECK(classify(rules, failure{}) == category::service_unavailable);
    CHECK(classify(rules, http_error(503)) == category::maintenance);
    // A rule's own word is not renamed.
    CHECK(classify(rules, my_errc::quota) == category::network_tls);
    CHECK(rules.classify(failure{category::network_tls}).recoverability ==
          recoverability::permanent);
}

TEST_CASE("A rule for a message is the last resort") {
    auto const rules = default_rules()
                           .on_message("mine is full", category::disk_full)
                           .on_message("mine", category::defect)
                           .on_message("Connection REFUSED", category::network_connection)
                           .on_message("timed out", category::cancelled);
    CHECK(classify(rules, my_errc::quota) == category::disk_full);
    CHECK(classify(rules, as_failure(std::runtime_error{"peer: connection refused (x)"})) ==
          category::network_connection);
    CHECK(classify(rules, failure{category::unknown, "request timed out"}) == category::cancelled);
    // What anything else recognised, it does not touch.
    CHECK(classify(rules, std::make_error_code(std::errc::timed_out)) == category::network_timeout);
    CHECK(classify(rules, as_failure(std::logic_error{"timed out"})) == category::defect);
    CHECK(classify(rules, failure{category::defect, "timed out"}) == category::defect);
    CHECK(classify(rules.on(my_errc::quota, category::rate_limited), my_errc::quota) ==
          category::rate_limited);
    CHECK(classify(rules.on(category::unknown, category::maintenance), my_errc::quota) ==
          category::disk_full);
    CHECK(classify(rules, as_failure(std::runtime_error{"what?"})) == category::unknown);
}

TEST_CASE("What nothing recognises is not retried where the user says so") {
    auto const rules = default_rules().unknown(recoup::never);
    CHECK(rules.classify(failure{}).category == category::unknown);
    CHECK(rules.classify(failure{}).recoverability == recoverability::permanent);
    CHECK(rules.classify(failure{category::unknown}).recoverability == recoverability::permanent);
    CHECK(rules.classify(as_failure(1)).recoverability == recoverability::permanent);
    CHECK(rules.classify(std::errc::timed_out).recoverability == recoverability::unknown);
    CHECK(default_rules().classify(failure{}).recoverability == recoverability::unknown);
}

TEST_CASE("Where an exception says nothing the rules are asked about the one nested in it") {
    auto const rules = default_rules()
                           .on(my_errc::quota, category::rate_limited)
                           .on_exception<bad_manifest>(category::invalid_format)
                           .on_exception<int>(category::cancelled);
    CHECK(classify(rules, nested_in_runtime_error(bad_manifest{1})) == category::invalid_format);
    CHECK(classify(rules, nested_in_runtime_error(std::system_error{
                              make_error_code(my_errc::quota)})) == category::rate_limited);
    CHECK(classify(rules, nested_in_runtime_error(7)) == category::cancelled);
    CHECK(classify(rules, nested_in_runtime_error(std::bad_alloc{})) == category::out_of_memory);
    CHECK(classify(rules, nested_in_runtime_error(std::runtime_error{""})) == category::unknown);
    // The outer one has the first word, be it a rule's.
    CHECK(classify(rules.on_exception<std::runtime_error>(category::maintenance),
                   nested_in_runtime_error(bad_manifest{1})) == category::maintenance);
}

TEST_CASE("Many rules for codes are all found, and nothing else is") {
    auto rules = default_rules();
    for (auto value = 1; value <= 200; ++value)
        rules = rules.on(std::error_code{value * 64, my_category()},
                         static_cast<category>(1 + value % 23));
    for (auto value = 1; value <= 200; ++value) {
        CHECK(classify(rules, std::error_code{value * 64, my_category()}) ==
              static_cast<category>(1 + value % 23));
        CHECK(classify(rules, std::error_code{value * 64 + 1, my_category()}) == category::unknown);
        CHECK(classify(rules, std::error_code{value * 64, recoup::curl_category()}) ==
              recoup::category_of(recoup::curl_error(value * 64)));
    }
}

TEST_CASE("Every category can be reached") {
    std::set<category> reached;
    auto const see = [&](failure const& what) { reached.insert(classify(default_rules(), what)); };
    for (auto value = 0; value <= 600; ++value) {
        see(std::error_code{value, std::generic_category()});
        see(http_error(value));
        see(recoup::curl_error(value));
        see(recoup::sqlite_error(value));
    }
    auto const no_thread = std::make_error_code(std::errc::resource_unavailable_try_again);
    see(failure{std::make_exception_ptr(std::system_error{no_thread}), no_thread});
    CHECK(reached.size() == recoup::category_count);
    for (auto i = 0U; i != recoup::category_count; ++i) {
        INFO(to_string(static_cast<category>(i)));
        CHECK(reached.contains(static_cast<category>(i)));
    }
}

TEST_CASE("Codes are classified without an allocation") {
    auto rules = default_rules()
                     .on(my_errc::quota, category::rate_limited)
                     .on(std::errc::timed_out, category::maintenance)
                     .on(my_condition::server_side, category::network_tls)
                     .on(category::unknown, category::service_unavailable)
                     .on_exception<bad_manifest>(category::invalid_input)
                     .when([](failure const&) { return false; }, category::cancelled)
                     .on_message("text", category::defect)
                     .unknown(recoup::never);
    std::array const failures{
        failure{std::errc::timed_out},    failure{std::errc::connection_reset},
        failure{my_errc::quota},          failure{http_error(500)},
        failure{http_error(404)},         failure{recoup::curl_error(28)},
        failure{recoup::sqlite_error(5)}, failure{recoup::errc::breaker_open},
        failure{category::permission},    failure{std::error_code{2, std::system_category()}},
    };
    std::array<category, failures.size()> plain{};
    std::array<category, failures.size()> ruled{};

    auto const before = support::allocations();
    for (std::size_t i = 0; i != failures.size(); ++i) {
        plain[i] = recoup::default_rules().classify(failures[i]).category;
        ruled[i] = rules.classify(failures[i]).category;
    }
    auto const copy = rules;
    auto const after = support::allocations();

    CHECK(after == before);
    CHECK(plain == std::array{category::network_timeout, category::network_connection,
                              category::unknown, category::service_unavailable, category::not_found,
                              category::network_timeout, category::service_unavailable,
                              category::service_unavailable, category::permission,
                              category::not_found});
    CHECK(ruled == std::array{category::maintenance, category::network_tls, category::rate_limited,
                              category::network_tls, category::not_found, category::network_timeout,
                              category::service_unavailable, category::service_unavailable,
                              category::permission, category::not_found});
}
