// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/journal_store.hpp>

#include <recoup/observe/on_event.hpp>
#include <recoup/store/persist.hpp>
#include <recoup/testing/event_recorder.hpp>
#include <recoup/testing/manual_clock.hpp>
#include <recoup/with_recovery.hpp>

#include "store/journal_support.hpp"
#include "store/persist_support.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <pthread.h>

// Operations that begin, succeed at once, and never become a record.

namespace {

using namespace journal_test;
using namespace std::chrono_literals;
using recoup::attempt;
using recoup::journal_store;
using recoup::persist_when;
using recoup::record_status;
using recoup::result;
using recoup::retry;
using recoup::testing::event_recorder;
using recoup::testing::manual_clock;
using trace = std::vector<std::string>;

using work = std::function<result<int>(attempt&)>;

/// One run of the operation `op` with key `key` on a journal.
result<int> run(journal_store& store, std::string const& key, work const& what,
                trace* seen = nullptr, int input = 0) {
    manual_clock clock;
    event_recorder recorder;
    auto const wrapped = recoup::with_recovery(
        [&](attempt& current, std::string const&, int) { return what(current); },
        retry{.max_attempts = 5, .backoff = recoup::constant(0ms)},
        recoup::persist(store, {.name = "op", .when = persist_when::start},
                        [](std::string const& k, int) { return k; }),
        recoup::on(clock), std::ref(recorder));
    auto end = wrapped(key, input);
    if (seen != nullptr) *seen = recorder.trace();
    return end;
}

}  // namespace

TEST_CASE(
    "A success at once writes nothing to the journal, and what is seen is as with any store") {
    folder const in;
    journal_store store{in / "kept.journal", anywhere()};
    auto const before = store.window().written;
    auto seen = trace{};
    CHECK(run(store, "1", [](attempt&) -> result<int> { return 7; }, &seen).value() == 7);
    CHECK(seen ==
          trace{"operation_started", "recorded", "attempt_started 1", "operation_succeeded 1"});
    CHECK(store.window().written == before);
    CHECK(store.size() == 0);
}

TEST_CASE("What was in flight when the process ended is a record at the next opening") {
    folder const in;
    folder const left;
    {
        journal_store store{in / "kept.journal", anywhere()};
        CHECK(run(store, "other", [](attempt&) -> result<int> { return 1; }).has_value());
        CHECK(run(store, "1", [&](attempt&) -> result<int> {
                  CHECK(run(store, "2", [&](attempt&) -> result<int> {
                            in.copy_to(left);
                            return 2;
                        }).has_value());
                  return 1;
              }).has_value());
    }
    for (auto const look : {true, false}) {
        auto options = anywhere();
        options.read_only = look;
        journal_store store{left / "kept.journal", options};
        if (look) {
            CHECK(store.in_flight().size() == 2);
            continue;
        }
        CHECK(store.recovery().resumed == 2);
        CHECK(store.recovery().torn_slots == 0);
        auto const found = store.list().value();
        REQUIRE(found.size() == 2);
        CHECK(found[0].id == recoup::operation_id{"", "op", "1"});
        CHECK(found[0].status == record_status::running);
        CHECK(found[0].attempts == 1);
        CHECK(store.may_contain(found[0].id));
        auto seen = trace{};
        CHECK(run(
                  store, "1",
                  [](attempt& current) -> result<int> {
                      CHECK(current.number() == 2);
                      CHECK(current.resumed());
                      return 3;
                  },
                  &seen)
                  .value() == 3);
        CHECK(seen == trace{"operation_started", "operation_resumed 1", "recorded 1",
                            "attempt_started 2", "operation_succeeded 2"});
        CHECK(run(
                  store, "2", [](attempt&) -> result<int> { return 3; }, nullptr, 9)
                  .error()
                  .code() == recoup::errc::input_mismatch);
        CHECK(store.size() == 1);
    }
    // They are records now, and not found in flight for a second time.
    journal_store store{left / "kept.journal", anywhere()};
    CHECK(store.recovery().resumed == 0);
    CHECK(store.size() == 1);
}

