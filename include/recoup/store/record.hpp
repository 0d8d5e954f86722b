// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/category.hpp>
#include <recoup/core/identity.hpp>
#include <recoup/core/time.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace recoup::inline v1 {

/// Where an operation stands. The numbers are stored: only append.
enum class record_status : std::uint8_t {
    running = 1,    ///< begun and not ended; without a live owner: left behind by a crash
    succeeded = 2,  ///< ended with a result, which is kept until `expires`
    failed = 3,     ///< ended in failure; the next call starts a new generation
};

/// A failure as it is kept: the text is redacted and cut before it gets here.
struct recorded_failure {
    recoup::category category = category::unknown;
    std::int32_t code = 0;
    std::string code_category{};  ///< the name of the code's std::error_category; empty: no code
    std::string message{};

    friend bool operator==(recorded_failure const&, recorded_failure const&) = default;
};

/// What is kept of one operation.
struct record {
    operation_id id{};
    /// Raised by the store at every save; 0: never saved. The fence: a save with another revision
    /// than the stored one is refused.
    std::uint64_t revision = 0;
    std::uint64_t fingerprint = 0;  ///< of the input
    record_status status = record_status::running;
    std::uint32_t generation = 1;  ///< how many times it was started after it had ended
    std::uint32_t attempts = 0;    ///< the number of the attempt that was last begun or is due
    std::uint32_t spent = 0;       ///< failed attempts charged to the shared budget
    std::array<std::uint32_t, category_count> spent_by_category{};
    std::array<std::uint8_t, 16> token{};  ///< idempotency; one an operation and generation
    duration active{};                     ///< time spent inside the operation, over all restarts
    duration delay{};                      ///< the wait before the attempt that is due
    system_time due{};                     ///< when that attempt may begin; epoch: at once
    system_time created{};
    system_time updated{};
    system_time expires = system_time::max();  ///< when it may be removed, once it has ended
    std::optional<std::string> checkpoint{};   ///< encoded
    std::optional<std::string> result{};       ///< encoded; with `succeeded`
    std::optional<recorded_failure> last_failure{};

    friend bool operator==(record const&, record const&) = default;
};

}  // namespace recoup::inline v1
