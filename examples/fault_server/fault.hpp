// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace fault_server {

/// What the server does to a request instead of answering it properly.
enum class fault : std::uint8_t {
    none,
    reset,          ///< TCP reset in the middle of the body
    stall,          ///< falls silent in the middle of the body
    truncate,       ///< closes in the middle of the body, politely
    unavailable,    ///< 503 with Retry-After
    not_found,      ///< 404
    wrong_bytes,    ///< one byte of the body is flipped
    wrong_range,    ///< 206 with another range than was asked for
    wrong_size,     ///< says that the file is one byte longer than it is
    redirect_loop,  ///< 302 to itself
};

[[nodiscard]] std::string_view to_string(fault kind) noexcept;

/// "Inject `kind` with this probability into requests for `path`" (every path when empty).
struct fault_rule {
    fault kind = fault::none;
    double probability = 0;
    std::string path{};
};

/// Reads `KIND=PROBABILITY` or `KIND=PROBABILITY@PATH`, such as `reset=0.2@/a.safetensors`.
/// Throws: std::invalid_argument with a sentence for the user.
[[nodiscard]] fault_rule parse_fault_rule(std::string_view text);

/// A fault and where in the body it strikes, as a fraction in [0, 1).
struct injection {
    fault kind = fault::none;
    double where = 0;
};

/// Decides the fate of each request from a seed, the path and how often that path was asked for:
/// the same requests meet the same faults, whatever else runs at the same time.
class fault_plan {
  public:
    /// Throws: std::invalid_argument when the probabilities of one path exceed 1.
    fault_plan(std::uint64_t seed, std::vector<fault_rule> rules);

    /// The fate of the next request for `path`.
    [[nodiscard]] injection next(std::string_view path);

  private:
    std::uint64_t seed_;
    std::vector<fault_rule> rules_;
    std::map<std::string, std::uint64_t, std::less<>> requests_;
};

}  // namespace fault_server