TEST_CASE("A slot that was torn is counted and not believed") {
    folder const in;
    folder const left;
    {
        journal_store store{in / "kept.journal", anywhere()};
        CHECK(run(store, "1", [&](attempt&) -> result<int> {
                  in.copy_to(left);
                  return 1;
              }).has_value());
    }
    auto const path = left / "kept.journal.slots";
    auto const whole = file_bytes(path);
    using slots = recoup::detail::journal_slots;
    auto const text = whole.find("op1");
    auto const slot = slots::head_bytes +
                      (text - slots::texts_begin) / slots::identity_bytes_max * slots::slot_bytes;
    for (auto const at :
         {slot + 8, slot + 17, slot + 25, slot + 32, slot + 34, slot + 36, text, text + 2}) {
        auto torn = whole;
        torn[at] = static_cast<char>(torn[at] ^ 0x01);
        folder copy;
        left.copy_to(copy);
        write_file(copy / "kept.journal.slots", torn);
        journal_store store{copy / "kept.journal", anywhere()};
        INFO("byte " << at);
        CHECK(store.recovery().torn_slots == 1);
        CHECK(store.recovery().resumed == 0);
    }
    // Slots that another start of the machine left say nothing.
    auto booted = whole;
    booted[20] = booted[20] == 'a' ? 'b' : 'a';
    write_file(path, booted);
    journal_store store{left / "kept.journal", anywhere()};
    CHECK(store.recovery().resumed == 0);
}

TEST_CASE("A failure makes a record of what was in a slot, and a checkpoint does") {
    folder const in;
    folder const left;
    journal_store store{in / "kept.journal", anywhere()};
    auto seen = trace{};
    CHECK(run(
              store, "1",
              [&](attempt& current) -> result<int> {
                  if (current.number() == 1) return recoup_test::reset;
                  CHECK(store.size() == 1);
                  in.copy_to(left);
                  return 1;
              },
              &seen)
              .has_value());
    CHECK(store.size() == 0);
    CHECK(run(store, "2", [&](attempt& current) -> result<int> {
              current.save_checkpoint(5);
              CHECK(store.size() == 1);
              return 1;
          }).has_value());
    CHECK(store.size() == 0);
    CHECK(run(store, "3", [&](attempt&) -> result<int> {
              return recoup::failure{recoup::category::permission};
          }).has_value() == false);
    CHECK(store.load({"", "op", "3"}).value()->status == record_status::failed);
    journal_store next{left / "kept.journal", anywhere()};
    CHECK(next.recovery().resumed == 0);  // the record says it all
    CHECK(next.load({"", "op", "1"}).value()->attempts == 2);
}

TEST_CASE("The same operation at once is joined, not run twice, whichever way it began",
          "[concurrent]") {
    folder const in;
    journal_store store{in / "kept.journal", anywhere()};
    for (auto const fails_first : {false, true}) {
        std::atomic<int> runs{0};
        std::atomic<bool> began{false};
        std::atomic<bool> joined{false};
        auto const body = [&](attempt& current) -> result<int> {
            if (fails_first && current.number() == 1) return recoup_test::reset;
            ++runs;
            began = true;
            while (!joined) std::this_thread::yield();
            return 5;
        };
        auto first = result<int>{0};
        std::thread other{[&] { first = run(store, "1", body); }};
        while (!began) std::this_thread::yield();
        manual_clock clock;
        auto const on_event = [&](recoup::event const& what) {
            if (what.kind == recoup::event_kind::operation_joined) joined = true;
        };
        auto const wrapped = recoup::with_recovery(
            [&](attempt& current, std::string const&, int) { return body(current); },
            retry{.max_attempts = 5, .backoff = recoup::constant(0ms)},
            recoup::persist(store, {.name = "op", .when = persist_when::start},
                            [](std::string const& k, int) { return k; }),
            recoup::on(clock), recoup::on_event(on_event));
        CHECK(wrapped(std::string{"1"}, 0).value() == 5);
        other.join();
        CHECK(first.value() == 5);
        CHECK(runs <= 2);  // a second run only where the first had ended before the wait began
    }
    CHECK(run(store, "1",
              [&](attempt&) { return run(store, "1", [](attempt&) -> result<int> { return 1; }); })
              .error()
              .code() == recoup::errc::joins_itself);
}

