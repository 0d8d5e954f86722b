// SPDX-License-Identifier: BSL-1.0
#include "crash/workload.hpp"

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>

// One process that works on a store: what another program, such as strace, may disturb.

int main(int count, char** arguments) {
    if (count != 6) {
        std::cerr << "usage: crash_workload STORE FOLDER LOG SEED STEPS\n";
        return 2;
    }
    using namespace recoup_test;
    for (auto const& kind : store_kinds()) {
        if (kind.name != arguments[1]) continue;
        shared_log log{arguments[3]};
        auto const models = make_models(1, std::strtoull(arguments[4], nullptr, 10));
        auto opened = kind.open(arguments[2]);
        if (!opened.has_value()) return 1;
        log->stage = 1;
        run_work(*opened.value(), models, *log,
                 {.steps = static_cast<std::uint32_t>(std::strtoul(arguments[5], nullptr, 10))});
        log->stage = 3;
        return 0;
    }
    std::cerr << "crash_workload: no store is called \"" << arguments[1] << "\"\n";
    return 2;
}
