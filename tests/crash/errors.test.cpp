// SPDX-License-Identifier: BSL-1.0
#include "crash/harness.hpp"

#include <array>
#include <cerrno>
#include <filesystem>
#include <iterator>
#include <string>

// The system refuses a call: the first one, then the second, … until a run is not touched any more.

namespace {

using namespace recoup_test;

struct refusal {
    char const* name;
    unsigned kinds;
    int error;  ///< 0: a short read or write
    bool for_good;
};

constexpr std::array refusals{
    refusal{"EIO once", calls::all, EIO, false},
    refusal{"EIO for good", calls::all, EIO, true},
    refusal{"ENOSPC once", calls::changes, ENOSPC, false},
    refusal{"ENOSPC for good", calls::changes, ENOSPC, true},
    // For good it would be no interruption, but a signal that never ends.
    refusal{"EINTR once", calls::all, EINTR, false},
    refusal{"short once", calls::read | calls::write, 0, false},
    refusal{"short writes for good", calls::write, 0, true},
};

std::size_t open_files() {
    auto const all = std::filesystem::directory_iterator{"/proc/self/fd"};
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

}  // namespace

TEST_CASE("whichever call fails, the store refuses or is right, and nothing is lost or leaked") {
    auto const seed = crash_seed();
    auto const how = work_options{.steps = 20};
    for (auto const& kind : store_kinds()) {
        findings all;
        std::uint64_t failures = 0;
        std::uint64_t runs = 0;
        for (auto const& refusal : refusals) {
            auto const count = calls_of(kind, seed, refusal.kinds, how);
            for (auto const number : sample(count, 8, seed + refusal.kinds)) {
                victim one{kind, seed};
                auto const failed = shared_log{};
                one.log().clear();
                child worker{[&](int) {
                    disk below{one.folder(), {.log = false}};
                    auto const before = open_files();
                    below.fail(refusal.kinds, number + 1, refusal.error, refusal.for_good);
                    one.try_work(how);
                    failed->stage = below.failed() ? 1 : 0;
                    below.heal();
                    if (open_files() != before) return 3;
                    return 0;
                }};
                auto const status = worker.wait();
                one.adopt_log();
                ++runs;
                failures += failed->stage;
                findings found;
                if (status == 3)
                    found = {.wrong = 1, .words = "a descriptor is left open"};
                else if (status != 0)
                    found = {.wrong = 1,
                             .words = "the process ended with " + std::to_string(status)};
                else
                    found = one.look();
                if (found.ok()) {
                    one.run(how);
                    found = one.look();
                }
                if (!found.ok())
                    found.words = kind.name + ", " + refusal.name + ", call " +
                                  std::to_string(number + 1) + ": " + found.words;
                all += found;
            }
        }
        INFO(all.words);
        summarise("failing calls, " + kind.name, std::to_string(runs) + " runs, " +
                                                     std::to_string(failures) + " failures, " +
                                                     figures(all));
        CHECK(all.ok());
        CHECK(failures > runs / 2);
    }
}
