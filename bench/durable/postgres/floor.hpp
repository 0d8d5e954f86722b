// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "durable/floors.hpp"

#include <memory>
#include <string>

namespace bench {

/// On libpq: one connection, prepared statements, the fence locked by the statement that writes.
std::unique_ptr<floor_store> postgres_floor(std::string const& connection);

}  // namespace bench
