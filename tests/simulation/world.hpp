// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "simulation/chronicle.hpp"
#include "simulation/dice.hpp"
#include "simulation/installs.hpp"
#include "simulation/ledger.hpp"
#include "simulation/mirrors.hpp"
#include "simulation/scheduler.hpp"
#include "simulation/user_disk.hpp"
#include "simulation/watched_store.hpp"

#include <recoup/core/time.hpp>
#include <recoup/guard/bulkhead_options.hpp>
#include <recoup/guard/circuit_breaker_options.hpp>
#include <recoup/guard/rate_limit.hpp>
#include <recoup/retry/retry_budget.hpp>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace simulation {

/// How the launcher of a day is set up: drawn from the seed, as all else.
struct launcher_settings {
    std::uint32_t attempts_max = 4;
    recoup::duration deadline{};
    recoup::duration patience{};  ///< with one answer of a mirror
    recoup::rate_limit limit{};
    recoup::bulkhead_options room{};
    recoup::circuit_breaker_options breaker{};
    recoup::retry_budget_options budget{};
    std::uint32_t recoveries_max = 5;
    recoup::duration look_after{};  ///< between two looks at what is to be cancelled
    double unavailable = 0;         ///< share of the store's changes that fail
};

/// What there is outside of the launcher's process, and outlives it.
struct world {
    world(scheduler& by_, chronicle& tells_, dice& chance_, ledger& kept_, mirrors& servers_,
          user_disk& disk_)
        : by{by_}, tells{tells_}, chance{chance_}, kept{kept_}, servers{servers_}, disk{disk_} {}

    scheduler& by;
    chronicle& tells;
    dice& chance;
    ledger& kept;
    mirrors& servers;
    user_disk& disk;
    launcher_settings settings{};
    mistake planted = mistake::none;
    std::vector<install> installs{};
    /// A service elsewhere, which knows a repetition by its token: how often each was registered.
    std::map<std::string, int> registered{};
    /// Attempts by the token of their operation, over all restarts.
    std::map<std::string, std::uint32_t> attempts{};
    /// The bodies that run, by the operation's number: in which process, and under which epoch.
    std::multimap<std::uint64_t, std::pair<process const*, std::uint64_t>> bodies{};
    /// How often the wall clock was set back: whether a process ended in a wait or in the attempt behind it
    /// is told by that clock, so that each time one attempt may go uncounted.
    std::uint32_t set_back = 0;

    // What a day was made of.
    std::uint64_t calls = 0;
    std::uint64_t retries = 0;
    std::uint64_t crashes = 0;
    std::uint64_t power_cuts = 0;
    std::uint64_t freezes = 0;
    std::uint64_t shutdowns = 0;
    std::uint64_t breakers_opened = 0;
};

}  // namespace simulation
