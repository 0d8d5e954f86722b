// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/clock.hpp>
#include <recoup/platform/memory.hpp>

#include <concepts>
#include <cstdint>
#include <optional>

namespace recoup::inline v1::validation {

/// What a validation measures with: a port, so that what it judges can be planted in a test.
///
/// - `clock` times calls, and is waited on.
/// - `resident_bytes` is how much memory the process has by now; nothing where nobody knows.
template <class M>
concept measurement = requires(M& with) {
    requires clock<std::remove_reference_t<decltype(with.clock())>>;
    { with.resident_bytes() } -> std::same_as<std::optional<std::int64_t>>;
};

/// The clock and the memory of the machine. Stateless.
struct machine_measurement {
    [[nodiscard]] static real_clock& clock() noexcept { return recoup::detail::machine_clock; }
    [[nodiscard]] static std::optional<std::int64_t> resident_bytes() noexcept {
        return platform::resident_bytes();
    }
};

static_assert(measurement<machine_measurement>);

}  // namespace recoup::inline v1::validation
