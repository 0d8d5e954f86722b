// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/journal_frame.hpp>
#include <recoup/store/detail/journal_scan.hpp>
#include <recoup/store/journal_options.hpp>

#include <cstdint>
#include <string_view>

namespace recoup::inline v1::detail {

/// Notes what a scan finds wrong, but for damage that is known already.
struct journal_checker {
    journal_verification& into;
    void frame(journal_frame const&) const noexcept {}
    void damaged(journal_frame const& what) const {
        for (auto const& known : into.damaged)
            if (known.sequence == what.sequence) return;
        into.damaged.push_back({{}, 0, what.sequence, what.offset, "its checksum is wrong"});
    }
    void lost(std::uint64_t, std::uint64_t, std::uint64_t) const noexcept { into.complete = false; }
};

/// Reads the two copies of a journal again: whether each frame is good in one, and alike in both as far as
/// `log` goes, which is what was synced.
inline void check_journal(journal_verification& into, std::string_view live, std::string_view log,
                          journal_header const& header, bool live_is_whole) {
    auto const ended = journal_scanner{live, log, header, live_is_whole}.run(journal_checker{into});
    into.frames = ended.frames;
    into.repaired = 0;
    into.torn_bytes = ended.torn_bytes;
    for (std::uint64_t at = journal_begin; at < log.size();) {
        journal_frame frame;
        if (read_frame(live, at, header.nonce, frame) != frame_state::whole) {
            at += 8;
            continue;
        }
        if (at + frame.size <= log.size() &&
            live.substr(at, frame.size) != log.substr(at, frame.size))
            ++into.repaired;
        at += frame.size;
    }
}

}  // namespace recoup::inline v1::detail
