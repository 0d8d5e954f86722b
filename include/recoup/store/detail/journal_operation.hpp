// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/identity.hpp>
#include <recoup/core/time.hpp>
#include <recoup/store/detail/bytes.hpp>
#include <recoup/store/detail/journal_frame.hpp>
#include <recoup/store/detail/journal_place.hpp>
#include <recoup/store/detail/journal_written.hpp>
#include <recoup/store/detail/operation_codec.hpp>
#include <recoup/store/operation_record.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string_view>

namespace recoup::inline v1::detail {

/// How an operation of a journal stands: what is asked without reading its head.
struct journal_standing {
    std::uint64_t epoch = 0;
    std::uint64_t owner = 0;
    std::uint64_t parent = 0;
    operation_status status = operation_status::pending;
    bool cancel = false;
    bool damaged = false;
    duration delay{};
    system_time due{};
    system_time expires{};

    /// `Operation`: `operation_record` or `operation_view`.
    template <class Operation>
    void take(Operation const& from) noexcept {
        epoch = from.epoch;
        owner = from.owner;
        parent = from.parent;
        status = from.status;
        cancel = from.cancel_requested;
        delay = from.delay;
        due = from.due;
        expires = from.expires;
    }
};

/// An operation of a journal, and where its head and its steps are.
struct journal_operation : journal_standing {
    operation_id id{};
    journal_place head{};
    std::uint64_t bytes = 0;
    std::map<std::uint32_t, journal_place> steps{};

    void set_head(std::uint64_t at, std::size_t size, std::size_t side) noexcept {
        head = {};
        head.at[side] = at;
        head.size = static_cast<std::uint32_t>(size);
    }

    /// Whether the next generation needs a frame of this one; notes where its parts will be there, at `to_at`.
    bool keep(journal_frame const& frame, std::size_t from, std::uint64_t to_at) {
        auto const shift = to_at - (frame.offset + frame_head_bytes);
        auto needed = false;
        auto const move = [&](journal_place& place) {
            auto const inside = place.at[from] - (frame.offset + frame_head_bytes);
            if (inside >= frame.payload.size()) return;
            place.at[1 - from] = place.at[from] + shift;
            needed = true;
        };
        switch (frame.kind) {
            case frame_kind::claimed: {
                byte_reader read{frame.payload};
                static_cast<void>(read.number<std::uint64_t>());
                return read.number<std::uint64_t>() == epoch;
            }
            case frame_kind::cancel: return cancel;
            case frame_kind::written: {
                byte_reader read{frame.payload.substr(16)};
                // To drop steps or an owner again, in order, does no harm; not to do so would.
                needed = (read.number<std::uint32_t>() & (written_drops | written_releases)) != 0;
                break;
            }
            default: break;
        }
        move(head);
        for (auto& [index, place] : steps) move(place);
        return needed;
    }

    /// Notes where the head and the steps of a written payload are. The steps' places may have been made
    /// before: then it does not throw.
    char const* place_parts(std::string_view payload, std::uint64_t payload_at, std::size_t side) {
        if (payload.size() < written_front_bytes) return "it is too short";
        auto const flags = number_at<std::uint32_t>(payload.data() + 16);
        auto const count = number_at<std::uint32_t>(payload.data() + 20);
        auto const has_head = (flags & written_head) != 0;
        auto at = written_front_bytes;
        for (std::uint64_t i = 0, parts = std::uint64_t{count} + has_head; i != parts; ++i) {
            if (payload.size() - at < 4) return "it is cut";
            auto const size = number_at<std::uint32_t>(payload.data() + at);
            at += 4;
            if (size > payload.size() - at) return "it is cut";
            if (i == 0 && has_head) {
                set_head(payload_at + at, size, side);
            } else {
                if (size < step_head_bytes) return "a step is cut";
                auto& place = steps[number_at<std::uint32_t>(payload.data() + at + 24)];
                place = {};
                place.at[side] = payload_at + at;
                place.size = size;
            }
            at += size;
        }
        return at == payload.size() ? nullptr : "it goes on after its end";
    }
};

}  // namespace recoup::inline v1::detail
