// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <chrono>
#include <cstdint>
#include <string>

// What the program for recoup does; each role prints lines of JSON, as the programs of the peers do.

namespace bench::peers {

/// Calls that succeed at once or fail once, beside the bare call and the loop by hand.
void calls(bool quick);

/// Operations of 10 steps, one at a time and 50 in flight. `store`: sqlite (`where` is a folder), or
/// postgres (`where` is a schema; the server is the environment's).
void durable(std::string const& store, std::string const& where, bool quick);

/// Is killed in the second step of an operation. `where`: as above.
void die(std::string const& store, std::string const& where);

/// Goes on with it, and says when it did.
void resume(std::string const& store, std::string const& where);

/// The tests of the original's report, as it took them and as they should be taken.
void original(std::string const& folder, bool quick);

/// Writes one line at once.
void print(nlohmann::ordered_json const& line);

/// Of the clock that all processes share.
inline std::int64_t now() {
    return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds{1};
}

}  // namespace bench::peers
