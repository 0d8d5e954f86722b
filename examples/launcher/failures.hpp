// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "launcher/errc.hpp"
#include "launcher/safe_path.hpp"

#include <string>

#include <recoup/core/failure.hpp>

namespace launcher {

/// What kind of failure recoup should see in `code`, and so whether it is tried again.
[[nodiscard]] recoup::category category_of(errc code) noexcept;

/// A failure with an exit code and one sentence.
[[nodiscard]] recoup::failure fail(errc code, std::string sentence);

/// A failure with somebody else's code and one sentence; recoup's default rules find the category.
[[nodiscard]] recoup::failure described(std::error_code code, std::string sentence);

/// The failure for what the operating system said while `doing` something to a file.
[[nodiscard]] recoup::failure fail_errno(int error, std::string const& doing);

/// The exit code for the failure that ended an operation.
[[nodiscard]] errc exit_code_of(recoup::failure const& failure) noexcept;

}  // namespace launcher
