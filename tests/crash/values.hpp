// SPDX-License-Identifier: BSL-1.0
#pragma once

// What a workload writes, made of a seed and some numbers, so that whoever finds it can tell whether it was
// ever written.

#include "crash/workload.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace recoup_test {

// Ahead of every clock, so that what a store cleans up by itself is not what a workload asks for.
inline auto const a_day = recoup::system_time{std::chrono::hours{24} * 365 * 130};
inline constexpr auto workload_space = "crash";
inline std::string const operation_name = "op";

/// Of a text and a number one that looks drawn.
std::uint64_t mixed(std::uint64_t seed, std::string const& text, std::uint64_t number);

std::string key_of(std::size_t lane, std::size_t key);
recoup::operation_id record_id(std::size_t lane, std::size_t key);
recoup::operation_id id_of(std::size_t lane, std::size_t key);

recoup::record make_record(std::uint64_t seed, recoup::operation_id id, std::uint64_t version,
                           bool expired);
recoup::operation_record make_head(std::uint64_t seed, recoup::operation_id id,
                                   std::uint64_t version, recoup::operation_status status);
recoup::step_record make_step(std::uint64_t seed, std::string const& key, std::uint32_t index,
                              std::uint64_t version, recoup::step_status status);

/// Whether these values are ones that a workload of that seed makes.
bool was_made(std::uint64_t seed, recoup::record const& found);
bool was_made(std::uint64_t seed, operation_content const& found);

/// Without what the store gives.
recoup::operation_record plain(recoup::operation_record head);
bool same(operation_content const& left, operation_content const& right);
/// Whatever the revision, where none is expected.
bool same(recoup::record const& expected, recoup::record const& found);

/// Whether somebody has to have it, or to claim it.
bool is_running(operation_content const& what);

}  // namespace recoup_test
