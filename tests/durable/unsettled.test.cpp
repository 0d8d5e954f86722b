// SPDX-License-Identifier: BSL-1.0
#include <recoup/durable.hpp>

#include <recoup/testing.hpp>

#include "durable_support.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// A store that does not answer for a while, in the midst of anything, leaves nothing behind that a living
// process owns and nobody runs: which nobody else could take up as long as that process lives.

namespace {

using namespace std::chrono_literals;
using durable_test::by_hand;
using durable_test::crashing_store;
using recoup::operation;
using recoup::operation_status;

/// Everything that makes an operation one's own, or gives it back.
struct program {
    explicit program(crashing_store& on)
        : store{on},
          ops{on, by_hand(), recoup::on(clock)},
          job{ops.define("job", body)},
          parent{
              ops.define("parent", [this](operation& op) { return op.run(job, "child").value(); })},
          picky{ops.define("picky", [this](operation& op) -> recoup::result<int> {
              op.step("a", [] {}).value();
              if (refuses) return recoup::failure{recoup::category::invalid_input, "not this"};
              return 1;
          })} {}

    static int body(operation& op) {
        op.step({.name = "a", .undo = [](int) {}}, [] { return 1; }).value();
        op.sleep_for(1h);
        op.step("b", [] {}).value();
        return 1;
    }

    void live() {
        static_cast<void>(job.run_with({.deadline = 1min}, "one"));
        static_cast<void>(job.run_with({.deadline = 1min}, "two"));
        static_cast<void>(ops.cancel("job", "two"));
        static_cast<void>(job.run("two"));
        static_cast<void>(parent.run_with({.deadline = 1min}, "p"));
        static_cast<void>(ops.cancel("parent", "p"));
        static_cast<void>(job.run_with({.deadline = 1min}, "asked for once"));
        static_cast<void>(picky.run("k"));
        refuses = false;
        static_cast<void>(ops.retry("picky", "k"));
        clock.advance(2h);
        static_cast<void>(ops.resume());
        static_cast<void>(job.run("one"));
    }

    crashing_store& store;
    recoup::testing::manual_clock clock;
    recoup::operations ops;
    recoup::defined_operation<int()> job;
    recoup::defined_operation<int()> parent;
    recoup::defined_operation<int()> picky;
    bool refuses = true;
};

std::vector<recoup::operation_record> heads(crashing_store& store) {
    return store.inner.operations({}).value();
}

std::string owned_by_somebody(crashing_store& store) {
    std::string all;
    for (auto const& head : heads(store))
        if (head.owner != 0)
            all += head.id.key + " is " + std::string{to_string(head.status)} + "; ";
    return all;
}

TEST_CASE("Whatever call a store fails at, what nobody runs has no owner once it answers again") {
    constexpr std::size_t places_max = 200;
    for (auto const after : {false, true}) {
        for (std::size_t at = 1;; ++at) {
            REQUIRE(at != places_max);
            INFO("call " << at << (after ? ", done without an answer" : ", not done"));
            crashing_store store;
            store.crash_at(at, after);
            program mine{store};
            mine.live();
            auto const failed = store.crashed();
            store.revive();
            mine.ops.keep_house();
            CHECK(owned_by_somebody(store) == "");
            // And it goes on in this process, without another word.
            mine.clock.advance(2h);
            static_cast<void>(mine.ops.resume());
            for (auto const& head : heads(store)) CHECK(recoup::has_ended(head.status));
            if (!failed) {
                CHECK(at > 40);
                break;
            }
        }
    }
}

TEST_CASE("A wish to cancel is obeyed by the next look after the store, where it failed at that") {
    crashing_store store;
    program mine{store};
    CHECK_FALSE(mine.job.run_with({.deadline = 1min}, "k").has_value());
    CHECK(store.head("job", "k").status == operation_status::pending);

    SECTION("when the operation was to be taken") {
        store.crash_at(2, false);
        CHECK(mine.ops.cancel("job", "k").has_value());
    }
    SECTION("when it was to be ended") {
        store.crash_at(3, false);
        CHECK(mine.ops.cancel("job", "k").has_value());
    }
    CHECK(store.crashed());
    mine.ops.keep_house();
    CHECK_FALSE(recoup::has_ended(store.head("job", "k").status));
    store.revive();
    mine.ops.keep_house();
    auto const head = store.head("job", "k");
    CHECK(head.status == operation_status::cancelled);
    CHECK(head.owner == 0);
}

TEST_CASE("An operation whose beginning was not answered is free for others after the next look") {
    crashing_store store;
    program mine{store};
    store.crash_at(1, true);
    CHECK(mine.job.run("k").error().stopped() == recoup::stop_reason::store_failed);
    store.revive();
    CHECK(store.head("job", "k").owner != 0);
    mine.ops.keep_house();
    CHECK(store.head("job", "k").owner == 0);
}

/// A store that fails at a single write, or at a single wish.
struct failing_once : crashing_store {
    bool fails = false;
    std::size_t wish_fails = 0;  ///< the how manieth from now; 0: none

