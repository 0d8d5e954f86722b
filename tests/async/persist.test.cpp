// SPDX-License-Identifier: BSL-1.0
#include <recoup/async/asio.hpp>

#include "async/async_support.hpp"
#include "async/persist_support.hpp"
#include "store/persist_support.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

#include <recoup/guard/deadline.hpp>
#include <recoup/guard/fallback.hpp>
#include <recoup/observe/on_event.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/store/journal_store.hpp>
#include <recoup/store/memory_store.hpp>
#include <recoup/store/persist.hpp>
#include <recoup/store/sqlite_store.hpp>
#include <recoup/testing/event_recorder.hpp>
#include <recoup/testing/manual_clock.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// What is recorded of a coroutine, and that it is what would be of a plain call.

namespace async_persist {

using namespace std::chrono_literals;
using namespace async_test;
using namespace async_persist_test;
using recoup::attempt;
using recoup::category;
using recoup::failure;
using recoup::on_store_failure;
using recoup::persist;
using recoup::persist_options;
using recoup::persist_when;
using recoup::record_status;
using recoup::result;
using recoup::retry;
using recoup::stop_reason;
using recoup::store_errc;
using recoup::with_recovery;
using recoup::testing::event_recorder;
using recoup::testing::manual_clock;
using recoup_test::scripted_store;
using text = std::string;

auto const by_ten = retry{.max_attempts = 4, .backoff = recoup::linear(10ms, 1s)};

/// What each attempt does: fails, makes progress, takes the token, fails or gives what it knows.
struct script {
    char const* words = "";

    [[nodiscard]] char word(attempt const& current) const {
        auto const at = current.number() - 1;
        return at < text{words}.size() ? words[at] : 'g';
    }
};

result<text> last_word(char word, attempt& current) {
    if (word == 'g')
        return "given, from " + std::to_string(current.checkpoint<int>().value_or(0)) +
               (current.resumed() ? ", resumed" : "");
    if (word == 'd') return failure{category::permission, "denied"};
    return failure{recoup_test::reset};
}

auto plainly(script what) {
    return [what](attempt& current, text const&) -> result<text> {
        auto const word = what.word(current);
        if (word == 'c') current.save_checkpoint(static_cast<int>(current.number()));
        if (word == 't') static_cast<void>(current.idempotency_token());
        return last_word(word, current);
    };
}
auto suspending(script what) {
    return [what](attempt& current, text const&) -> asio::awaitable<result<text>> {
        auto const word = what.word(current);
        if (word == 'c')
            co_await recoup::async_save_checkpoint(current, static_cast<int>(current.number()));
        if (word == 't') co_await recoup::async_idempotency_token(current);
        co_return last_word(word, current);
    };
}

/// A record but for its token, which is drawn by chance: only that there is one is told.
text to_text(recoup::record const& what) {
    auto line = what.id.key + " r" + std::to_string(what.revision) + " s" +
                std::to_string(static_cast<int>(what.status)) + " g" +
                std::to_string(what.generation) + " a" + std::to_string(what.attempts) + '/' +
                std::to_string(what.spent) + " active " + std::to_string(what.active.count()) +
                " delay " + std::to_string(what.delay.count()) + " due " +
                std::to_string(what.due.time_since_epoch().count()) + " until " +
                std::to_string(what.expires.time_since_epoch().count());
    if (what.token != decltype(what.token){}) line += " token";
    if (what.checkpoint) line += " from " + *what.checkpoint;
    if (what.result) line += " gave " + *what.result;
    if (what.last_failure) line += " failed: " + what.last_failure->message;
    return line;
}

struct told {
    std::vector<text> lines{};
    std::vector<text> calls{};
    friend bool operator==(told const&, told const&) = default;
};

text to_text(result<text> const& got) {
    return got.has_value()
               ? got.value()
               : text{to_string(got.error().category())} + ' ' +
                     text{to_string(got.error().stopped())} + ' ' + got.error().message();
}

/// Two calls with one key, one after the other, and all that can be seen of them.
template <class Callable>
told tell(scripted_store& store, Callable callable, persist_options const& options,
          recoup::system_time wall, int calls = 2) {
    auto seen = told{};
    for (auto call = 0; call != calls; ++call) {
        manual_clock clock{{.system_start = wall + std::chrono::minutes{call}}};
        event_recorder events;
        auto const wrapped = with_recovery(callable, by_ten, recoup::deadline{1h},
                                           persist(store, options, key_is_text), recoup::on(clock),
                                           std::ref(events));
        auto outcome = result<text>{failure{}};
        if constexpr (requires { wrapped(text{"k"}).value(); })
            outcome = wrapped(text{"k"});
        else
            outcome = run(wrapped(text{"k"}));
        seen.lines.push_back(to_text(outcome));
        for (auto const& line : events.trace()) seen.lines.push_back(line);
        for (auto const& kept : recoup_test::records(store)) seen.lines.push_back(to_text(kept));
        for (auto const wait : clock.waits()) seen.lines.push_back(std::to_string(wait.count()));
    }
    seen.calls = store.calls;
    return seen;
}

/// The store fails once, at a call, or from there on.
struct trouble {
    std::size_t at = 0;
    bool for_good = false;
    store_errc with = store_errc::unavailable;

