// SPDX-License-Identifier: BSL-1.0
// The durability section: what it costs that nothing acknowledged is lost. Each figure stands beside the
// least that the same could cost, measured in turn with it.
//
// What decides the exit status: the gate of 5 % on an operation of 1 ms with its intent recorded, 500 ms
// until an operation is resumed, memory that does not grow, and that what is measured is what is promised
// (each record synced, each operation claimed once). The ratios to the floors, the nanoseconds and the
// goal of 10 ms depend on the disk and on who else uses the machine: they are goals, and tell by how much
// they are missed.
#include "durable/folder.hpp"
#include "durable/rows.hpp"
#include "sections.hpp"
#include "support/keep_awake.hpp"
#include "support/statistics.hpp"

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

namespace bench {

namespace {

/// Microseconds that the disk takes for 4 KiB, written over and synced.
spread sync_time(std::string const& folder) {
    auto const file = ::open((folder + "/sync").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (file < 0) throw std::runtime_error{"a file cannot be made in " + folder};
    std::string page(4096, 's');
    constexpr auto pages = 64;
    for (auto i = 0; i != pages; ++i)
        if (::pwrite(file, page.data(), page.size(), i * 4096) != 4096)
            throw std::runtime_error{"a file cannot be written in " + folder};
    ::fsync(file);
    std::vector<double> samples;
    for (auto i = 0; i != pages; ++i) {
        page.front() = static_cast<char>(i);
        auto const begin = std::chrono::steady_clock::now();
        auto const written = ::pwrite(file, page.data(), page.size(), i * 4096);
        if (written != 4096 || ::fdatasync(file) != 0)
            throw std::runtime_error{"a file cannot be synced in " + folder};
        samples.push_back(
            std::chrono::duration<double, std::micro>{std::chrono::steady_clock::now() - begin}
                .count());
    }
    ::close(file);
    return spread_of(samples);
}

}  // namespace

void measure_durable(plan const& chosen, report& into) {
    auto& details = into.details.at("durability");
    auto const folder = fresh_folder(chosen, "sync");
    details.set("sync_of_4_kib_us_processors_idle", sync_time(folder));
    {
        keep_awake const awake;
        details.set("sync_of_4_kib_us_processors_awake", sync_time(folder));
    }
    details.set("note",
                "where commits are timed the processors are kept from idling, on both sides: a "
                "virtual one that idles hears late of a finished sync");
    measure_added_time(chosen, into, details);
    measure_one_caller(chosen, into, details);
    measure_in_flight(chosen, into, details);
    measure_postgres(chosen, into, details);
    measure_resume(chosen, into, details);
    measure_backlog(chosen, into, details);
    measure_durable_memory(chosen, into, details);
}

}  // namespace bench
