// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "launcher/checkpointed_sink.hpp"
#include "launcher/download_record.hpp"
#include "launcher/mirrors.hpp"
#include "launcher/model_index.hpp"
#include "launcher/progress_board.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <stop_token>

#include <recoup/core/result.hpp>
#include <recoup/store/sqlite_store.hpp>

namespace launcher {

struct download_options {
    checkpoint_interval interval{};
    std::uint32_t attempts_max = 8;  ///< without progress
    std::chrono::milliseconds connect_timeout{10'000};
    std::chrono::milliseconds stall_timeout{15'000};
};

/// What all downloads of an installation share.
struct download_context {
    recoup::sqlite_store& store;
    host_breakers& breakers;
    progress_board& board;
    std::filesystem::path into;
    download_options options;
    std::stop_token stop;
};

/// Brings one model to its place under `context.into`: verified, synced, recorded. `file` is its
/// number on the board. A download that an earlier process began is continued.
[[nodiscard]] recoup::result<download_record> download(download_context const& context,
                                                       model const& what, std::size_t file);

}  // namespace launcher
