// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/result.hpp>
#include <recoup/durable/detail/operation_run.hpp>
#include <recoup/durable/operations_options.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace recoup::inline v1::detail {

class definition;

/// What identifies a call of an operation: its key and its input.
struct operation_call {
    std::string key{};
    std::string input{};  ///< the arguments, encoded
    std::uint64_t fingerprint = 0;
};

/// Runs operations: the part of `operations` that a body can reach.
class child_runner {
  public:
    /// Runs or joins an operation; its parent, where it has one, waits for it.
    virtual result<std::string> run(std::shared_ptr<definition> const& of, operation_call call,
                                    run_options const& options, operation_run const* parent) = 0;
    /// Wants the operations to end that operation `parent` has started. Returns: what the store said where
    /// it has not taken the wish.
    virtual result<void> cancel_children(std::uint64_t parent) = 0;

  protected:
    ~child_runner() = default;
};

}  // namespace recoup::inline v1::detail
