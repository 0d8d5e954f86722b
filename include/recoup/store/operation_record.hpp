// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/identity.hpp>
#include <recoup/core/time.hpp>
#include <recoup/store/record.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>

namespace recoup::inline v1 {

/// Where a durable operation stands. The numbers are stored: only append.
enum class operation_status : std::uint8_t {
    pending = 1,    ///< recorded and not begun, given back, or asleep until it is due
    running = 2,    ///< begun; where its owner is gone: left behind by a crash
    succeeded = 3,  ///< ended with a result, which is kept until `expires`
    failed = 4,     ///< ended in failure; the next call starts a new generation
    cancelled = 5,  ///< ended because that was asked for
    blocked = 6,    ///< parked until somebody decides: of another version, or in doubt
    dead = 7,       ///< crashed more often than it may; never retried by itself
};

/// The name of `what`, as in the enumeration.
constexpr std::string_view to_string(operation_status what) noexcept {
    switch (what) {
        case operation_status::pending: return "pending";
        case operation_status::running: return "running";
        case operation_status::succeeded: return "succeeded";
        case operation_status::failed: return "failed";
        case operation_status::cancelled: return "cancelled";
        case operation_status::blocked: return "blocked";
        case operation_status::dead: return "dead";
    }
    return "unknown";
}

template <class Char, class Traits>
std::basic_ostream<Char, Traits>& operator<<(std::basic_ostream<Char, Traits>& out,
                                             operation_status what) {
    return out << to_string(what);
}

/// Whether an operation in this state is over.
constexpr bool has_ended(operation_status what) noexcept {
    return what == operation_status::succeeded || what == operation_status::failed ||
           what == operation_status::cancelled;
}

/// What is kept of one durable operation, beside its steps.
struct operation_record {
    operation_id id{};
    std::uint64_t number =
        0;  ///< given by the store at the start, ascending; steps are kept under it
    std::uint64_t epoch =
        0;  ///< the fence: raised by each claim; a write with an older one is refused
    std::uint64_t owner = 0;   ///< who runs it, or has claimed it; 0: nobody
    std::uint64_t parent = 0;  ///< the number of the operation that started it; 0: none
    operation_status status = operation_status::pending;
    bool cancel_requested =
        false;             ///< noted by `request_cancel`; stays until a write drops the wish
    bool undoing = false;  ///< it is on its way back: its steps are being undone
    std::uint64_t fingerprint = 0;         ///< of the input
    std::uint32_t generation = 1;          ///< how many times it was started after it had ended
    std::uint32_t recoveries = 0;          ///< how many times it was begun again after a crash
    std::array<std::uint8_t, 16> token{};  ///< idempotency; one an operation and generation
    duration delay{};                      ///< the wait before `due`, as it was when it began
    system_time due{};                     ///< not to be claimed before; epoch: at once
    system_time created{};
    system_time updated{};
    system_time expires = system_time::max();  ///< when it may be removed, once it has ended
    std::string version{};                     ///< of the definition that began it
    std::string input{};                       ///< the arguments, encoded
    std::string progress{};                    ///< what the body said last of where it is
    std::string note{};                        ///< why it is blocked or dead
    std::optional<std::string> result{};       ///< encoded; with `succeeded`
    std::optional<recorded_failure> last_failure{};

    friend bool operator==(operation_record const&, operation_record const&) = default;
};

/// Where a step stands. The numbers are stored: only append.
enum class step_status : std::uint8_t {
    begun = 1,    ///< its body may have run: in doubt after a crash
    done = 2,     ///< its result is recorded, and its body is not run again
    undoing = 3,  ///< its compensation may have run
    undone = 4,   ///< its compensation has run
};

/// The name of `what`, as in the enumeration.
constexpr std::string_view to_string(step_status what) noexcept {
    switch (what) {
        case step_status::begun: return "begun";
        case step_status::done: return "done";
        case step_status::undoing: return "undoing";
        case step_status::undone: return "undone";
    }
    return "unknown";
}

template <class Char, class Traits>
std::basic_ostream<Char, Traits>& operator<<(std::basic_ostream<Char, Traits>& out,
                                             step_status what) {
    return out << to_string(what);
}

/// The greatest index that a step may have: stores make one number of it and its operation's.
inline constexpr std::uint32_t step_index_max = (std::uint32_t{1} << 20U) - 1;

/// What is kept of one step of a durable operation.
struct step_record {
    /// Its place in the operation's journal: its key in the store; at most `step_index_max`.
    std::uint32_t index = 0;
    std::uint32_t count = 0;  ///< which one of its name, from 0; 0 where it has an id
    std::string name{};
    std::string id{};  ///< given for steps of one name that run at the same time; else empty
    step_status status = step_status::done;
    std::uint32_t attempts = 1;     ///< made until now
    std::uint64_t fingerprint = 0;  ///< of its arguments
    system_time updated{};
    std::string value{};  ///< with `done`: the result, encoded
    std::string state{};  ///< with `begun`: what its retries, budget and checkpoint have come to
    std::optional<recorded_failure> last_failure{};

    friend bool operator==(step_record const&, step_record const&) = default;
};

}  // namespace recoup::inline v1