TEST_CASE("Many threads on few keys never run one of them twice at the same time", "[concurrent]") {
    folder const in;
    journal_store store{in / "kept.journal", anywhere()};
    constexpr int key_count = 3;
    std::atomic<int> inside[key_count]{};
    std::atomic<int> overlaps{0};
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int i = 0; i != 4; ++i)
        threads.emplace_back([&, i] {
            for (int j = 0; j != 400; ++j) {
                auto const key = (i + j) % key_count;
                auto const end =
                    run(store, std::to_string(key), [&](attempt& current) -> result<int> {
                        if (inside[key].fetch_add(1) != 0) ++overlaps;
                        if (j % 7 == 0) std::this_thread::yield();
                        inside[key].fetch_sub(1);
                        if (j % 5 == 0 && current.number() == 1) return recoup_test::reset;
                        return key;
                    });
                if (!end.has_value() || end.value() != key) ++wrong;
            }
        });
    for (auto& thread : threads) thread.join();
    CHECK(overlaps == 0);
    CHECK(wrong == 0);
    CHECK(store.size() == 0);
}

TEST_CASE(
    "An identity too long for a slot, and a table whose slots are taken, go the ordinary way") {
    folder const in;
    journal_store store{in / "kept.journal", anywhere()};
    auto const before = store.window().written;
    CHECK(run(store, std::string(400, 'k'), [](attempt&) -> result<int> { return 1; }).has_value());
    CHECK(store.window().written > before);
    std::function<int(int)> nest = [&](int depth) -> int {
        return run(store, std::to_string(depth),
                   [&](attempt&) -> result<int> { return depth == 0 ? 0 : 1 + nest(depth - 1); })
            .value();
    };
    CHECK(nest(100) == 100);
    CHECK(store.size() == 0);
}

TEST_CASE(
    "An attempt that is abandoned in its slot is still in flight, for this process and the next") {
    folder const in;
    folder const left;
    auto const abandon = [](journal_store& store, std::string const& key) {
        // Nobody may stop the cancellation of a thread: it ends the call in the middle of its attempt.
        std::thread{[&] {
            static_cast<void>(
                run(store, key, [](attempt&) -> result<int> { ::pthread_exit(nullptr); }));
        }}.join();
    };
    auto const resumed = trace{"operation_started", "operation_resumed 1", "recorded 1",
                               "attempt_started 2", "operation_succeeded 2"};
    {
        journal_store store{in / "kept.journal", anywhere()};
        abandon(store, "1");
        abandon(store, "2");
        in.copy_to(left);
        auto const kept = store.load({"", "op", "1"}).value();
        REQUIRE(kept.has_value());
        CHECK(kept->status == record_status::running);
        CHECK(kept->attempts == 1);
        auto seen = trace{};
        CHECK(run(store, "1", [](attempt&) -> result<int> { return 1; }, &seen).has_value());
        CHECK(seen == resumed);
        CHECK(store.size() == 1);
    }
    journal_store store{left / "kept.journal", anywhere()};
    auto seen = trace{};
    CHECK(run(store, "2", [](attempt&) -> result<int> { return 1; }, &seen).has_value());
    CHECK(seen == resumed);
    CHECK(store.size() == 1);
}