    recoup::result<recoup::write_receipt> write(recoup::operation_write const& what,
                                                recoup::duration at_most = recoup::unlimited) {
        if (std::exchange(fails, false))
            return recoup::detail::store_failure(recoup::store_errc::unavailable, "not now");
        return crashing_store::write(what, at_most);
    }
    recoup::result<void> request_cancel(std::uint64_t number) {
        if (wish_fails != 0 && --wish_fails == 0)
            return recoup::detail::store_failure(recoup::store_errc::unavailable, "not now");
        return crashing_store::request_cancel(number);
    }
};
static_assert(recoup::durable_store<failing_once>);

TEST_CASE(
    "A wish to cancel that a run could not hear of, since the store failed, is obeyed later") {
    failing_once store;
    recoup::testing::manual_clock clock;
    recoup::operations ops{store, by_hand(), recoup::on(clock)};
    auto job = ops.define("job", [&](operation& op) {
        REQUIRE(store.inner.request_cancel(op.number()).has_value());
        store.fails = true;
        op.step("a", [] {}).value();
    });
    CHECK(job.run("k").error().stopped() == recoup::stop_reason::store_failed);
    CHECK(store.head("job", "k").owner == 0);
    ops.keep_house();
    CHECK(store.head("job", "k").status == operation_status::cancelled);
}

TEST_CASE("A cancelled operation does not end before its children were told") {
    failing_once store;
    for (auto life = 0; life != 2; ++life) {
        recoup::operations ops{store, by_hand()};
        auto child = ops.define("child", [&](operation& op) {
            static_cast<void>(ops.shutdown(0s));
            op.step("never", [] { FAIL("a step was run"); }).value();
        });
        auto parent = ops.define("parent", [&](operation& op) { op.run(child, "c").value(); });
        if (life == 0) {
            CHECK(parent.run("p").error().stopped() == recoup::stop_reason::shut_down);
            continue;
        }
        store.wish_fails = 2;
        CHECK(ops.cancel("parent", "p").has_value());
        CHECK_FALSE(recoup::has_ended(store.head("parent", "p").status));
        ops.keep_house();
        CHECK(store.head("parent", "p").status == operation_status::cancelled);
        CHECK(store.head("child", "c").status == operation_status::cancelled);
    }
}

/// A store that somebody else asks for things, each of which it hands on once.
struct asked_store : crashing_store {
    std::vector<recoup::operation_request> asked{};

    recoup::result<std::vector<recoup::operation_request>> requests() {
        return std::exchange(asked, {});
    }
};

TEST_CASE("What somebody asks for is not forgotten where the store fails at it") {
    constexpr std::size_t places_max = 20;
    using kind = recoup::operation_request::kind;
    for (auto const what : {kind::retry, kind::cancel}) {
        for (std::size_t at = 1;; ++at) {
            REQUIRE(at != places_max);
            INFO("call " << at);
            asked_store store;
            recoup::testing::manual_clock clock;
            auto refuses = true;
            recoup::operations ops{store, by_hand(), recoup::on(clock)};
            auto job = ops.define("job", [&](operation& op) -> recoup::result<void> {
                op.sleep_for(refuses ? 0h : 1h);
                if (refuses) return recoup::failure{recoup::category::permission, "not this"};
                return recoup::success();
            });
            if (what == kind::cancel) refuses = false;
            CHECK_FALSE(job.run_with({.deadline = 1min}, "k").has_value());
            refuses = false;
            store.asked.push_back({what, store.head("job", "k").number, {}});
            store.crash_at(at, false);
            ops.keep_house();
            auto const failed = store.crashed();
            store.revive();
            ops.keep_house();
            CHECK(store.head("job", "k").status ==
                  (what == kind::retry ? operation_status::pending : operation_status::cancelled));
            CHECK(owned_by_somebody(store) == "");
            if (!failed) {
                CHECK(at > 1);
                break;
            }
        }
    }
}

TEST_CASE("What runs is not taken from who runs it when others are given back") {
    crashing_store store;
    program mine{store};
    auto runs = mine.ops.define("long", [&](operation& op) {
        op.step("a", [] {}).value();
        // Its claim was lost: it has an owner, and nobody that runs it.
        REQUIRE(store.inner
                    .start(
                        [] {
                            recoup::operation_record head;
                            head.id = {"", "job", "lost"};
                            head.status = operation_status::pending;
                            return head;
                        }(),
                        0)
                    .has_value());
        store.crash_at(1, true);
        static_cast<void>(mine.ops.resume());
        store.revive();
        CHECK(store.head("job", "lost").owner != 0);
        mine.ops.keep_house();
        CHECK(store.head("job", "lost").owner == 0);
        CHECK(store.head("long", "k").owner != 0);
        return op.step("b", [] { return 7; }).value();
    });
    auto const got = runs.run("k");
    REQUIRE(got.has_value());
    CHECK(got.value() == 7);
}

/// A store that fails at every tenth call or so, half of them after it has done what was asked.
class flaky_store : public crashing_store {
  public:
    explicit flaky_store(std::uint32_t seed) : random_{seed} {}

