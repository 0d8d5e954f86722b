// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/persist.hpp>

#include <recoup/testing/event_recorder.hpp>
#include <recoup/testing/fault_plan.hpp>
#include <recoup/testing/manual_clock.hpp>
#include <recoup/with_recovery.hpp>

#include "store/persist_support.hpp"
#include "support/catch.hpp"

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

// What is written when, what is given back, and what is refused.

namespace {

using namespace std::chrono_literals;
using namespace recoup_test;
using recoup::attempt;
using recoup::category;
using recoup::failure;
using recoup::persist;
using recoup::persist_when;
using recoup::record_status;
using recoup::result;
using recoup::retry;
using recoup::stop_reason;
using recoup::with_recovery;
using recoup::testing::event_recorder;
using recoup::testing::fault_plan;
using recoup::testing::manual_clock;
using trace = std::vector<std::string>;

auto const by_ten = retry{.max_attempts = 3, .backoff = recoup::linear(10ms, 1s)};
auto const key_is_input = [](auto const& key, auto const&...) { return key; };
auto const echo = [](std::string const& text) { return text + "!"; };

}  // namespace

TEST_CASE("With persist_when::failure a success at once touches no store and writes nothing") {
    scripted_store store;
    event_recorder seen;
    auto const wrapped = with_recovery(echo, persist(store, "op", key_is_input), std::ref(seen));
    CHECK(wrapped(std::string{"k"}).value() == "k!");
    CHECK(store.calls.empty());
    CHECK(seen.trace() == trace{"operation_started", "attempt_started 1", "operation_succeeded 1"});
    CHECK(seen.events()[0].operation == "op");
    CHECK(seen.events()[0].key == "k");
}

TEST_CASE("A store without a filter is asked once, and still nothing is written") {
    scripted_store store{.filters = false};
    auto const wrapped = with_recovery(echo, persist(store, "op", key_is_input));
    CHECK(wrapped(std::string{"k"}).value() == "k!");
    CHECK(store.calls == trace{"load"});
}

TEST_CASE(
    "With persist_when::start the intent is there before the first attempt, and gone behind it") {
    scripted_store store;
    manual_clock clock;
    event_recorder seen;
    auto const wrapped = with_recovery(
        [&](std::string const& text) {
            auto const kept = only_record(store);
            CHECK(kept.status == record_status::running);
            CHECK(kept.attempts == 1);
            CHECK(kept.spent == 0);
            CHECK(kept.id == recoup::operation_id{"space", "op", "k"});
            CHECK(kept.created == clock.system_now());
            CHECK(kept.due == recoup::system_time{});
            return text;
        },
        persist(store, {.name = "op", .when = persist_when::start, .space = "space"}, key_is_input),
        recoup::on(clock), std::ref(seen));
    CHECK(wrapped(std::string{"k"}).value() == "k");
    CHECK(store.calls == trace{"save", "erase"});
    CHECK(records(store).empty());
    CHECK(seen.trace() ==
          trace{"operation_started", "recorded", "attempt_started 1", "operation_succeeded 1"});
}

TEST_CASE("Before every retry the attempt, the budget, the due time and the failure are recorded") {
    for (auto const when : {persist_when::failure, persist_when::start}) {
        scripted_store store;
        auto kept = std::vector<recoup::record>{};
        manual_clock clock{
            {.on_wait = [&](recoup::duration) { kept.push_back(only_record(store)); }}};
        event_recorder seen;
        fault_plan faults{"fail,rate_limited,ok"};
        auto const wrapped = with_recovery(
            faults.wrap(echo),
            retry{.max_attempts = 3,
                  .backoff = recoup::linear(10ms, 1s),
                  .per_category = {{category::rate_limited,
                                    {.max_attempts = 3, .backoff = recoup::constant(1h)}}}},
            persist(store, {.name = "op", .when = when}, key_is_input), recoup::on(clock),
            std::ref(seen));
        auto const began = clock.system_now();
        CHECK(wrapped(std::string{"k"}).value() == "k!");
        REQUIRE(kept.size() == 2);
        CHECK(kept[0].attempts == 2);
        CHECK(kept[0].spent == 1);
        CHECK(kept[0].delay == 10ms);
        CHECK(kept[0].due == began + 10ms);
        CHECK(kept[0].last_failure->category == category::network_connection);
        CHECK(kept[0].last_failure->code_category == "generic");
        CHECK(kept[0].status == record_status::running);
        CHECK(kept[1].attempts == 3);
        CHECK(kept[1].spent == 1);
        CHECK(kept[1].spent_by_category[static_cast<std::size_t>(category::rate_limited)] == 1);
        CHECK(kept[1].delay == 1h);
        CHECK(kept[1].due == began + 10ms + 1h);
        CHECK(kept[1].fingerprint == kept[0].fingerprint);
        CHECK(records(store).empty());
        auto expected = trace{"operation_started",
                              "attempt_started 1",
                              "attempt_failed 1 network_connection",
                              "recorded 1",
                              "retry_scheduled 1 network_connection 10ms",
                              "attempt_started 2",
                              "attempt_failed 2 rate_limited",
                              "recorded 2",
                              "retry_scheduled 2 rate_limited 3600s",
                              "attempt_started 3",
                              "operation_succeeded 3"};
        if (when == persist_when::start) expected.insert(expected.begin() + 1, "recorded");
        CHECK(seen.trace() == expected);
    }
}

