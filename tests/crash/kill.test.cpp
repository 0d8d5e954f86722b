// SPDX-License-Identifier: BSL-1.0
#include "crash/harness.hpp"

#include <array>
#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <sched.h>

// SIGKILL: at every call that changes a file or asks a server, at random, while recovering from the last
// one.

namespace {

using namespace recoup_test;

disk::moment moment_of(std::size_t number) { return static_cast<disk::moment>(number % 3); }

std::function<void(disk&)> dies_at(std::uint64_t number, std::size_t when) {
    return [=](disk& below) { below.kill_at(calls::changes, number, moment_of(when)); };
}

struct killed {
    std::uint64_t kills = 0;
    std::uint64_t moments = 0;  ///< at which a process can be killed
    findings found{};
};

/// Kills processes at such calls, each on a store of its own, and adds up what was wrong after each and
/// after the next process had gone on.
killed killed_at_calls(store_kind const& kind, std::size_t most, work_options const& how) {
    auto const seed = crash_seed();
    killed all{.moments = calls_of(kind, seed, calls::changes, how) * 3};
    for (auto const number : sample(all.moments, as_many(kind, most), seed)) {
        victim one{kind, seed};
        if (one.run(how, dies_at(number / 3 + 1, number))) ++all.kills;
        auto found = one.look();
        if (found.ok()) {
            one.run(how);
            found += one.look();
        }
        if (!found.ok())
            found.words = kind.name + ", call " + std::to_string(number / 3 + 1) + ", moment " +
                          std::to_string(number % 3) + ": " + found.words;
        all.found += found;
    }
    // And at once after an acknowledgement: a store in mapped memory makes no calls.
    for (auto const number : sample(how.steps, as_many(kind, 8), seed)) {
        victim one{kind, seed};
        auto dying = how;
        dying.on_step = [number](std::size_t, std::uint32_t step, bool done) {
            if (done && step == number) ::kill(::getpid(), SIGKILL);
        };
        if (one.run(dying)) ++all.kills;
        auto found = one.look();
        if (!found.ok())
            found.words =
                kind.name + ", acknowledgement " + std::to_string(number) + ": " + found.words;
        all.found += found;
    }
    return all;
}

}  // namespace

TEST_CASE("a process that is killed at any call that changes a file or a server loses nothing") {
    for (auto const& kind : kinds_to_kill()) {
        auto const all = killed_at_calls(kind, 60, {.steps = 30});
        INFO(all.found.words);
        summarise("killed at calls, " + kind.name, std::to_string(all.kills) + " kills, " +
                                                       std::to_string(all.moments) +
                                                       " moments of calls, " + figures(all.found));
        CHECK(all.found.ok());
        CHECK(all.kills > as_many(kind, 40) / 2);
    }
}

TEST_CASE("the suite notices an early acknowledgement") {
    for (auto const& kind : kinds_to_kill()) {
        auto const found =
            killed_at_calls(kind, 60, {.steps = 30, .mistakes = {.acknowledges_early = true}})
                .found;
        summarise("control: early acknowledgement, " + kind.name,
                  "caught: " + figures(found) + ": " + found.words);
        CHECK(found.lost != 0);
    }
}

#ifndef RECOUP_CRASH_POSTGRES
TEST_CASE("the suite notices what waits for a store and is in no log") {
    auto const found = killed_at_calls(forgetful_write_behind_kind(), 60, {.steps = 30}).found;
    summarise("control: no log", "caught: " + figures(found) + ": " + found.words);
    CHECK(found.lost != 0);
}
#endif

TEST_CASE("processes that are killed while they recover from the last kill lose nothing") {
    auto const seed = crash_seed();
    auto const how = work_options{.steps = 30};
    for (auto const& kind : kinds_to_kill()) {
        auto const count = calls_of(kind, seed, calls::changes, how);
        findings all;
        std::uint64_t kills = 0;
        std::uint64_t chains = 0;
        std::mt19937_64 random{seed};
        for (auto left = long_run() ? as_many(kind, 2000) : as_many(kind, 25); left != 0; --left) {
            ++chains;
            victim one{kind, seed};
            std::string where;
            for (int depth = 0; depth != 5; ++depth) {
                // The first is in the work; those after it are among the first calls: in the opening.
                auto const number =
                    depth == 0 ? 1 + random() % count : 1 + random() % kind.opening_calls;
                where += " " + std::to_string(number);
                if (one.run(how, dies_at(number, random()))) ++kills;
            }
            one.run(how);
            auto found = one.look();
            if (!found.ok()) found.words = kind.name + ", calls" + where + ": " + found.words;
            all += found;
        }
        INFO(all.words);
        summarise("killed while recovering, " + kind.name, std::to_string(chains) + " chains, " +
                                                               std::to_string(kills) + " kills, " +
                                                               figures(all));
        CHECK(all.ok());
    }
}

namespace {

/// Runs the lanes of a victim each in a thread of its own, in this process.
int work_in_threads(victim& one, work_options const& how) {
    disk below{one.folder(), {.log = false}};
    auto opened = one.kind().open(one.folder());
    auto& log = one.log();
    if (!opened.has_value()) {
        log->complain("the store does not open: " + opened.error().describe());
        return 0;
    }
    log->stage = 1;
    ownership mine;
    if (auto const error = begin_work(*opened.value(), one.models(), *log, mine); error.code()) {
        log->complain("the work does not begin: " + error.describe());
        return 0;
    }
    log->stage = 2;
    std::vector<std::thread> threads;
    for (auto const& model : one.models())
        threads.emplace_back([&, model, owned = mine]() mutable {
            run_lane(*opened.value(), model, *log, owned, how);
        });
    for (auto& thread : threads) thread.join();
    log->stage = 3;
    return 0;
}

}  // namespace

TEST_CASE("a process that is killed at random loses nothing of what its threads were told",
          "[concurrent]") {
    auto const seed = crash_seed();
    for (auto const& kind : kinds_to_kill()) {
        std::mt19937_64 random{seed};
        auto const cycles = long_run() ? 3000U : 40U;
        victim one{kind, seed, process_log::lanes_max};
        findings all;
        std::uint64_t kills = 0;
        for (unsigned cycle = 0; cycle != cycles && all.ok(); ++cycle) {
            one.log().clear();
            child worker{[&](int) { return work_in_threads(one, {.steps = 400}); }};
            // Some die while they open, most at some moment of the work.
            auto const most = random() % 8 == 0 ? 0 : random() % 160;
            auto const turns = random() % 2000;
            auto& log = *one.log();
            while (log.begun() < most && !log.bad && !worker.ended()) ::sched_yield();
            for (std::uint64_t turn = 0; turn != turns; ++turn)
                std::atomic_signal_fence(std::memory_order_seq_cst);
            ::kill(worker.pid(), SIGKILL);
            auto const status = worker.wait();
            if (status == -SIGKILL)
                ++kills;
            else if (status != 0)
                log.complain("the process ended with " + std::to_string(status));
            one.adopt_log();
            auto found = one.look();
            if (!found.ok())
                found.words = kind.name + ", cycle " + std::to_string(cycle) + ": " + found.words;
            all += found;
        }
        INFO(all.words);
        summarise("killed at random, " + kind.name, std::to_string(kills) + " kills, " +
                                                        std::to_string(one.acknowledged()) +
                                                        " acknowledged, " + figures(all));
        CHECK(all.ok());
        CHECK(kills > cycles / 2);
        CHECK(one.acknowledged() > cycles);
    }
}
