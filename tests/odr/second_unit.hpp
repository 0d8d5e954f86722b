// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/recoup.hpp>

#include <system_error>

namespace odr {

std::error_category const* category_in_second_unit();

/// Twice the number, through a decorated function; a negative one is an invalid argument.
recoup::result<int> doubled(int number);

}  // namespace odr