TEST_CASE("An abandoned attempt that there is no record for stays in its slot until there is one") {
    folder const in;
    auto options = anywhere();
    options.records_max = 1;
    auto const flown = [&] {
        folder left;
        in.copy_to(left);
        options.read_only = true;
        auto const found = journal_store{left / "kept.journal", options}.in_flight();
        options.read_only = false;
        return found;
    };
    auto const one = recoup::operation_id{"", "op", "1"};
    auto other = some_record("in the way");
    {
        journal_store store{in / "kept.journal", options};
        other.revision = store.save(other).value();
        std::thread{[&] {
            static_cast<void>(
                run(store, "1", [](attempt&) -> result<int> { ::pthread_exit(nullptr); }));
        }}.join();
        CHECK_FALSE(store.load(one).value().has_value());
        CHECK(flown() == std::vector{one});
        // Nobody waits for the one who has gone.
        CHECK(run(store, "1", [](attempt&) -> result<int> { return 1; }).error().code() ==
              make_error_code(recoup::store_errc::full));
        CHECK(flown() == std::vector{one});
        REQUIRE(store.erase(other.id, other.revision).has_value());
        SECTION("it is made when the operation is called again, and goes with its end") {
            CHECK(run(store, "1", [&](attempt&) -> result<int> {
                      CHECK(store.size() == 1);
                      return 1;
                  }).has_value());
            CHECK(flown().empty());
            // The slot serves as before.
            auto const before = store.window().written;
            CHECK(run(store, "1", [](attempt&) -> result<int> { return 1; }).has_value());
            CHECK(store.window().written == before);
            return;
        }
        SECTION("it is made at the next opening") {}
    }
    journal_store store{in / "kept.journal", options};
    CHECK(store.recovery().resumed == 1);
    CHECK(store.load(one).value()->attempts == 1);
}

TEST_CASE("Whoever waits for an attempt that is abandoned goes on in its place", "[concurrent]") {
    folder const in;
    journal_store store{in / "kept.journal", anywhere()};
    std::atomic<bool> began{false};
    std::atomic<bool> joined{false};
    std::thread other{[&] {
        static_cast<void>(run(store, "1", [&](attempt&) -> result<int> {
            began = true;
            while (!joined) std::this_thread::yield();
            ::pthread_exit(nullptr);
        }));
    }};
    while (!began) std::this_thread::yield();
    manual_clock clock;
    auto const on_event = [&](recoup::event const& what) {
        if (what.kind == recoup::event_kind::operation_joined) joined = true;
    };
    auto attempts = std::uint32_t{0};
    auto const wrapped = recoup::with_recovery(
        [&](attempt& current, std::string const&, int) {
            attempts = current.number();
            return 5;
        },
        retry{.max_attempts = 5, .backoff = recoup::constant(0ms)},
        recoup::persist(store, {.name = "op", .when = persist_when::start},
                        [](std::string const& k, int) { return k; }),
        recoup::on(clock), recoup::on_event(on_event));
    CHECK(wrapped(std::string{"1"}, 0).value() == 5);
    other.join();
    CHECK(attempts == 2);
    CHECK(store.size() == 0);
}

TEST_CASE("With power_loss an intent is a record on the disk, and not in a slot") {
    folder const in;
    journal_store store{in / "kept.journal", anywhere(recoup::durability::power_loss)};
    CHECK(run(store, "1", [&](attempt&) -> result<int> {
              CHECK(store.size() == 1);
              CHECK(store.window().synced == store.window().written);
              return 1;
          }).has_value());
}

TEST_CASE("The way through a slot allocates nothing") {
    folder const in;
    journal_store store{in / "kept.journal", anywhere()};
    auto const wrapped = recoup::with_recovery(
        [](int x) { return x; }, recoup::persist(store, {.name = "op", .when = persist_when::start},
                                                 [](int x) { return x; }));
    CHECK(wrapped(1).value() == 1);
    auto const before = support::allocations();
    for (int i = 0; i != 1000; ++i) static_cast<void>(wrapped(i));
    CHECK(support::allocations() - before == 0);
}

TEST_CASE("A store that stops while an operation is in its slot lets that end") {
    folder const in;
    scripted_calls calls;
    auto failing = std::make_shared<bool>(false);
    calls.script->fails = [=](std::size_t, std::string const& call) {
        return *failing && call == "sync" ? EIO : 0;
    };
    scripted_store store{in / "kept.journal", anywhere(), calls};
    auto const wrapped = recoup::with_recovery(
        [&](int x) {
            *failing = true;
            CHECK(store.save(some_record(std::to_string(x))).has_value());
            CHECK_FALSE(store.flush().has_value());
            return x;
        },
        recoup::persist(store, {.name = "op", .when = persist_when::start},
                        [](int x) { return x; }));
    CHECK(wrapped(1).value() == 1);
    CHECK(store.flight() == nullptr);
}
