// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/failure.hpp>
#include <recoup/core/identity.hpp>
#include <recoup/core/time.hpp>
#include <recoup/store/detail/identity_order.hpp>
#include <recoup/store/detail/write_behind_log.hpp>
#include <recoup/store/store_errc.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>

// What a `write_behind` knows of each record and operation, and what kinds of failures of the store it
// tells apart.

namespace recoup::inline v1::detail {

/// Whether the same call may succeed later.
inline bool may_pass(failure const& why) noexcept {
    return why.code() == make_error_code(store_errc::unavailable) ||
           why.code() == make_error_code(store_errc::locked) ||
           why.code() == make_error_code(store_errc::full);
}

/// Whether it concerns one record or operation alone.
inline bool is_loss_of_one(failure const& why) noexcept {
    return why.code() == make_error_code(store_errc::conflict) ||
           why.code() == make_error_code(store_errc::fenced) ||
           why.code() == make_error_code(store_errc::too_large);
}

/// A record or operation with a place in the queue, or one that had it.
struct write_behind_slot {
    unsigned queued = 0;    ///< how many places it has in the queue
    bool writing = false;   ///< the store is being given something of it
    bool doubtful = false;  ///< a call of the store failed, and may have done its work
    std::size_t bytes = 0;
    steady_time since{};
    std::optional<failure> lost{};
    std::uint64_t log_number = 0;
    std::uint64_t log_revision = 0;
};

struct known_record : write_behind_slot {
    std::uint64_t given = 0;   ///< the revision that callers have; 0: there is no record
    std::uint64_t stored = 0;  ///< the one that the store has
    waiting_record waiting{};
    waiting_record under_way{};
    bool unsure = false;  ///< the store may have cleaned it up
    std::map<operation_id, known_record, identity_order>::iterator self{};

    [[nodiscard]] bool is_idle() const noexcept {
        return queued == 0 && !writing && !waiting.value;
    }
};

struct known_operation : write_behind_slot {
    std::uint64_t number = 0;
    std::uint64_t epoch = 0;
    bool owned = false;
    bool cancel_requested = false;
    bool waits = false;
    waiting_write waiting{};
    waiting_write under_way{};

    [[nodiscard]] bool is_idle() const noexcept { return queued == 0 && !writing && !waits; }
};

/// A place in the queue.
struct queued_write {
    known_record* one = nullptr;  ///< or `other`
    known_operation* other = nullptr;
    std::uint64_t place = 0;
};

}  // namespace recoup::inline v1::detail
