// SPDX-License-Identifier: BSL-1.0
#include <recoup/durable.hpp>

#include "crash/harness.hpp"

#include <recoup/store/journal_store.hpp>
#include <recoup/store/sqlite_store.hpp>
#include <recoup/testing/manual_clock.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

// A process dies in a durable sleep, and the wall clock jumps before the next one: forward and back, by
// nanoseconds and by centuries. Nobody wakes early, waits longer than the sleep was to take, or is stuck.

namespace {

using namespace recoup_test;
using namespace std::chrono_literals;
using recoup::duration;
using recoup::testing::manual_clock;

constexpr duration nap = 10s;
auto const bedtime = recoup::system_time{std::chrono::seconds{1'767'225'600}};

struct night {
    bool ended = false;
    duration waited{};
};

/// Runs an operation that sleeps once; what it waited in this process.
template <class Store>
night sleep_on(Store& store, recoup::system_time wall,
               std::function<void(duration)> const& on_wait) {
    manual_clock clock{{.system_start = wall, .on_wait = on_wait}};
    recoup::operations ops{store, {.housekeeping = false}, recoup::on(clock)};
    auto sleeper = ops.define("sleeper", [](recoup::operation& op, int n) -> recoup::result<int> {
        static_cast<void>(op.sleep_for(nap));
        return n;
    });
    night one;
    one.ended = sleeper.run("one", 5).has_value();
    for (auto const wait : clock.waits()) one.waited += wait;
    return one;
}

night sleep_in(std::string const& folder, bool in_sqlite, recoup::system_time wall,
               std::function<void(duration)> const& on_wait = {}) {
    disk fast{folder, {.log = false}};
    if (in_sqlite) {
        recoup::sqlite_store_options options;
        options.accepted_file_systems = {"tmpfs", "ramfs", "fuse", "9p"};
        recoup::sqlite_store store{folder + "/store.db", options};
        return sleep_on(store, wall, on_wait);
    }
    recoup::journal_store_options options;
    options.accepted_file_systems = {"tmpfs", "ramfs", "fuse", "9p"};
    recoup::journal_store store{folder + "/store.journal", options};
    return sleep_on(store, wall, on_wait);
}

struct jump {
    duration by;        ///< from bedtime to the wall clock of the next process
    duration expected;  ///< what that has to wait
};

}  // namespace

TEST_CASE("however the wall clock jumps, no timer is early, lost or stuck") {
    constexpr auto year = 24h * 365;
    std::uint64_t jumps = 0;
    for (auto const in_sqlite : {true, false})
        for (auto const& [by, expected] :
             {jump{0s, nap}, jump{1ns, nap - 1ns}, jump{4s, 6s}, jump{nap - 1ns, 1ns},
              jump{nap, 0s}, jump{nap + 1ns, 0s}, jump{year * 200, 0s}, jump{-1ns, nap},
              jump{-1h, nap}, jump{-year * 50, nap}, jump{-year * 200, nap}}) {
            INFO("sqlite " << in_sqlite << ", jump of " << by.count() << " ns");
            temporary_folder folder;
            child first{[&](int) {
                sleep_in(folder.path(), in_sqlite, bedtime,
                         [](duration) { ::kill(::getpid(), SIGKILL); });
                return 0;
            }};
            REQUIRE(first.wait() == -SIGKILL);
            auto const rest = sleep_in(folder.path(), in_sqlite, bedtime + by);
            CHECK(rest.ended);
            CHECK(rest.waited == expected);
            ++jumps;
        }
    summarise("clock jumps", std::to_string(jumps) + " jumps, none early, late or stuck");
}