    void befall(scripted_store& store) const {
        store.fails = [*this](std::size_t call) -> std::optional<store_errc> {
            if (call == at || (for_good && at != 0 && call > at)) return with;
            return std::nullopt;
        };
    }
};

recoup::journal_store_options journal_anywhere() {
    recoup::journal_store_options options{};
    options.accepted_file_systems = {"tmpfs", "ramfs", "fuse", "9p"};
    return options;
}
recoup::sqlite_store_options sqlite_anywhere() {
    recoup::sqlite_store_options options{};
    options.durability = recoup::durability::process_crash;
    options.accepted_file_systems = {"tmpfs", "ramfs", "fuse", "9p"};
    return options;
}

/// A store that can be closed and opened again.
template <class Store>
struct reopened;
template <>
struct reopened<recoup::memory_store> {
    recoup::memory_store store{};
    recoup::memory_store& open() { return store; }
};
template <>
struct reopened<recoup::sqlite_store> {
    recoup_test::temporary_folder folder{};
    std::optional<recoup::sqlite_store> store{};
    recoup::sqlite_store& open() {
        store.reset();
        return store.emplace(folder / "kept.db", sqlite_anywhere());
    }
};
template <>
struct reopened<recoup::journal_store> {
    recoup_test::temporary_folder folder{};
    std::optional<recoup::journal_store> store{};
    recoup::journal_store& open() {
        store.reset();
        return store.emplace(folder / "kept.journal", journal_anywhere());
    }
};

}  // namespace async_persist

using namespace async_persist;

TEST_CASE("a coroutine is recorded as a plain call is, whatever fails and whatever the store does",
          "[async][persist]") {
    auto const wall = manual_clock{}.system_now();
    for (auto const* words : {"", "f", "fcg", "tfg", "ftcg", "ffff", "cd", "d"}) {
        for (auto const when : {persist_when::failure, persist_when::start}) {
            for (auto const retain : {recoup::duration{}, recoup::duration{1h}}) {
                for (auto const choice : {on_store_failure::stop, on_store_failure::proceed}) {
                    for (auto const& fault :
                         {trouble{}, trouble{1}, trouble{2}, trouble{3}, trouble{4}, trouble{6},
                          trouble{1, true}, trouble{2, true}, trouble{4, true},
                          trouble{2, false, store_errc::conflict},
                          trouble{3, false, store_errc::conflict},
                          trouble{4, false, store_errc::conflict}}) {
                        auto const options = persist_options{.name = "op",
                                                             .when = when,
                                                             .retain = retain,
                                                             .on_store_failure = choice};
                        scripted_store plain_store;
                        fault.befall(plain_store);
                        scripted_store store;
                        fault.befall(store);
                        INFO("words " << words << ", when " << static_cast<int>(when) << ", retain "
                                      << retain.count() << ", on failure "
                                      << static_cast<int>(choice) << ", trouble at " << fault.at
                                      << (fault.for_good ? " for good" : ""));
                        auto const expected = tell(plain_store, plainly({words}), options, wall);
                        auto const got = tell(store, suspending({words}), options, wall);
                        REQUIRE(got.lines == expected.lines);
                        REQUIRE(got.calls == expected.calls);
                    }
                }
            }
        }
    }
}

