// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "launcher/disk.hpp"
#include "launcher/download_record.hpp"
#include "launcher/transfer.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace launcher {

/// How often progress is made durable: after so many bytes or so much time, whatever comes first.
/// A crash costs at most what arrived since.
struct checkpoint_interval {
    std::uint64_t bytes = std::uint64_t{1024} * 1024;
    std::chrono::milliseconds time{1000};
};

/// Writes what a mirror sends to the .part file, and keeps the record true: `record.bytes` grows
/// only after the bytes before it were synced.
class checkpointed_sink final : public byte_sink {
  public:
    /// `save` makes the record durable; `show` is told how many bytes are written.
    checkpointed_sink(part_file& part, download_record& record, std::string mirror,
                      checkpoint_interval interval, std::function<void()> save,
                      std::function<void(std::uint64_t)> show);

    recoup::result<void> begin(std::uint64_t offset, std::string const& etag) override;
    recoup::result<void> write(std::span<std::byte const> bytes) override;

    /// Makes what was written since the last checkpoint durable.
    recoup::result<void> checkpoint();

  private:
    part_file& part_;
    download_record& record_;
    std::string mirror_;
    checkpoint_interval interval_;
    std::function<void()> save_;
    std::function<void(std::uint64_t)> show_;
    std::uint64_t written_;
    std::chrono::steady_clock::time_point saved_at_ = std::chrono::steady_clock::now();
};

}  // namespace launcher
