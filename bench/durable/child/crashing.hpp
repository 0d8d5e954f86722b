// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/journal_store.hpp>
#include <recoup/store/sqlite_store.hpp>

#include <chrono>
#include <cstdint>
#include <string>

namespace bench {

/// A program of its own, beside the benchmarks, that is killed and started again: it links no more than a
/// user's would, for loading it is part of what is measured.
inline constexpr auto crashing_program = "recoup_bench_crashing";

// Its arguments: a role, a store, and where that is.
inline constexpr auto dies = "dies";
inline constexpr auto resumes = "resumes";
inline constexpr auto journal_kind = "journal";
inline constexpr auto sqlite_kind = "sqlite";

/// Of the clock that all processes share.
inline std::int64_t now() {
    return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds{1};
}

template <class Work>
void with_store(std::string const& kind, std::string const& path, Work const& work) {
    if (kind == journal_kind) {
        recoup::journal_store store{path};
        work(store);
    } else {
        recoup::sqlite_store store{path};
        work(store);
    }
}

}  // namespace bench