TEST_CASE("A terminal failure is recorded, and its text is redacted and cut") {
    scripted_store store;
    manual_clock clock;
    auto const wrapped = with_recovery(
        [](std::string const&) -> result<int> {
            return failure{category::permission,
                           "no: https://me:secret@host/ " + std::string(5000, 'x')};
        },
        persist(store, {.name = "op", .retain_failed = 1h}, key_is_input), recoup::on(clock));
    auto const failed = wrapped(std::string{"k"});
    CHECK(failed.error().stopped() == stop_reason::not_retryable);
    auto const kept = only_record(store);
    CHECK(kept.status == record_status::failed);
    CHECK(kept.attempts == 1);
    CHECK(kept.expires == clock.system_now() + 1h);
    CHECK(kept.last_failure->category == category::permission);
    CHECK(kept.last_failure->message.size() <= 1024);
    CHECK(kept.last_failure->message.find("secret") == std::string::npos);
    CHECK(store.calls == trace{"save"});
}

TEST_CASE("A retained success is given back to the same key and input, until it expires") {
    scripted_store store;
    manual_clock clock;
    event_recorder seen;
    auto calls = 0;
    auto const wrapped = with_recovery(
        [&](std::string const& key, int x) {
            ++calls;
            return key + std::to_string(x);
        },
        persist(store, {.name = "op", .when = persist_when::start, .retain = 1h}, key_is_input),
        recoup::on(clock), std::ref(seen));
    CHECK(wrapped(std::string{"k"}, 1).value() == "k1");
    CHECK(only_record(store).status == record_status::succeeded);
    seen.clear();
    clock.advance(1h - 1ns);
    CHECK(wrapped(std::string{"k"}, 1).value() == "k1");
    CHECK(calls == 1);
    CHECK(seen.trace() == trace{"operation_started", "operation_replayed", "operation_succeeded"});
    CHECK(wrapped(std::string{"other"}, 1).value() == "other1");
    CHECK(calls == 2);

    auto const mismatch = wrapped(std::string{"k"}, 2);
    CHECK(mismatch.error().stopped() == stop_reason::input_mismatch);
    CHECK(mismatch.error().code() == recoup::errc::input_mismatch);
    CHECK(calls == 2);

    clock.advance(1ns);
    CHECK(wrapped(std::string{"k"}, 2).value() ==
          "k2");  // expired, whether it was cleaned up or not
    CHECK(calls == 3);
    CHECK(wrapped(std::string{"k"}, 2).value() == "k2");
    CHECK(calls == 3);
}

TEST_CASE("With persist_when::failure only an operation that has a record keeps its result") {
    scripted_store store;
    manual_clock clock;
    auto calls = 0;
    auto const wrapped = with_recovery(
        [&](std::string const& key) -> result<std::string> {
            if (++calls == 2) return std::make_error_code(std::errc::timed_out);
            return key + std::to_string(calls);
        },
        by_ten, persist(store, {.name = "op", .retain = 1h}, key_is_input), recoup::on(clock));
    CHECK(wrapped(std::string{"k"}).value() == "k1");
    CHECK(records(store).empty());
    CHECK(wrapped(std::string{"k"}).value() == "k3");  // one failure: it has a record
    CHECK(only_record(store).status == record_status::succeeded);
    CHECK(only_record(store).attempts == 2);
    CHECK(wrapped(std::string{"k"}).value() == "k3");
    CHECK(calls == 3);
}