    void recover() {
        std::lock_guard const lock{mutex_};
        fails_ = false;
    }

    auto start(recoup::operation_record const& head, std::uint64_t owner, recoup::duration most) {
        return maybe([&] { return crashing_store::start(head, owner, most); });
    }
    auto claim(recoup::claim_request const& request) {
        return maybe([&] { return crashing_store::claim(request); });
    }
    auto take(std::uint64_t number, std::uint64_t epoch, std::uint64_t owner) {
        return maybe([&] { return crashing_store::take(number, epoch, owner); });
    }
    auto write(recoup::operation_write const& what, recoup::duration = recoup::unlimited) {
        return maybe([&] { return crashing_store::write(what); });
    }
    auto request_cancel(std::uint64_t number) {
        return maybe([&] { return crashing_store::request_cancel(number); });
    }

  private:
    template <class Call>
    auto maybe(Call&& call) -> decltype(call()) {
        auto const drawn = draw();
        auto const lost = recoup::detail::store_failure(recoup::store_errc::unavailable, "flaky");
        if (drawn == 0) return lost;
        auto done = call();
        if (drawn == 1) return lost;
        return done;
    }
    std::uint32_t draw() {
        std::lock_guard const lock{mutex_};
        return fails_ ? static_cast<std::uint32_t>(random_() % 20) : 20;
    }

    std::mutex mutex_;
    std::minstd_rand random_;
    bool fails_ = true;
};
static_assert(recoup::durable_store<flaky_store>);

TEST_CASE("After a time of failures all that threads have begun comes to its end by itself",
          "[concurrent]") {
    constexpr std::size_t threads = 4;
    constexpr std::size_t each = 50;
    flaky_store store{1};
    std::atomic<std::size_t> repeated = 0;
    {
        recoup::operations ops{store, recoup::operations_options{.poll = 2ms}};
        auto job = ops.define("job", {.recoveries_max = 1'000'000}, [&](operation& op, int number) {
            for (auto const* step : {"a", "b", "c"})
                op.step(step, [&] {
                      if (store.recorded("job", std::to_string(number), step)) ++repeated;
                  }).value();
        });
        ops.resume_async();
        {
            std::vector<std::jthread> users;
            for (std::size_t user = 0; user != threads; ++user)
                users.emplace_back([&, user] {
                    for (std::size_t i = 0; i != each; ++i) {
                        auto const number = static_cast<int>(user * each + i);
                        auto const key = std::to_string(number);
                        static_cast<void>(job.run_with({.deadline = 1s}, key, number));
                        if (i % 5 == 0) static_cast<void>(ops.cancel("job", key));
                    }
                });
        }
        store.recover();
        auto const open = [&] {
            auto const all = heads(store);
            return std::count_if(all.begin(), all.end(), [](auto const& head) {
                return !recoup::has_ended(head.status) || head.owner != 0;
            });
        };
        auto const until = std::chrono::steady_clock::now() + 60s;
        while (open() != 0 && std::chrono::steady_clock::now() < until)
            std::this_thread::sleep_for(1ms);
        CHECK(open() == 0);
    }
    CHECK(repeated == 0);
    CHECK(owned_by_somebody(store) == "");
}

}  // namespace
