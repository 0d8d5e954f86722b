// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "launcher/download.hpp"
#include "launcher/errc.hpp"
#include "launcher/state.hpp"

#include <cstddef>
#include <cstdio>
#include <stop_token>

namespace launcher {

struct install_options {
    std::size_t parallel = 3;  ///< downloads at the same time
    download_options download{};
    std::FILE* progress = stdout;
    std::FILE* errors = stderr;
};

/// Installs, or goes on installing, all models of `what`; each step is recorded in `store`.
///
/// One sentence for every model that failed goes to `errors`.
/// Returns: the exit code of the first model that failed, in the order of the workflow; 0 when all
/// are in place.
/// Throws: problem for what concerns the whole: no space, no permission, a state that fails.
[[nodiscard]] int install(recoup::sqlite_store& store, installation const& what,
                          install_options const& options, std::stop_token const& stop);

}  // namespace launcher
