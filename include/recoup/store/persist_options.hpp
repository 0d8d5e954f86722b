// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace recoup::inline v1 {

/// When a record is first written.
enum class persist_when : std::uint8_t {
    failure,  ///< at the first failure, checkpoint or token: a success at once writes nothing
    start,    ///< before the first attempt, so that a crash inside it is found
};

/// What becomes of an operation whose record cannot be read or written.
enum class on_store_failure : std::uint8_t {
    stop,     ///< no work without a record: it ends with `stop_reason::store_failed`
    proceed,  ///< it goes on without protection; an event says so
};

/// How an operation is remembered: plain data.
struct persist_options {
    std::string name{};  ///< what kind of operation; required
    persist_when when = persist_when::failure;
    /// How long the result of a success is kept and returned to the same key and input; 0: the record
    /// is dropped at success. With `persist_when::failure` only operations that have a record keep one.
    duration retain{};
    /// How long the record of a failed operation is kept; its checkpoint serves the next call.
    duration retain_failed = std::chrono::hours{24 * 7};
    /// Default: `stop` with `persist_when::start`, `proceed` with `persist_when::failure`.
    std::optional<recoup::on_store_failure> on_store_failure{};
    std::string space{};  ///< a namespace, for programs that share a store
};

}  // namespace recoup::inline v1
