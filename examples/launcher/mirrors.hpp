// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "launcher/download_record.hpp"
#include "launcher/model_index.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <recoup/guard/circuit_breaker.hpp>

namespace launcher {

/// One circuit breaker for each host, shared by all downloads.
///
/// Thread safety: `of` may be called concurrently; what it returns lives as long as this.
class host_breakers {
  public:
    [[nodiscard]] recoup::circuit_breaker& of(std::string const& host);

  private:
    std::mutex mutex_;
    std::map<std::string, std::unique_ptr<recoup::circuit_breaker>> by_host_;
};

/// The mirrors of `what` in the order to try them: those that lied least, then those that failed
/// least in this run, then as the index has them.
[[nodiscard]] std::vector<std::string> mirrors_to_try(
    model const& what, download_record const& record,
    std::map<std::string, std::uint32_t> const& failures);

/// Notes that the finished file was wrong: each mirror that sent a part of it gets a strike.
void strike_sources(download_record& record);

}  // namespace launcher
