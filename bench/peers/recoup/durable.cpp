// SPDX-License-Identifier: BSL-1.0
#include "durable/durable_runs.hpp"
#include "peers/recoup/roles.hpp"
#include "peers/recoup/with_store.hpp"

#include <recoup/durable.hpp>

#include <nlohmann/json.hpp>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <thread>

#include <unistd.h>

using namespace std::chrono_literals;

namespace bench::peers {

namespace {

std::string name_of(std::string const& store) {
    return store == "sqlite" ? "recoup, SQLite" : "recoup, PostgreSQL";
}

std::string durability_of(std::string const& store) {
    return store == "sqlite" ? "write-ahead log, synchronous=FULL"
                             : "the same server; synchronous_commit and fsync on, looked at by it";
}

double one_at_a_time(durable_runs& runs, std::chrono::nanoseconds span) {
    using clock = std::chrono::steady_clock;
    auto const begin = clock::now();
    auto const before = runs.steps();
    while (clock::now() - begin < span) runs.run_one();
    auto const took = std::chrono::duration<double>{clock::now() - begin};
    return static_cast<double>(runs.steps() - before) / took.count();
}

}  // namespace

void durable(std::string const& store, std::string const& where, bool quick) {
    with_store(store, where, [&](auto& opened) {
        durable_runs runs{opened};
        auto const span = std::chrono::nanoseconds{quick ? 500ms : 3s};
        auto const tell = [&](char const* work, double rate) {
            print({{"work", work},
                   {"name", name_of(store)},
                   {"version", RECOUP_BENCH_VERSION},
                   {"unit", "steps/s"},
                   {"value", rate},
                   {"note", durability_of(store)}});
        };
        static_cast<void>(one_at_a_time(runs, span / 10));
        tell("durable steps, one operation at a time", one_at_a_time(runs, span));
        tell("durable steps, 50 operations in flight", runs.steps_a_second(span));
    });
}

namespace {

/// Beside a restart within the lease nothing can tell that the owner is dead where hosts share a store.
constexpr recoup::duration lease = 2s;

constexpr auto name = "resume";
constexpr auto key = "only";

}  // namespace

void die(std::string const& store, std::string const& where) {
    with_store(store, where, [&](auto& opened) {
        recoup::operations operations{opened, {.lease = lease}};
        auto const run = operations.define(
            name, [](recoup::operation& op, std::uint64_t value) -> recoup::result<std::uint64_t> {
                op.step("first", [&] { return value; }).value();
                op.step("second", [&] {
                      ::raise(SIGKILL);
                      return value;
                  }).value();
                return value;
            });
        static_cast<void>(run.run(key, std::uint64_t{7}));
    });
}

void resume(std::string const& store, std::string const& where) {
    auto const entered = now();
    with_store(store, where, [&](auto& opened) {
        recoup::operations operations{opened, {.lease = lease}};
        auto right = true;
        auto const run = operations.define(
            name, [&](recoup::operation& op, std::uint64_t value) -> recoup::result<std::uint64_t> {
                op.step("first", [&] {
                      right = false;  // it is recorded, and must not run again
                      return value;
                  }).value();
                op.step("second", [&] {
                      print({{"work", "resumed after kill -9"},
                             {"name", name_of(store)},
                             {"version", RECOUP_BENCH_VERSION},
                             {"unit", "ms"},
                             {"entered_ns", entered},
                             {"went_on_ns", now()},
                             {"note", store == "sqlite"
                                          ? "a dead owner's file lock is free: seen at once"
                                          : "owners live by a lease alone, here of 2 s (default "
                                            "30 s): what is left of it is waited for"}});
                      return value;
                  }).value();
                return value;
            });
        constexpr auto wait_at_most = 60s;
        auto const until = std::chrono::steady_clock::now() + wait_at_most;
        while (operations.resume().succeeded == 0) {
            if (std::chrono::steady_clock::now() > until)
                throw std::runtime_error{"nothing was resumed"};
            std::this_thread::sleep_for(5ms);
        }
        if (!right) throw std::runtime_error{"a recorded step ran again"};
    });
}

}  // namespace bench::peers
