// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/result.hpp>
#include <recoup/store/detail/journal_frame.hpp>
#include <recoup/store/detail/journal_operations.hpp>
#include <recoup/store/detail/journal_records.hpp>
#include <recoup/store/store_errc.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

// What the frames of a journal mean to its two indices: to that of records and to that of operations.

namespace recoup::inline v1::detail {

/// Puts what a scan finds into the indices.
struct journal_reader {
    journal_records& records;
    journal_operations& operations;
    std::size_t side;
    bool& had_damage;

    void frame(journal_frame const& what) {
        switch (what.kind) {
            case frame_kind::record:
            case frame_kind::erased: records.replay(what, side); break;
            case frame_kind::started:
            case frame_kind::written:
            case frame_kind::claimed:
            case frame_kind::cancel:
            case frame_kind::removed:
                if (auto const* wrong = operations.replay(what, side))
                    operations.mark_damaged(what, wrong);
                break;
            case frame_kind::accepted:
                records.accept_loss();
                operations.doubt_all(false);
                break;
            case frame_kind::session:
            case frame_kind::closed: break;
        }
    }
    void damaged(journal_frame const& what) {
        had_damage = true;
        switch (what.kind) {
            case frame_kind::record:
            case frame_kind::erased: records.mark_damaged(what, "its checksum is wrong"); break;
            case frame_kind::started:
            case frame_kind::written:
            case frame_kind::claimed:
            case frame_kind::cancel:
            case frame_kind::removed: operations.mark_damaged(what, "its checksum is wrong"); break;
            default: break;
        }
    }
    void lost(std::uint64_t, std::uint64_t next, std::uint64_t) {
        had_damage = true;
        records.doubt_all_before(next);
        operations.doubt_all(true);
    }
};

/// Copies the frames that still count into the journal's next generation, and notes where they are there.
template <class Pair>
struct journal_copier {
    Pair const& from;
    Pair& to;
    std::uint64_t snapshot;  ///< the end of `from` when the copying began
    std::size_t from_side;
    bool had_damage;  ///< what is not whole is known, and was discarded or accepted

    std::uint64_t at = journal_begin;  ///< all before it is copied

    result<void> copy(std::uint64_t until, journal_records& records,
                      journal_operations& operations) {
        while (at < until && at < from.end()) {
            journal_frame frame;
            if (read_frame(from.bytes(), at, from.header().nonce, frame) != frame_state::whole) {
                if (!had_damage)
                    return store_failure(store_errc::corrupt, "the frame at " + std::to_string(at) +
                                                                  " of " + from.path() +
                                                                  " is damaged");
                at += 8;
                continue;
            }
            at += frame.size;
            auto const to_at = to.end() + frame_head_bytes;
            auto wanted = false;
            switch (frame.kind) {
                case frame_kind::record: wanted = records.keep(frame, from_side, to_at); break;
                case frame_kind::started:
                case frame_kind::written:
                case frame_kind::claimed:
                case frame_kind::cancel: wanted = operations.keep(frame, from_side, to_at); break;
                // What they took out may have been copied before it was.
                case frame_kind::erased:
                case frame_kind::removed: wanted = frame.offset >= snapshot; break;
                case frame_kind::accepted:
                case frame_kind::session:
                case frame_kind::closed: break;
            }
            if (!wanted) continue;
            auto put = to.append(frame.kind, frame.subject, frame.payload);
            if (!put.has_value()) return put.error();
        }
        return success();
    }
};

}  // namespace recoup::inline v1::detail
