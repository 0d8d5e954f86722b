// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/failure.hpp>
#include <recoup/core/identity.hpp>
#include <recoup/core/time.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace recoup::inline v1 {

/// What was accepted and will not reach the store.
struct write_loss {
    operation_id id{};         ///< of the record; empty where it is an operation's
    std::uint64_t number = 0;  ///< of the operation; 0 where it is a record
    failure why{};
};

/// The limits of a `write_behind`.
struct write_behind_options {
    /// The window of loss: how long something waits before it is handed to the store; a quarter less where it
    /// can go with what has waited longer.
    duration window = std::chrono::milliseconds{50};
    std::size_t queue_max = 10'000;                  ///< records and operations that wait
    std::size_t bytes_max = std::size_t{64} << 20U;  ///< of what waits
    std::size_t record_bytes_max = std::size_t{16}
                                   << 20U;  ///< one larger is `too_large`: the store's
    /// Records whose revision is known here; one more is saved at once, and takes the store's time.
    std::size_t known_max = 20'000;
    bool refuse_when_full = false;  ///< `unavailable` at once, instead of waiting for room
    duration full_wait = std::chrono::seconds{5};  ///< the longest wait for room, or for the store
    duration retry_wait =
        std::chrono::milliseconds{10};                  ///< after a failure that may pass; doubles
    duration retry_wait_max = std::chrono::seconds{1};  ///< up to this
    duration store_wait = std::chrono::seconds{1};      ///< what a call of the store may wait
    duration shutdown_wait = std::chrono::seconds{5};   ///< what the destructor drains for
    /// Called for each loss, without a lock, mostly by the writer. It must not throw.
    std::function<void(write_loss const&)> on_loss{};
};

/// What a `write_behind` has seen.
struct write_behind_statistics {
    std::uint64_t accepted = 0;    ///< saves, erases and writes
    std::uint64_t written = 0;     ///< calls of the store that took them over
    std::uint64_t retried = 0;     ///< calls of the store that failed, and may pass
    std::uint64_t lost = 0;        ///< reported to `on_loss`
    std::size_t waiting = 0;       ///< now
    std::size_t waiting_most = 0;  ///< ever
    duration longest{};            ///< from acceptance until the store had it
    duration typical{};            ///< the same, on average
};

}  // namespace recoup::inline v1
