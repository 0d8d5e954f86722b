// SPDX-License-Identifier: BSL-1.0
#include "crash/memory/starving.hpp"

#include "crash/harness.hpp"

#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include <sqlite3.h>

// Memory runs out at the first allocation, then at the second, … until a run is not touched any more.

namespace {

using namespace recoup_test;

constexpr int leaks = 3;

/// Opens the store and works, hungry only inside the store's calls.
void work_hungry(store_kind const& kind, std::string const& folder,
                 std::vector<lane_model> const& models, process_log& log, std::uint32_t steps) {
    std::unique_ptr<any_store> store;
    starving::begin();
    try {
        auto opened = kind.open(folder);
        if (opened.has_value()) store = std::move(opened.value());
    } catch (std::bad_alloc const&) {
        store.reset();
    }
    starving::end();
    if (!store) return;
    try {
        run_work(*store, models, log,
                 {.steps = steps, .on_step = [](std::size_t, std::uint32_t, bool done) {
                      if (done)
                          starving::end();
                      else
                          starving::begin();
                  }});
    } catch (std::bad_alloc const&) {
        log.complain("memory ran out where the store was not asked");
    }
    starving::begin();
    store.reset();
    starving::end();
}

/// Starves one store, and gives what the process is to end with.
int starve(victim& one, std::uint32_t steps, std::uint64_t number, bool for_good,
           shared_log& told) {
    starving::take_sqlite();
    disk::never_waits = true;  // a disk allocates itself, and is not to starve
    {
        // What is kept for good, such as a text made once, is made here.
        temporary_folder warm;
        shared_log ignored;
        work_hungry(one.kind(), warm.path(), make_models(1, 1), *ignored, 3);
    }
    auto const blocks = starving::blocks();
    auto const in_sqlite = sqlite3_memory_used();
    starving::plan(number, for_good);
    work_hungry(one.kind(), one.folder(), one.models(), *one.log(), steps);
    told->stage = static_cast<std::uint32_t>(starving::count());
    told->lanes[0].begun = static_cast<std::uint32_t>(starving::refused());
    starving::plan(0, false);
    return sqlite3_memory_used() > in_sqlite || starving::blocks() > blocks ? leaks : 0;
}

}  // namespace

TEST_CASE(
    "wherever memory runs out, the store refuses or is right, and nothing is lost or leaked") {
    auto const seed = crash_seed();
    constexpr std::uint32_t steps = 12;
    for (auto const& kind : store_kinds()) {
        findings all;
        std::uint64_t runs = 0;
        std::uint64_t refusals = 0;
        shared_log told;
        std::uint64_t count = 0;
        {
            victim undisturbed{kind, seed};
            undisturbed.log().clear();
            child worker{[&](int) { return starve(undisturbed, steps, 0, false, told); }};
            REQUIRE(worker.wait() == 0);
            count = told->stage;
        }
        for (auto const number : sample(count * 2, 60, seed)) {
            victim one{kind, seed};
            one.log().clear();
            told.clear();
            child worker{
                [&](int) { return starve(one, steps, number / 2 + 1, number % 2 == 1, told); }};
            auto const status = worker.wait();
            one.adopt_log();
            ++runs;
            refusals += told->lanes[0].begun;
            findings found;
            if (status == leaks)
                found = {.wrong = 1, .words = "memory is leaked"};
            else if (status != 0)
                found = {.wrong = 1, .words = "the process ended with " + std::to_string(status)};
            else
                found = one.look();
            if (!found.ok())
                found.words = kind.name + ", allocation " + std::to_string(number / 2 + 1) +
                              (number % 2 == 1 ? " and all after it: " : ": ") + found.words;
            all += found;
        }
        INFO(all.words);
        summarise("out of memory, " + kind.name,
                  std::to_string(runs) + " runs of " + std::to_string(count * 2) + ", " +
                      std::to_string(refusals) + " refusals, " + figures(all));
        CHECK(all.ok());
        CHECK(refusals > runs / 2);
    }
}