TEST_CASE("after a crash a coroutine goes on as a plain call does", "[async][persist]") {
    auto const wall = manual_clock{}.system_now();
    for (auto const when : {persist_when::failure, persist_when::start}) {
        auto const options = persist_options{.name = "op", .when = when};
        // What a process leaves that dies in one of its waits, and restarts sooner or later.
        auto left = std::vector<std::unique_ptr<recoup::memory_store>>{};
        {
            scripted_store store;
            manual_clock clock{{.on_wait = [&](recoup::duration) {
                left.push_back(recoup_test::crashed(store));
            }}};
            static_cast<void>(with_recovery(plainly({"fcft"}), by_ten, recoup::deadline{1h},
                                            persist(store, options, key_is_text),
                                            recoup::on(clock))(text{"k"}));
        }
        REQUIRE(left.size() == 3);
        for (auto& records : left) {
            for (auto const later : {recoup::duration{5ms}, recoup::duration{1min}}) {
                scripted_store plain_store;
                scripted_store store;
                for (auto record : recoup_test::records(*records)) {
                    record.revision = 0;
                    plain_store.inner.save(record, recoup::unlimited).value();
                    store.inner.save(record, recoup::unlimited).value();
                }
                auto const expected =
                    tell(plain_store, plainly({"fcft"}), options, wall + later, 1);
                auto const got = tell(store, suspending({"fcft"}), options, wall + later, 1);
                REQUIRE(got.lines == expected.lines);
                REQUIRE(got.calls == expected.calls);
                REQUIRE(got.lines[1] == "operation_started");
                REQUIRE(got.lines[2].starts_with("operation_resumed "));
            }
        }
    }
}

TEMPLATE_TEST_CASE("in each store a coroutine's checkpoint and result are there for the next one",
                   "[async][persist]", recoup::memory_store, recoup::sqlite_store,
                   recoup::journal_store) {
    reopened<TestType> kept;
    auto const call = [&](TestType& store, script what, persist_when when,
                          recoup::duration retain) {
        manual_clock clock;
        return run(with_recovery(
            suspending(what), by_ten,
            persist(store, {.name = "op", .when = when, .retain = retain}, key_is_text),
            recoup::on(clock))(text{"k"}));
    };
    for (auto const when : {persist_when::failure, persist_when::start}) {
        {
            auto& store = kept.open();
            auto const got = call(store, {"fcd"}, when, {});
            CHECK(got.error().attempts() == 3);
            auto const records = records_of(store);
            REQUIRE(records.size() == 1);
            CHECK(records[0].status == record_status::failed);
            CHECK(records[0].attempts == 3);
        }
        {
            auto& store = kept.open();
            CHECK(call(store, {"fg"}, when, 1h).value() == "given, from 2, resumed");
            CHECK(records_of(store).front().status == record_status::succeeded);
        }
        {
            auto& store = kept.open();
            CHECK(call(store, {"d"}, when, 1h).value() == "given, from 2, resumed");
            auto const record = records_of(store).front();
            CHECK(store.erase(record.id, record.revision, recoup::unlimited).has_value());
        }
    }
}

TEST_CASE("a store is never called on the threads of the coroutines, which alone tell observers",
          "[async][persist][concurrent]") {
    watched_store<> store;
    std::set<std::thread::id> told;
    auto const here = std::this_thread::get_id();
    auto const note =
        recoup::on_event([&](recoup::event const&) { told.insert(std::this_thread::get_id()); });
    for (auto const when : {persist_when::failure, persist_when::start}) {
        auto const got = run(with_recovery(
            suspending({"ftcg"}), retry{.max_attempts = 5, .backoff = recoup::constant(0s)}, note,
            persist(store, {.name = "op", .when = when, .retain = 1h},
                    [when](text const&) { return static_cast<int>(when); }))(text{"k"}));
        CHECK(got.value() == "given, from 3");
    }
    CHECK(store.threads().size() >= 1);
    CHECK(store.threads().count(here) == 0);
    CHECK(told == std::set{here});
}

TEST_CASE("a success at once that needs no record starts no thread", "[async][persist]") {
    scripted_store store;
    asio::io_context context;
    auto got = std::optional<result<text>>{};
    auto const wrapped = with_recovery(suspending({""}), persist(store, "op", key_is_text));
    spawn(context, wrapped(text{"k"}), [&](result<text> value) { got = std::move(value); });
    context.run();
    CHECK(got->value() == "given, from 0");
    CHECK(store.calls.empty());
    CHECK_FALSE(asio::has_service<recoup::store_threads>(context));
}

namespace async_persist {

/// One call that is cancelled, by its slot or by a token, while the store is in the middle of a call.
struct cancelled_call {
    explicit cancelled_call(held_call& held) : held_{held} {}

    template <class Wrapped>
    result<text> operator()(Wrapped const& wrapped, bool by_slot) {
        auto got = std::optional<result<text>>{};
        asio::cancellation_signal signal;
        spawn(
            context, wrapped.with(stop.get_token())(text{"k"}),
            [&](result<text> value) { got = std::move(value); },
            asio::bind_cancellation_slot(signal.slot(), asio::detached));
        auto other = std::thread{[&] {
            held_.await();
            asio::post(context, [&] {
                if (by_slot)
                    signal.emit(asio::cancellation_type::terminal);
                else
                    stop.request_stop();
                // It has been told by now, and waits: only then may the store go on.
                asio::post(context, [&] {
                    waited_ = !got;
                    held_.let_go();
                });
            });
        }};
        auto const work = asio::make_work_guard(context);
        while (!got) context.run_one();
        other.join();
        CHECK(waited_);
        return *std::move(got);
    }

