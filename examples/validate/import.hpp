// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <string>

// What is validated: a part of a program, as it has many.

namespace import {

/// The text of a manifest with some hundred lines.
std::string manifest();

/// How many models a manifest names.
std::size_t read(std::string const& text);

}  // namespace import
