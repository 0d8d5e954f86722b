// SPDX-License-Identifier: BSL-1.0
#include <recoup/durable/apply_request.hpp>

#include <recoup/store/memory_store.hpp>
#include <recoup/store/store_errc.hpp>

#include "support/catch.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace {

using namespace std::chrono_literals;
using recoup::operation_request;
using recoup::operation_status;
using request_kind = recoup::operation_request::kind;

recoup::system_time const now{std::chrono::seconds{1'767'225'600}};

/// A store with one operation, and somebody who asks for things.
struct stored {
    recoup::memory_store store{};
    std::uint64_t owner = store.enter("test", 10s).value();
    std::uint64_t number = 0;

    explicit stored(operation_status status, std::uint64_t run_by = 0) {
        recoup::operation_record head;
        head.id = {"", "copy", "a"};
        head.status = status;
        head.version = "1";
        head.recoveries = 6;
        head.note = "why";
        head.due = now + 1h;
        head.delay = 1h;
        head.expires = now + 24h;
        head.token = {1};
        number = store.start(head, run_by).value().record.number;
    }
    recoup::result<void> apply(request_kind what, std::string text = {}) {
        return recoup::apply_request(store, {what, number, std::move(text)}, owner, now);
    }
    recoup::operation_record head() {
        return store.find(recoup::operation_ref{"", "copy", "a"}).value().value();
    }
};

TEST_CASE("A request to cancel is noted, and leaves the rest of the operation alone") {
    auto made = stored{operation_status::pending};
    auto before = made.head();
    REQUIRE(made.apply(request_kind::cancel));
    before.cancel_requested = true;
    CHECK(made.head() == before);
}

TEST_CASE("A blocked or dead operation that is to be cancelled becomes pending, to be claimed") {
    for (auto const status : {operation_status::blocked, operation_status::dead}) {
        auto made = stored{status};
        REQUIRE(made.apply(request_kind::cancel));
        CHECK(made.head().status == operation_status::pending);
        CHECK(made.head().cancel_requested);
    }
}

TEST_CASE("What has ended cannot be cancelled any more") {
    for (auto const status :
         {operation_status::succeeded, operation_status::failed, operation_status::cancelled}) {
        auto made = stored{status};
        auto const refused = made.apply(request_kind::cancel);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code() == recoup::errc::request_refused);
        CHECK_FALSE(made.head().cancel_requested);
    }
}

TEST_CASE("A dead operation that is retried is pending, due at once and counts from zero") {
    auto made = stored{operation_status::dead};
    REQUIRE(made.apply(request_kind::retry));
    auto const after = made.head();
    CHECK(after.status == operation_status::pending);
    CHECK(after.recoveries == 0);
    CHECK(after.due == recoup::system_time{});
    CHECK(after.delay == 0s);
    CHECK(after.note.empty());
    CHECK(after.owner == 0);
    CHECK(after.generation == 1);
    CHECK(after.token == std::array<std::uint8_t, 16>{1});
}

TEST_CASE("A failed operation that is retried begins a new generation with a token of its own") {
    auto made = stored{operation_status::failed};
    REQUIRE(made.apply(request_kind::retry));
    CHECK(made.head().status == operation_status::pending);
    CHECK(made.head().generation == 2);
    CHECK(made.head().token == std::array<std::uint8_t, 16>{});
    CHECK(made.head().expires == recoup::system_time::max());
}

TEST_CASE("What succeeded or runs is not retried") {
    for (auto const status : {operation_status::succeeded, operation_status::running}) {
        auto made = stored{status};
        CHECK(made.apply(request_kind::retry).error().code() == recoup::errc::request_refused);
    }
}

TEST_CASE("An operation that somebody runs is not taken away from them") {
    recoup::operation_record head;
    auto made = stored{operation_status::pending, 1};  // the asker's own number, and alive
    CHECK(made.apply(request_kind::retry).error().code() == recoup::store_errc::owned);
}

TEST_CASE("To accept a version writes it and lets the blocked operation go on") {
    auto made = stored{operation_status::blocked};
    REQUIRE(made.apply(request_kind::accept, "2"));
    CHECK(made.head().status == operation_status::pending);
    CHECK(made.head().version == "2");
    CHECK(made.head().note.empty());
}

TEST_CASE("To accept without a version keeps the one that is recorded") {
    auto made = stored{operation_status::blocked};
    REQUIRE(made.apply(request_kind::accept));
    CHECK(made.head().version == "1");
}

TEST_CASE("Only a blocked operation takes a version, and only one that can be stored") {
    auto pending = stored{operation_status::pending};
    CHECK(pending.apply(request_kind::accept, "2").error().code() == recoup::errc::request_refused);
    auto blocked = stored{operation_status::blocked};
    CHECK(blocked.apply(request_kind::accept, "\x01").error().code() == recoup::errc::key_invalid);
    CHECK(blocked.head().status == operation_status::blocked);
}

TEST_CASE("A request for what is not there says so") {
    auto made = stored{operation_status::pending};
    for (auto const number : {std::uint64_t{0}, made.number + 1}) {
        auto const refused =
            recoup::apply_request(made.store, {request_kind::cancel, number, ""}, made.owner, now);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code() == recoup::errc::no_such_operation);
    }
}

}  // namespace
