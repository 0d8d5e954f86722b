// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "durable/order.hpp"

#include <filesystem>
#include <optional>
#include <string>

namespace orders {

inline constexpr auto order_key = "order-42";
inline constexpr auto ordered_item = "lamp";
inline constexpr auto ordered_pieces = 3;

/// One life of the program that works on the order.
struct worker_options {
    std::string store = "sqlite";
    std::filesystem::path folder{};    ///< holds the store and the diary
    std::optional<kill_point> kill{};  ///< where it is killed, if it is
};

[[nodiscard]] std::filesystem::path diary_in(std::filesystem::path const& folder);

/// Resumes what an earlier life has left, then runs the order, and prints both.
/// Returns: the exit status.
[[nodiscard]] int work(worker_options const& options);

}  // namespace orders
