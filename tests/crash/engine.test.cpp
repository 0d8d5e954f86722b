// SPDX-License-Identifier: BSL-1.0
#include <recoup/durable.hpp>

#include "crash/harness.hpp"

#include <recoup/store/journal_store.hpp>
#include <recoup/store/sqlite_store.hpp>
#include <recoup/testing/manual_clock.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <new>
#include <string>

#include <sys/mman.h>

// Operations as programs run them, killed at every call that changes a file: no recorded step runs again,
// none is recorded twice, and each operation ends with its result.

namespace {

using namespace recoup_test;
using namespace std::chrono_literals;

constexpr std::size_t step_count = 6;

/// What the bodies of the steps did, in memory that outlives their process.
struct effects {
    std::array<std::atomic<std::uint32_t>, step_count> runs{};
    /// Steps whose result was given back to the operation: recorded, as it was told.
    std::array<std::atomic<std::uint32_t>, step_count> told{};
    std::atomic<std::uint32_t> run_again{0};    ///< bodies that ran though their result was told
    std::atomic<std::uint32_t> other_value{0};  ///< results that differ from what was told
    std::atomic<std::uint32_t> ended{0};
    std::atomic<std::uint32_t> undone_failures{0};
};

class shared_effects {
  public:
    shared_effects()
        : at_{::mmap(nullptr, sizeof(effects), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                     -1, 0)} {
        if (at_ == MAP_FAILED) throw std::bad_alloc{};
        new (at_) effects;
    }
    shared_effects(shared_effects const&) = delete;
    shared_effects& operator=(shared_effects const&) = delete;
    ~shared_effects() { ::munmap(at_, sizeof(effects)); }
    effects& operator*() const { return *static_cast<effects*>(at_); }
    effects* operator->() const { return static_cast<effects*>(at_); }

  private:
    void* at_;
};

/// Runs the operation to its end, or as far as the process gets.
template <class Store>
void run_order(Store& store, effects& done, bool forgets_results) {
    recoup::testing::manual_clock clock;
    recoup::operations ops{store, {.housekeeping = false}, recoup::on(clock)};
    auto order =
        ops.define("order", {.recoveries_max = 1000},
                   [&](recoup::operation& op, int first) -> recoup::result<int> {
                       auto sum = first;
                       for (std::size_t i = 0; i != step_count; ++i) {
                           auto const name = forgets_results ? "step" + std::to_string(i) + "of" +
                                                                   std::to_string(done.runs[0])
                                                             : "step" + std::to_string(i);
                           auto const value = op.step(name, [&, i] {
                               if (done.told[i] != 0) ++done.run_again;
                               return static_cast<int>(++done.runs[i]) * 1000 + static_cast<int>(i);
                           });
                           if (!value.has_value()) return value.error();
                           auto const told = static_cast<std::uint32_t>(value.value());
                           auto const before = done.told[i].exchange(told);
                           if (before != 0 && before != told) ++done.other_value;
                           sum += value.value() % 1000;
                       }
                       return sum;
                   });
    auto const end = order.run("one", 7);
    if (end.has_value() && end.value() == 7 + 15)
        ++done.ended;
    else
        ++done.undone_failures;
}

struct engine_kind {
    char const* name;
    void (*run)(std::string const& folder, effects& done, bool forgets_results);
};

void run_on_sqlite(std::string const& folder, effects& done, bool forgets_results) {
    recoup::sqlite_store_options options;
    options.accepted_file_systems = {"tmpfs", "ramfs", "fuse", "9p"};
    recoup::sqlite_store store{folder + "/store.db", options};
    run_order(store, done, forgets_results);
}
void run_on_journal(std::string const& folder, effects& done, bool forgets_results) {
    recoup::journal_store_options options;
    options.durability = recoup::durability::power_loss;
    options.accepted_file_systems = {"tmpfs", "ramfs", "fuse", "9p"};
    recoup::journal_store store{folder + "/store.journal", options};
    run_order(store, done, forgets_results);
}

constexpr std::array engines{engine_kind{"sqlite", &run_on_sqlite},
                             engine_kind{"journal", &run_on_journal}};

struct engine_report {
    std::uint64_t kills = 0;
    std::uint64_t run_again = 0;
    std::uint64_t other_value = 0;
    std::uint64_t not_ended = 0;
    std::uint64_t in_doubt = 0;  ///< bodies that ran twice, for the crash came before the record
    std::string words{};
};

/// Kills the process at the n-th call, and again at the n-th of the next, until one comes through.
void kill_order(engine_kind const& engine, std::uint64_t number, disk::moment when,
                bool forgets_results, engine_report& report) {
    temporary_folder folder;
    shared_effects done;
    for (int life = 0; life != 4; ++life) {
        child worker{[&](int) {
            disk below{folder.path(), {.log = false}};
            // Three times, further on each time; the fourth process is left alone.
            if (life != 3)
                below.kill_at(calls::changes, number + 3U * static_cast<unsigned>(life), when);
            engine.run(folder.path(), *done, forgets_results);
            return 0;
        }};
        auto const status = worker.wait();
        report.kills += status == -SIGKILL ? 1 : 0;
        if (status != 0 && status != -SIGKILL) {
            ++report.not_ended;
            report.words = std::string{engine.name} + ", call " + std::to_string(number) +
                           ": the process ended with " + std::to_string(status);
        }
    }
    report.run_again += done->run_again;
    report.other_value += done->other_value;
    if (done->ended == 0) {
        ++report.not_ended;
        report.words = std::string{engine.name} + ", call " + std::to_string(number) +
                       ": the operation has not ended";
    }
    for (auto const& runs : done->runs) report.in_doubt += runs > 1 ? runs - 1 : 0;
}

engine_report kill_orders(engine_kind const& engine, std::size_t most, bool forgets_results) {
    engine_report report;
    std::uint64_t count = 0;
    {
        temporary_folder folder;
        shared_effects done;
        shared_log told;
        child worker{[&](int) {
            disk below{folder.path(), {.log = false}};
            below.count(calls::changes);
            engine.run(folder.path(), *done, false);
            told->stage = static_cast<std::uint32_t>(below.count());
            return 0;
        }};
        REQUIRE(worker.wait() == 0);
        REQUIRE(done->ended == 1);
        count = told->stage;
    }
    for (auto const at : sample(count * 3, most, crash_seed()))
        kill_order(engine, at / 3 + 1, static_cast<disk::moment>(at % 3), forgets_results, report);
    return report;
}

std::string figures(engine_report const& report) {
    return std::to_string(report.kills) + " kills, run again " + std::to_string(report.run_again) +
           ", other values " + std::to_string(report.other_value) + ", not ended " +
           std::to_string(report.not_ended) + ", in doubt and run twice " +
           std::to_string(report.in_doubt);
}

}  // namespace

TEST_CASE("however often a process is killed, no recorded step of an operation runs again") {
    for (auto const& engine : engines) {
        auto const report = kill_orders(engine, 50, false);
        INFO(report.words);
        summarise("operations killed at calls, " + std::string{engine.name}, figures(report));
        CHECK(report.run_again == 0);
        CHECK(report.other_value == 0);
        CHECK(report.not_ended == 0);
        CHECK(report.kills > 50);
    }
}

TEST_CASE("the suite notices a step that is not found in its record") {
    for (auto const& engine : engines) {
        auto const report = kill_orders(engine, 30, true);
        summarise("control: forgotten results, " + std::string{engine.name},
                  "caught: " + figures(report));
        CHECK(report.run_again > 0);
    }
}