TEST_CASE("A success of nothing, and a recorded value of another type, are told apart") {
    scripted_store store;
    auto const options =
        recoup::persist_options{.name = "op", .when = persist_when::start, .retain = 1h};
    auto calls = 0;
    auto const nothing =
        with_recovery([&](std::string const&) { ++calls; }, persist(store, options, key_is_input));
    CHECK(nothing(std::string{"k"}).has_value());
    CHECK(nothing(std::string{"k"}).has_value());
    CHECK(calls == 1);
    auto const number = with_recovery([&](std::string const&) { return ++calls; },
                                      persist(store, options, key_is_input));
    auto const unreadable = number(std::string{"k"});
    CHECK(unreadable.error().code() == recoup::errc::value_unreadable);
    CHECK(calls == 1);
    CHECK(only_record(store).status == record_status::succeeded);  // it is kept
}

TEST_CASE("A result that cannot be encoded, but is to be kept, is refused before any work") {
    struct opaque {};
    scripted_store store;
    auto calls = 0;
    auto const wrapped = with_recovery(
        [&](std::string const&) {
            ++calls;
            return opaque{};
        },
        persist(store, {.name = "op", .retain = 1h}, key_is_input));
    auto const refused = wrapped(std::string{"k"});
    CHECK(refused.error().code() == recoup::errc::result_unstorable);
    CHECK(refused.error().attempts() == 0);
    CHECK(calls == 0);
    CHECK(store.calls.empty());
    auto const unretained = with_recovery(
        [&](std::string const&) {
            ++calls;
            return opaque{};
        },
        persist(store, "op", key_is_input));
    CHECK(unretained(std::string{"k"}).has_value());
}

TEST_CASE("A key is any text or integer that a function makes of the arguments") {
    scripted_store store;
    auto keys = std::vector<std::string>{};
    auto const watch = [&](recoup::event const& what) {
        if (what.kind == recoup::event_kind::operation_started) keys.emplace_back(what.key);
    };
    auto const call = [&](auto key) {
        CHECK(with_recovery([](std::string const&) {}, persist(store, "op", std::move(key)),
                            watch)(std::string{"abc"})
                  .has_value());
    };
    call([](std::string const& text) { return text; });
    call([](std::string const& text) -> std::string const& { return text; });
    call([](std::string const& text) { return text + std::string(300, '+'); });
    call([](std::string const& text) { return text + std::string(109, '+'); });
    call([](std::string const& text) { return std::string_view{text}.substr(1); });
    call([](std::string const&) { return "literal"; });
    call([](std::string const& text) { return std::filesystem::path{text} / "x"; });
    call([](auto const&...) { return -7; });
    call([](auto const&...) { return UINT64_MAX; });
    call([](auto const&...) { return true; });
    CHECK(keys == trace{"abc", "abc", "abc" + std::string(300, '+'), "abc" + std::string(109, '+'),
                        "bc", "literal", "abc/x", "-7", "18446744073709551615", "true"});
}

TEST_CASE("A key that is empty, too long or not printable is refused before any work") {
    scripted_store store;
    event_recorder seen;
    auto calls = 0;
    auto const wrapped = with_recovery([&](std::string const&) { ++calls; },
                                       persist(store, "op", key_is_input), std::ref(seen));
    for (auto const& bad : {std::string{}, std::string(513, 'x'), std::string{"a\nb"},
                            std::string("a\0b", 3), std::string{"\xff"}}) {
        auto const refused = wrapped(bad);
        CHECK(refused.error().code() == recoup::errc::key_invalid);
        CHECK(refused.error().category() == category::invalid_input);
        CHECK(refused.error().stopped() == stop_reason::not_retryable);
        CHECK(refused.error().attempts() == 0);
    }
    CHECK(calls == 0);
    CHECK(store.calls.empty());
    CHECK(seen.count(recoup::event_kind::operation_failed) == 5);
    CHECK(wrapped(std::string(512, 'x')).has_value());
}

TEST_CASE("A name that cannot be one is refused where it is given") {
    recoup::memory_store store;
    CHECK_THROWS_AS(persist(store, "", key_is_input), std::invalid_argument);
    CHECK_THROWS_AS(persist(store, "a\nb", key_is_input), std::invalid_argument);
    CHECK_THROWS_AS(persist(store, std::string(513, 'x'), key_is_input), std::invalid_argument);
    CHECK_THROWS_AS(persist(store, {.name = "op", .space = "\x01"}, key_is_input),
                    std::invalid_argument);
    CHECK_THROWS_AS(persist(store, {.name = ""}, key_is_input), std::invalid_argument);
    CHECK(persist(store, {.name = "op", .space = "space"}, key_is_input).options().space ==
          "space");
    CHECK(persist(store, std::string{"op"}, key_is_input).options().name == "op");
}

