// SPDX-License-Identifier: BSL-1.0
#include <recoup/async/asio.hpp>

#include "async/async_support.hpp"
#include "async/persist_support.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

#include <recoup/observe/on_event.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/store/journal_store.hpp>
#include <recoup/store/persist.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/system/system_error.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

// Records of coroutines that many threads run.

namespace async_persist_threads {

using namespace std::chrono_literals;
using namespace async_test;
using namespace async_persist_test;
using recoup::persist;
using recoup::persist_when;
using recoup::retry;
using recoup::with_recovery;

recoup::journal_store_options on_any_file_system() {
    recoup::journal_store_options options{};
    options.accepted_file_systems = {"tmpfs", "ramfs", "fuse", "9p"};
    return options;
}

/// An attempt that makes progress and fails, twice; the third gives what it is called with.
template <class Store>
auto progressing(Store& store, std::atomic<int>& running) {
    return with_recovery(
        [&running](recoup::attempt& current, int key) -> asio::awaitable<int> {
            if (++running != 1) throw std::logic_error{"one key runs twice at a time"};
            co_await recoup::async_save_checkpoint(current, static_cast<int>(current.number()));
            --running;
            if (current.number() < 3)
                throw boost::system::system_error{asio::error::connection_reset};
            if (current.checkpoint<int>() != 3) throw std::logic_error{"no checkpoint"};
            co_return key;
        },
        retry{.max_attempts = 5, .backoff = recoup::constant(1us)},
        persist(store, {.name = "op", .when = persist_when::start}, [](int key) { return key; }));
}

template <class Store>
void run_many(Store& store, bool on_strands) {
    constexpr auto keys = 8;
    std::array<std::atomic<int>, keys> running{};
    std::atomic<int> right = 0;
    asio::thread_pool threads{4};
    for (auto i = 0; i != keys * 6; ++i) {
        auto const key = i % keys;
        auto const call = progressing(store, running[static_cast<std::size_t>(key)]);
        auto const check = [&right, key](recoup::result<int> got) {
            if (got && got.value() == key) ++right;
        };
        if (on_strands)
            spawn(asio::make_strand(threads), call(key), check);
        else
            spawn(threads, call(key), check);
    }
    threads.join();
    CHECK(right == keys * 6);
    CHECK(records_of(store).empty());
}

}  // namespace async_persist_threads

using namespace async_persist_threads;

TEST_CASE("on many threads coroutines of one key run one at a time, and each is recorded whole",
          "[async][persist][concurrent]") {
    for (auto const on_strands : {false, true}) {
        watched_store<> store;
        run_many(store, on_strands);
        recoup_test::temporary_folder const folder;
        recoup::journal_store journal{folder / "kept.journal", on_any_file_system()};
        run_many(journal, on_strands);
    }
}

TEST_CASE("on a strand of many threads a store is called on none of them",
          "[async][persist][concurrent]") {
    watched_store<> store;
    std::mutex mutex;
    std::set<std::thread::id> used;
    asio::thread_pool threads{4};
    auto const strand = asio::make_strand(threads);
    std::atomic<int> right = 0;
    auto on_strand = true;  // guarded by the strand
    auto const wrapped = with_recovery(
        [&](int key) -> asio::awaitable<int> {
            on_strand = on_strand && strand.running_in_this_thread();
            {
                std::scoped_lock const lock{mutex};
                used.insert(std::this_thread::get_id());
            }
            co_return key;
        },
        recoup::on_event([&](recoup::event const&) {
            on_strand = on_strand && strand.running_in_this_thread();
        }),
        persist(store, {.name = "op", .when = persist_when::start}, [](int key) { return key; }));
    for (auto i = 0; i != 50; ++i)
        spawn(strand, wrapped(i), [&](recoup::result<int> got) {
            if (got) ++right;
        });
    threads.join();
    CHECK(right == 50);
    CHECK(on_strand);
    for (auto const thread : store.threads()) CHECK(used.count(thread) == 0);
}

TEST_CASE(
    "on many threads cancellations and stops meet the store at any moment, and nothing is lost",
    "[async][persist][concurrent]") {
    for (auto round = 0; round != 20; ++round) {
        watched_store<> store;
        std::stop_source stop;
        std::atomic<int> begun = 0;
        std::atomic<int> given = 0;
        std::atomic<int> ended = 0;
        asio::thread_pool threads{4};
        struct one_call {
            asio::cancellation_signal signal{};
            asio::strand<asio::thread_pool::executor_type> strand;
        };
        auto const wrapped = with_recovery(
            [&](recoup::attempt& current, int key) -> asio::awaitable<int> {
                ++begun;
                co_await recoup::async_save_checkpoint(current, key);
                if (current.number() < 3)
                    throw boost::system::system_error{asio::error::connection_reset};
                co_return key;
            },
            retry{.max_attempts = 5, .backoff = recoup::constant(1us)}, stop.get_token(),
            persist(store, {.name = "op", .when = persist_when::start, .retain = 1h},
                    [](int key) { return key; }));
        auto calls = std::vector<std::unique_ptr<one_call>>{};
        for (auto i = 0; i != 20; ++i) {
            calls.push_back(
                std::unique_ptr<one_call>{new one_call{.strand = asio::make_strand(threads)}});
            auto& one = *calls.back();
            spawn(
                one.strand, wrapped(i),
                [&](recoup::result<int> got) {
                    if (got) ++given;
                    ++ended;
                },
                asio::bind_cancellation_slot(one.signal.slot(),
                                             asio::bind_executor(one.strand, asio::detached)));
        }
        while (begun < 10) std::this_thread::yield();
        for (auto i = 0U; i < calls.size(); i += 2) {
            auto& one = *calls[i];
            asio::post(one.strand, [&one] { one.signal.emit(asio::cancellation_type::terminal); });
        }
        while (ended < 5) std::this_thread::yield();
        stop.request_stop();
        threads.join();
        REQUIRE(ended == 20);
        auto succeeded = 0;
        for (auto const& record : records_of(store)) {
            CHECK(record.status != recoup::record_status::running);
            if (record.status == recoup::record_status::succeeded) ++succeeded;
        }
        CHECK(succeeded == given);
    }
}