    asio::io_context context{};
    std::stop_source stop{};

  private:
    held_call& held_;
    bool waited_ = false;
};

}  // namespace async_persist

TEST_CASE("a cancellation waits for the store, and then nothing begins", "[async][persist]") {
    for (auto const by_slot : {true, false}) {
        // The first save is the intent; the second comes before the wait for the next attempt.
        for (auto const at : {1, 2}) {
            INFO((by_slot ? "by slot" : "by token") << ", at save " << at);
            watched_store<> store;
            held_call held{"save", at};
            store.before = [&](text const& call) { held(call); };
            auto begun = 0;
            auto const wrapped = with_recovery(
                [&](text const&) -> asio::awaitable<result<text>> {
                    ++begun;
                    co_return failure{recoup_test::reset};
                },
                retry{.max_attempts = 3, .backoff = recoup::constant(1h)},
                persist(store, {.name = "op", .when = persist_when::start}, key_is_text));
            auto const got = cancelled_call{held}(wrapped, by_slot);
            CHECK(got.error().stopped() == stop_reason::cancelled);
            CHECK(begun == at - 1);
            auto const records = records_of(store);
            REQUIRE(records.size() == 1);
            CHECK(records[0].status == record_status::failed);
        }
    }
}

TEST_CASE("a success that is being recorded when it is cancelled is one", "[async][persist]") {
    for (auto const by_slot : {true, false}) {
        watched_store<> store;
        held_call held{"save", 2};
        store.before = [&](text const& call) { held(call); };
        auto begun = 0;
        auto const wrapped = with_recovery(
            [&](text const&) -> asio::awaitable<text> {
                ++begun;
                co_return "done";
            },
            persist(store, {.name = "op", .when = persist_when::start, .retain = 1h}, key_is_text));
        CHECK(cancelled_call{held}(wrapped, by_slot).value() == "done");
        CHECK(records_of(store).front().status == record_status::succeeded);
        CHECK(run(wrapped(text{"k"})).value() == "done");
        CHECK(begun == 1);
    }
}

TEST_CASE("a checkpoint that is being saved when the coroutine is cancelled is kept",
          "[async][persist]") {
    for (auto const by_slot : {true, false}) {
        watched_store<> store;
        held_call held{"save", 1};
        store.before = [&](text const& call) { held(call); };
        auto const wrapped = with_recovery(
            [&](attempt& current, text const&) -> asio::awaitable<text> {
                co_await recoup::async_save_checkpoint(current, 7);
                co_await sleep(24h);
                co_return "never";
            },
            persist(store, "op", key_is_text));
        auto const got = cancelled_call{held}(wrapped, by_slot);
        CHECK(got.error().stopped() == stop_reason::cancelled);
        CHECK(got.error().attempts() == 1);
        CHECK(records_of(store).front().checkpoint == recoup::detail::encode(7));
    }
}

TEST_CASE("coroutines of one key share a run, and those who wait take no thread of the store",
          "[async][persist]") {
    watched_store<> store;
    asio::io_context context;
    asio::make_service<recoup::store_threads>(context, 1);
    held_call held{"save", 1};
    store.before = [&](text const& call) { held(call); };
    auto calls = 0;
    auto joined = 0;
    auto const wrapped = with_recovery(
        [&](text const&) -> asio::awaitable<text> {
            ++calls;
            while (joined != 5) co_await sleep(1us);
            co_return "shared";
        },
        recoup::on_event([&](recoup::event const& what) {
            if (what.kind == recoup::event_kind::operation_joined) ++joined;
        }),
        persist(store, {.name = "op", .when = persist_when::start}, key_is_text));
    auto got = 0;
    for (auto i = 0; i != 6; ++i)
        spawn(context, wrapped(text{"k"}), [&](result<text> value) {
            if (value.value() == "shared") ++got;
        });
    held.let_go();
    context.run();
    CHECK(got == 6);
    CHECK(calls == 1);
    CHECK(records_of(store).empty());
}