TEST_CASE(
    "A shared store is kept alive by the wrapper, and operations differ by name, space and key") {
    auto store = std::make_shared<recoup::memory_store>();
    auto const watched = std::weak_ptr{store};
    auto const options = [](char const* name, char const* space) {
        return recoup::persist_options{
            .name = name, .when = persist_when::start, .retain = 1h, .space = space};
    };
    auto calls = 0;
    auto const count = [&](std::string const&) { return ++calls; };
    auto const one = with_recovery(count, persist(store, options("a", ""), key_is_input));
    auto const two = with_recovery(count, persist(store, options("b", ""), key_is_input));
    auto const three =
        with_recovery(count, persist(std::move(store), options("a", "s"), key_is_input));
    CHECK(one(std::string{"k"}).value() == 1);
    CHECK(two(std::string{"k"}).value() == 2);
    CHECK(three(std::string{"k"}).value() == 3);
    CHECK(one(std::string{"k"}).value() == 1);
    CHECK(one(std::string{"l"}).value() == 4);
    CHECK(watched.lock()->size() == 4);
}

TEST_CASE("A stop request or a deadline of nothing ends a call before the store is asked") {
    scripted_store store{.filters = false};
    std::stop_source stop;
    stop.request_stop();
    auto const stopped = with_recovery(
        echo, persist(store, {.name = "op", .when = persist_when::start}, key_is_input),
        stop.get_token());
    CHECK(stopped(std::string{"k"}).error().stopped() == stop_reason::cancelled);
    auto const late = with_recovery(
        echo, persist(store, {.name = "op", .when = persist_when::start}, key_is_input),
        recoup::deadline{0s});
    CHECK(late(std::string{"k"}).error().stopped() == stop_reason::deadline);
    CHECK(store.calls.empty());
}

TEST_CASE("The first checkpoint and the first token write the intent before they return") {
    scripted_store store;
    manual_clock clock;
    event_recorder seen;
    auto const wrapped = with_recovery(
        [&](attempt& current, std::string const&) {
            CHECK(records(store).empty());
            auto const token = current.idempotency_token();
            auto kept = only_record(store);
            CHECK(recoup::detail::token_text(kept.token) == token);
            CHECK(kept.attempts == 1);
            CHECK_FALSE(kept.checkpoint);
            current.save_checkpoint(7);
            kept = only_record(store);
            CHECK(kept.checkpoint == recoup::encoding<int>::encode(7));
            CHECK(recoup::detail::token_text(kept.token) == token);
            CHECK(current.idempotency_token() == token);
        },
        persist(store, "op", key_is_input), recoup::on(clock), std::ref(seen));
    CHECK(wrapped(std::string{"k"}).has_value());
    CHECK(store.calls == trace{"save", "save", "erase"});
    CHECK(seen.trace() == trace{"operation_started", "attempt_started 1", "recorded 1",
                                "recorded 1", "checkpoint_saved 1", "operation_succeeded 1"});
}

TEST_CASE("The input is what it was before the callable changed it") {
    // Otherwise the same call after a crash would look like one with another input.
    scripted_store store;
    manual_clock clock;
    auto const fingerprint = [&](auto callable) {
        auto bytes = std::vector<unsigned char>{1, 2, 3};
        auto const key = [](auto const&...) { return "k"; };
        static_cast<void>(with_recovery(callable, retry{.max_attempts = 1},
                                        persist(store, "op", key), recoup::on(clock))(bytes));
        auto const kept = only_record(store);
        store.inner.erase(kept.id, kept.revision).value();
        return kept.fingerprint;
    };
    auto const before =
        fingerprint([&](std::vector<unsigned char> const&) -> result<int> { return reset; });
    CHECK(fingerprint([&](std::vector<unsigned char>& bytes) -> result<int> {
              bytes.clear();
              return reset;
          }) == before);
    CHECK(fingerprint([&](attempt&, std::vector<unsigned char>& bytes) -> result<int> {
              bytes.clear();
              return reset;
          }) == before);
}
