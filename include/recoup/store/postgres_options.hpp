// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/identity.hpp>
#include <recoup/store/persistence_policy.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace recoup::inline v1 {

/// How a `postgres_store` uses its database.
struct postgres_store_options {
    /// With `power_loss` the server's `synchronous_commit`, `fsync` and `full_page_writes` are looked at by
    /// each connection, and one that would lose what it acknowledged is refused. Nothing is set.
    recoup::durability durability = recoup::durability::power_loss;
    /// The schema of the tables, made where it is missing: a lower-case letter or underscore, then those
    /// and digits, at most 48.
    std::string schema = "recoup";
    /// The namespace that operations get which name none: see `postgres_store::space`.
    std::string space{};
    std::size_t connections_max = 4;  ///< at once; a call waits for one that is free
    /// The most that a call takes, whatever its `at_most`: waiting, connecting anew, trying again.
    duration call_wait = std::chrono::seconds{30};
    std::size_t record_bytes_max = std::size_t{16} << 20U;  ///< one larger is `too_large`
    /// For servers that have no such settings (CockroachDB): one that the server does not know counts as
    /// if it held. Those that it knows must hold all the same.
    bool accept_unknown_settings = false;
};

/// A row that a `postgres_store` found damaged and left as it is.
struct damaged_row {
    operation_id id{};         ///< of the record or operation, as far as it can be told
    std::uint64_t number = 0;  ///< of the operation; 0: it is a record
    std::int64_t step = -1;    ///< the step's index; -1: it is none
    std::string wrong{};       ///< what is wrong with it

    friend bool operator==(damaged_row const&, damaged_row const&) = default;
};

/// What `postgres_store::verify` found.
struct postgres_verification {
    std::uint64_t records = 0;  ///< those that are whole; the same of the next two
    std::uint64_t operations = 0;
    std::uint64_t steps = 0;
    std::uint64_t damaged_rows = 0;      ///< how many are not
    std::vector<damaged_row> damaged{};  ///< the first 64 of them

    [[nodiscard]] bool ok() const noexcept { return damaged_rows == 0; }
};

}  // namespace recoup::inline v1