TEST_CASE("who waits for another coroutine ends by its own deadline, stop or cancellation",
          "[async][persist]") {
    for (auto const* how : {"deadline", "token", "slot"}) {
        INFO(how);
        recoup::memory_store store;
        asio::io_context context;
        auto over = false;
        auto begun = false;
        auto const wrapped = with_recovery(
            [&](text const&) -> asio::awaitable<text> {
                begun = true;
                while (!over) co_await sleep(1us);
                co_return "done";
            },
            persist(store, {.name = "op", .when = persist_when::start}, key_is_text));
        auto first = std::optional<result<text>>{};
        spawn(context, wrapped(text{"k"}), [&](result<text> value) { first = std::move(value); });
        while (!begun) context.run_one();

        std::stop_source stop;
        asio::cancellation_signal signal;
        auto second = std::optional<result<text>>{};
        auto const limit =
            recoup::deadline{text{how} == "deadline" ? recoup::duration{1ms} : recoup::unlimited};
        auto const note = recoup::on_event([&](recoup::event const& what) {
            if (what.kind != recoup::event_kind::operation_joined) return;
            asio::post(context, [&] {
                if (text{how} == "token") stop.request_stop();
                if (text{how} == "slot") signal.emit(asio::cancellation_type::terminal);
            });
        });
        spawn(
            context, wrapped.with(limit, stop.get_token(), note)(text{"k"}),
            [&](result<text> value) {
                second = std::move(value);
                over = true;
            },
            asio::bind_cancellation_slot(signal.slot(), asio::detached));
        context.run();
        CHECK(second->error().stopped() ==
              (text{how} == "deadline" ? stop_reason::deadline : stop_reason::cancelled));
        CHECK(first->value() == "done");
    }
}

TEST_CASE("a coroutine joins a plain call of the same key", "[async][persist][concurrent]") {
    recoup::memory_store store;
    recoup_test::gate gate;
    auto const record = persist(store, {.name = "op", .when = persist_when::start}, key_is_text);
    auto const plain = with_recovery(
        [&](text const&) {
            gate.pass();
            return text{"plain"};
        },
        record);
    auto first = std::optional<result<text>>{};
    auto other = std::thread{[&] { first = plain(text{"k"}); }};
    gate.await_arrived(1);
    asio::io_context context;
    auto const joins =
        with_recovery([](text const&) -> asio::awaitable<text> { co_return "coroutine"; }, record,
                      recoup::on_event([&](recoup::event const& what) {
                          // By the time that this is run the coroutine waits.
                          if (what.kind == recoup::event_kind::operation_joined)
                              asio::post(context, [&] { gate.open(); });
                      }));
    auto second = std::optional<result<text>>{};
    spawn(context, joins(text{"k"}), [&](result<text> value) { second = std::move(value); });
    context.run();
    CHECK(second->value() == "plain");
    other.join();
    CHECK(first->value() == "plain");
}

TEST_CASE("what a store throws comes out of the coroutine", "[async][persist]") {
    watched_store<> store;
    store.before = [](text const&) { throw std::bad_alloc{}; };
    auto const wrapped =
        with_recovery(suspending({"f"}),
                      persist(store, {.name = "op", .when = persist_when::start}, key_is_text));
    auto caught = false;
    run([&]() -> asio::awaitable<int> {
        try {
            static_cast<void>(co_await wrapped(text{"k"}));
        } catch (std::bad_alloc const&) {
            caught = true;
        }
        co_return 0;
    }());
    CHECK(caught);
}

TEST_CASE("a context may end in the middle of a store's call, and waits for it",
          "[async][persist]") {
    watched_store<> store;
    held_call held{"save", 1};
    auto saved = std::atomic<int>{0};
    store.before = [&](text const& call) {
        held(call);
        if (call == "save") ++saved;
    };
    auto begun = 0;
    auto const wrapped = with_recovery(
        [&](text const&) -> asio::awaitable<text> {
            ++begun;
            co_return "never";
        },
        persist(store, {.name = "op", .when = persist_when::start}, key_is_text));
    auto other = std::thread{};
    {
        asio::io_context context;
        asio::make_service<recoup::store_threads>(context, 1);
        // The first is in a call, the second waits for a thread.
        for (auto const* key : {"a", "b"})
            spawn(context, wrapped(text{key}), [](result<text> const&) {});
        other = std::thread{[&] {
            held.await();
            context.stop();
            held.let_go();
        }};
        context.run();
    }
    other.join();
    CHECK(begun == 0);
    CHECK(saved >= 1);
    for (auto const& record : records_of(store)) CHECK(record.status == record_status::running);
    store.before = {};
    CHECK(run(wrapped(text{"a"})).value() == "never");
    CHECK(run(wrapped(text{"b"})).value() == "never");
}
