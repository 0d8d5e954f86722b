// SPDX-License-Identifier: BSL-1.0
#include "support/machine.hpp"

#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>

#include <sqlite3.h>
#include <sys/utsname.h>

namespace bench {

namespace {

std::string processor_name() {
    std::ifstream info{"/proc/cpuinfo"};
    for (std::string line; std::getline(info, line);) {
        if (line.rfind("model name", 0) != 0) continue;
        auto const colon = line.find(": ");
        if (colon != std::string::npos) return line.substr(colon + 2);
    }
    return "unknown";
}

}  // namespace

double load_average() {
    double load = 0;
    return getloadavg(&load, 1) == 1 ? load : -1;
}

unsigned processors() { return std::thread::hardware_concurrency(); }

void describe_machine(figures& into) {
    utsname system{};
    uname(&system);
    into.set("library_version", RECOUP_BENCH_VERSION);
#if defined(__clang__)
    into.set("compiler", "clang " __clang_version__);
#else
    into.set("compiler", "g++ " __VERSION__);
#endif
    into.set("compiler_flags", RECOUP_BENCH_FLAGS);
    into.set("processor", processor_name());
    into.set("processors", std::int64_t{processors()});
    into.set("system", std::string{system.sysname} + ' ' + system.release + ' ' + system.machine);
    into.set("sqlite_version", sqlite3_libversion());
}

}  // namespace bench
