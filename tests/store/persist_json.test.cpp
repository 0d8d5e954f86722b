// SPDX-License-Identifier: BSL-1.0
#include <recoup/json.hpp>

#include <recoup/core/attempt.hpp>
#include <recoup/store/persist.hpp>
#include <recoup/testing/event_recorder.hpp>
#include <recoup/testing/manual_clock.hpp>
#include <recoup/with_recovery.hpp>

#include "store/persist_support.hpp"
#include "support/catch.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

// Values of any type that nlohmann/json can write and read.

namespace {

using namespace std::chrono_literals;
using namespace recoup_test;
using recoup::attempt;
using recoup::category;
using recoup::encoding;
using recoup::event_kind;
using recoup::on_store_failure;
using recoup::persist;
using recoup::persist_when;
using recoup::result;
using recoup::retry;
using recoup::stop_reason;
using recoup::testing::event_recorder;
using recoup::testing::manual_clock;

struct plan {
    std::string name{};
    std::vector<int> parts{};
    friend bool operator==(plan const&, plan const&) = default;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(plan, name, parts)

static_assert(recoup::decodable<plan>);
static_assert(recoup::decodable<std::vector<std::string>>);
static_assert(recoup::decodable<std::map<std::string, int>>);

auto const not_utf8 = plan{"\xff\xfe", {}};

std::string nested(std::size_t depth) {
    return 'j' + std::string(depth, '[') + std::string(depth, ']');
}

}  // namespace

TEST_CASE("A type with to_json and from_json is read as it was written") {
    auto const value = plan{"naïve \"plan\"", {1, -2, 3}};
    CHECK(encoding<plan>::decode(encoding<plan>::encode(value)) == value);
    CHECK(encoding<plan>::encode(value).starts_with("j{"));
}

TEST_CASE("What is no JSON, or not of the type, is no value") {
    for (auto const* bad : {"", "j", "j{", "j{}", "jnull", "j[1,2]", "j{\"name\":1,\"parts\":[]}",
                            "j{\"name\":\"x\",\"parts\":{}}", "t{\"name\":\"x\",\"parts\":[]}",
                            "{\"name\":\"x\",\"parts\":[]}", "j{\"name\":\"x\",\"parts\":[]} x",
                            "j{\"name\":\"\xff\",\"parts\":[]}"})
        CHECK_FALSE(encoding<plan>::decode(bad));
    CHECK(encoding<plan>::decode("j{\"name\":\"x\",\"parts\":[]}"));
    CHECK_FALSE(encoding<std::vector<std::string>>::decode(encoding<plan>::encode({})));
}

TEST_CASE("Depth and size are bounded before anything is built") {
    using json = nlohmann::json;
    CHECK(recoup::detail::parse_bounded_json(nested(64).substr(1)));
    CHECK_FALSE(recoup::detail::parse_bounded_json(nested(65).substr(1)));
    CHECK_FALSE(recoup::detail::parse_bounded_json(nested(1'000'000).substr(1)));
    CHECK_FALSE(recoup::detail::parse_bounded_json(std::string(5'000'000, '[')));
    auto objects = std::string{};
    for (int i = 0; i != 65; ++i) objects += "{\"a\":";
    CHECK_FALSE(recoup::detail::parse_bounded_json(objects + "1" + std::string(65, '}')));
    auto const large = '"' + std::string(recoup::json_bytes_max - 2, 'x') + '"';
    CHECK(recoup::detail::parse_bounded_json(large));
    CHECK_FALSE(recoup::detail::parse_bounded_json(large + ' '));
    CHECK(recoup::detail::parse_bounded_json("[[1],[2],[3]]") == json::parse("[[1],[2],[3]]"));
}

TEST_CASE("Results and checkpoints of such a type survive, and arguments tell inputs apart") {
    scripted_store store;
    manual_clock clock;
    auto calls = 0;
    auto const wrapped = recoup::with_recovery(
        [&](attempt& current, plan const& input) -> result<plan> {
            ++calls;
            auto half = current.checkpoint<plan>();
            if (!half) {
                current.save_checkpoint(plan{"half", input.parts});
                return std::make_error_code(std::errc::connection_reset);
            }
            CHECK(half == plan{"half", input.parts});
            return plan{"done", half->parts};
        },
        retry{.backoff = recoup::constant(0ms)},
        persist(store, {.name = "op", .retain = 1h}, one_key), recoup::on(clock));
    auto const input = plan{"x", {1, 2}};
    CHECK(wrapped(input).value() == plan{"done", {1, 2}});
    CHECK(wrapped(input).value() == plan{"done", {1, 2}});
    CHECK(calls == 2);
    CHECK(wrapped(plan{"x", {1, 3}}).error().code() == recoup::errc::input_mismatch);
}

TEST_CASE("A recorded value that nests too deep is unreadable, and is kept") {
    scripted_store store;
    manual_clock clock;
    auto kept = recoup::record{};
    kept.id = {"", "op", "1"};
    kept.status = recoup::record_status::succeeded;
    kept.fingerprint = recoup::detail::fingerprint_of(1);
    kept.result = nested(100'000);
    store.inner.save(kept).value();
    auto const wrapped = recoup::with_recovery(
        [](int) { return nlohmann::json{}; }, persist(store, {.name = "op", .retain = 1h}, one_key),
        recoup::on(clock));
    CHECK(wrapped(1).error().code() == recoup::errc::value_unreadable);
    CHECK(only_record(store).result == nested(100'000));
}

TEST_CASE(
    "An argument that cannot be written is a typed error before the work, with "
    "persist_when::start") {
    scripted_store store;
    auto calls = 0;
    auto const wrapped =
        recoup::with_recovery([&](plan const&) { return ++calls; },
                              persist(store, {.name = "op", .when = persist_when::start}, one_key));
    auto const end = wrapped(not_utf8);
    CHECK(end.error().category() == category::invalid_input);
    CHECK(end.error().stopped() == stop_reason::not_retryable);
    CHECK_THROWS_AS(end.value(), nlohmann::json::exception);
    CHECK(calls == 0);
    CHECK(store.calls.empty());
}

TEST_CASE(
    "With persist_when::failure such an argument leaves the operation unprotected, and an event "
    "says so") {
    for (auto const then : {on_store_failure::proceed, on_store_failure::stop}) {
        scripted_store store;
        event_recorder seen;
        auto calls = 0;
        auto const wrapped = recoup::with_recovery(
            [&](plan const&) -> result<int> {
                if (++calls < 3) return std::make_error_code(std::errc::connection_reset);
                return calls;
            },
            retry{.backoff = recoup::constant(0ms)},
            persist(store, {.name = "op", .on_store_failure = then}, one_key), std::ref(seen));
        auto const end = wrapped(not_utf8);
        if (then == on_store_failure::proceed) {
            CHECK(end.value() == 3);
            CHECK(seen.count(event_kind::store_failed) == 2);
        } else {
            CHECK(end.error().stopped() == stop_reason::store_failed);
            CHECK(end.error().category() == category::network_connection);
            CHECK(calls == 1);
        }
        CHECK(records(store).empty());
    }
}

TEST_CASE("A result that cannot be written is lost with stop, and not kept with proceed") {
    for (auto const then : {on_store_failure::proceed, on_store_failure::stop}) {
        scripted_store store;
        event_recorder seen;
        auto const wrapped = recoup::with_recovery(
            [](int) { return not_utf8; },
            persist(
                store,
                {.name = "op", .when = persist_when::start, .retain = 1h, .on_store_failure = then},
                one_key),
            std::ref(seen));
        auto const end = wrapped(1);
        CHECK(seen.count(event_kind::store_failed) == 1);
        CHECK(records(store).empty());
        if (then == on_store_failure::proceed) {
            CHECK(end.value() == not_utf8);
        } else {
            CHECK(end.error().stopped() == stop_reason::store_failed);
            CHECK_THROWS_AS(end.value(), nlohmann::json::exception);
        }
    }
}
