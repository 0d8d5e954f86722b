// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "durable/diary.hpp"

#include <recoup/durable.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace orders {

/// The steps of an order, as `define_order` asks for them.
inline constexpr std::array<std::string_view, 10> steps{
    "reserve", "price", "charge", "invoice", "pick", "pack", "label", "ship", "notify", "close"};

/// Asks the other side when in doubt, so that it happens once whenever the process ends.
inline constexpr std::string_view probed_step = "charge";

inline constexpr std::string_view operation_name = "order";

enum class moment : std::uint8_t {
    before_record,  ///< the step's effect has happened, and nothing is recorded of it
    after_record,   ///< its result is recorded, and the next step has not begun
};

/// Where the process is killed.
struct kill_point {
    std::string_view step{};
    moment when{};

    friend bool operator==(kill_point, kill_point) = default;
};

/// What one step gives for the receipt of the one before.
[[nodiscard]] std::string receipt_of(std::string_view step, std::string_view before);

/// What a whole order gives, computed without running it.
[[nodiscard]] std::string expected_result(std::string const& item, int pieces);

/// An order, whose steps write to `seen` that they ran; the process is killed at `kill`.
/// `seen` must outlive what is returned.
[[nodiscard]] recoup::defined_operation<std::string(std::string, int)> define_order(
    recoup::operations& ops, diary const& seen, std::optional<kill_point> kill);

}  // namespace orders
