// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/journal_frame.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

namespace recoup::inline v1::detail {

/// What a scan of a journal came to.
struct scan_end {
    std::uint64_t end = journal_begin;  ///< where the next frame goes
    std::uint64_t last = 0;             ///< the sequence number of the last frame
    std::uint32_t session = 0;          ///< the last one
    std::uint64_t torn_bytes = 0;       ///< behind the end: what was not finished
    std::uint64_t repaired = 0;         ///< frames that one of the two files had no good copy of
    std::uint64_t frames = 0;
    bool closed = false;  ///< the last frame says that all before it was synced
    bool alike = true;    ///< up to the end both files are good frames, and the same
};

/// Reads the two copies of a journal, the one that was written (`live`) and the one that was synced
/// (`log`), as one: a frame is good if either has it. Both may hold anything.
///
/// `sink` is told of each frame in order, `frame(f)`; of each that is damaged in both and whose subject can
/// be told, `damaged(f)`; and of each gap about which nothing is known, `lost(first, next, offset)`.
///
/// A power cut leaves any part of what was not synced. So what is not good is damage only where a good frame
/// behind it says that it had been synced, or where `live_is_whole`, which holds as long as the machine runs;
/// else it is the end of what is left, whatever comes behind it.
class journal_scanner {
  public:
    journal_scanner(std::string_view live, std::string_view log, journal_header const& header,
                    bool live_is_whole) noexcept
        : live_{live},
          log_{log},
          written_{std::max(without_zeros(live), without_zeros(log))},
          nonce_{header.nonce},
          live_is_whole_{live_is_whole} {
        end_.last = header.first - 1;
    }

    template <class Sink>
    scan_end run(Sink&& sink) {
        while (auto const found = next()) {
            if (found->damaged || found->lost_before) end_.alike = false;
            if (found->damaged) {
                sink.damaged(found->frame);
            } else if (found->lost_before) {
                sink.lost(end_.last + 1, found->frame.sequence, end_.end);
            }
            end_.end = found->frame.offset + found->frame.size;
            end_.last = found->frame.sequence;
            behind_damage_ = found->damaged;
            if (found->damaged) continue;
            end_.session = found->frame.session;
            end_.closed = found->frame.kind == frame_kind::closed;
            ++end_.frames;
            sink.frame(found->frame);
        }
        end_.torn_bytes = written_ > end_.end ? written_ - end_.end : 0;
        end_.alike = end_.alike && end_.repaired == 0;
        return end_;
    }

  private:
    struct step {
        journal_frame frame{};
        bool damaged = false;
        bool lost_before = false;
    };

    /// How many bytes there are, but for those at the end that are zero: megabytes as a rule.
    static std::uint64_t without_zeros(std::string_view bytes) noexcept {
        auto size = bytes.size();
        while (size >= 8 && number_at<std::uint64_t>(bytes.data() + size - 8) == 0) size -= 8;
        while (size != 0 && bytes[size - 1] == '\0') --size;
        return size;
    }

    /// Whether a frame is the one that follows, and no leftover of an earlier session.
    [[nodiscard]] bool follows(journal_frame const& what) const noexcept {
        if (what.session < end_.session) return false;
        if (what.kind != frame_kind::session)
            return what.sequence == end_.last + 1 &&
                   (what.session == end_.session || behind_damage_);
        // A session may leave numbers out, which those before it may have used; it says where it began.
        return what.sequence > end_.last && what.session > end_.session &&
               what.payload.size() >= 8 &&
               number_at<std::uint64_t>(what.payload.data()) == end_.last;
    }

    std::optional<step> next() {
        step found;
        journal_frame bad;
        auto known = false;
        for (auto const bytes : {live_, log_}) {
            auto const state = read_frame(bytes, end_.end, nonce_, found.frame);
            if (state == frame_state::whole && follows(found.frame)) {
                note_copies(found.frame);
                return found;
            }
            if (state == frame_state::bad_payload && found.frame.sequence == end_.last + 1 &&
                found.frame.session == end_.session) {
                bad = found.frame;
                known = true;
            }
        }
        auto const behind = look_behind(known ? bad.size : 8);
        if (!behind) return std::nullopt;
        if (known) return step{bad, true, false};
        for (auto const bytes : {live_, log_})
            if (read_tail(bytes, behind->offset, nonce_, behind->sequence - 1, found.frame) &&
                found.frame.offset == end_.end &&
                (found.frame.sequence == end_.last + 1 || found.frame.kind == frame_kind::session))
                return step{found.frame, true, false};
        return step{*behind, false, true};
    }

    /// The next good frame, `from_here` bytes behind the end or later, if what is missing before it is
    /// damage.
    [[nodiscard]] std::optional<journal_frame> look_behind(std::uint64_t from_here) const noexcept {
        std::optional<journal_frame> first;
        auto const longest = std::max(live_.size(), log_.size());
        for (auto at = end_.end + from_here; at < written_ && at + frame_bytes_min <= longest;) {
            auto width = std::uint64_t{8};
            for (auto const in_live : {true, false}) {
                auto const bytes = in_live ? live_ : log_;
                journal_frame seen;
                if (bytes.size() < at + 4 || number_at<std::uint32_t>(bytes.data() + at) == 0 ||
                    read_frame(bytes, at, nonce_, seen) != frame_state::whole ||
                    seen.sequence <= end_.last + 1 || seen.session < end_.session)
                    continue;
                if (!first) first = seen;
                if (seen.synced > end_.last || (in_live && live_is_whole_)) return first;
                width = seen.size;
                break;
            }
            at += width;
        }
        return std::nullopt;
    }

    void note_copies(journal_frame const& what) noexcept {
        if (live_.size() < what.offset + what.size || log_.size() < what.offset + what.size ||
            std::memcmp(live_.data() + what.offset, log_.data() + what.offset, what.size) != 0)
            ++end_.repaired;
    }

    std::string_view live_;
    std::string_view log_;
    std::uint64_t written_;  ///< behind it both are zero
    std::uint64_t nonce_;
    bool live_is_whole_;
    bool behind_damage_ = false;
    scan_end end_{};
};

}  // namespace recoup::inline v1::detail
