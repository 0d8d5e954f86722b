// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/failure.hpp>
#include <recoup/core/time.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace recoup::inline v1 {

/// How one kind of operation is kept: given to `define`.
struct operation_options {
    /// Change it when recorded steps no longer fit the body. A record of another version is parked as
    /// `blocked` until `accept` names the version that takes it over.
    std::string version = "1";
    duration retain = std::chrono::hours{24 * 7};  ///< how long a result is kept and returned
    duration retain_failed = std::chrono::hours{24 * 7};  ///< how long what failed is kept
    std::uint32_t recoveries_max = 5;  ///< one crash more, and the operation is `dead`
    std::uint32_t steps_max = 100'000;
};

/// How `operations` work.
struct operations_options {
    std::string space{};             ///< a namespace, for programs that share a store
    std::string who{};               ///< names the owner for people; empty: what it is by default
    std::size_t threads = 2;         ///< the most that `resume`, `resume_async` and `start` make
    std::size_t queue_max = 10'000;  ///< operations that `start` lets wait for a thread
    duration lease = std::chrono::seconds{30};  ///< where hosts share the store: the owner's
    duration poll = std::chrono::seconds{1};    ///< the longest wait before looking again
    duration drain = std::chrono::seconds{5};   ///< how long the destructor waits
    /// `resume_async` gives an operation that sleeps longer back until it is due.
    duration park_after = std::chrono::seconds{1};
    /// Whether a thread does what `keep_house` does, from the first operation on; without it, the program
    /// calls that.
    bool housekeeping = true;
};

/// What bounds one call of `run_with`.
struct run_options {
    /// What is left undone then stays recorded as pending, for a later call or `resume`.
    duration deadline = unlimited;
    std::stop_token stop{};  ///< the same, at once
};

/// What `resume` did.
struct resume_report {
    std::size_t resumed = 0;  ///< operations that were taken up: the sum of the following
    std::size_t succeeded = 0;
    std::size_t failed = 0;
    std::size_t cancelled = 0;
    std::size_t blocked = 0;
    std::size_t dead = 0;
    std::size_t left = 0;  ///< taken over by others, or given back because of a shutdown
    /// Names of operations that wait in the store and are not defined here.
    std::vector<std::string> undefined{};
    std::optional<failure> trouble{};  ///< what the store said where it failed

    friend bool operator==(resume_report const&, resume_report const&) = default;
};

/// What `shutdown` could not end in time.
struct shutdown_report {
    std::vector<std::string> left{};  ///< operations whose bodies still run, as `name/key`

    friend bool operator==(shutdown_report const&, shutdown_report const&) = default;
};

}  // namespace recoup::inline v1
