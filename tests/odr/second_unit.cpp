// SPDX-License-Identifier: BSL-1.0
#include "all_headers.hpp"

#include "second_unit.hpp"

namespace odr {

std::error_category const* category_in_second_unit() {
    recoup::failure const failure{recoup::store_errc::full};
    return &failure.code().category();
}

recoup::result<int> doubled(int number) {
    auto const guarded = recoup::with_recovery([](int given) -> recoup::result<int> {
        if (given < 0) return std::make_error_code(std::errc::invalid_argument);
        return given * 2;
    });
    return guarded(number);
}

}  // namespace odr
