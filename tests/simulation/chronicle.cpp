// SPDX-License-Identifier: BSL-1.0
#include "simulation/chronicle.hpp"

#include <recoup/core/fingerprint.hpp>

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace simulation {

namespace {

/// `7 09:15:03.250 strand: what`
std::string line_of(std::uint64_t number, recoup::duration since, std::string const& who,
                    std::string const& what) {
    auto const ms = since.count() / 1'000'000;
    char head[64];
    std::snprintf(head, sizeof head, "%6llu %02lld:%02lld:%02lld.%03lld ",
                  static_cast<unsigned long long>(number), static_cast<long long>(ms / 3'600'000),
                  static_cast<long long>(ms / 60'000 % 60), static_cast<long long>(ms / 1000 % 60),
                  static_cast<long long>(ms % 1000));
    return head + who + ": " + what;
}

}  // namespace

void chronicle::note(std::string what) {
    auto line = line_of(++events_, by_.clock().elapsed(), by_.current().name, what);
    fingerprint_ = recoup::detail::fingerprint_of(fingerprint_, line);
    if (aloud_) std::puts(line.c_str());
    last_.push_back(std::move(line));
    if (last_.size() > kept_max) last_.pop_front();
    if (on_event) on_event();
}

void chronicle::broken(std::string_view promise, std::string const& how) {
    if (!aloud_)
        for (auto const& line : last_) std::puts(line.c_str());
    std::printf("BROKEN: %.*s: %s\nseed %llu, event %llu; again: simulated_day --seed %llu%s\n",
                static_cast<int>(promise.size()), promise.data(), how.c_str(),
                static_cast<unsigned long long>(seed_), static_cast<unsigned long long>(events_),
                static_cast<unsigned long long>(seed_), how_to_repeat.c_str());
    std::fflush(stdout);
    if (before_the_end) before_the_end();
    // Threads stand in the middle of calls, and must not go on in a world that is wrong.
    std::_Exit(1);
}

}  // namespace simulation
