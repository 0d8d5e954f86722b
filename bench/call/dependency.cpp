// SPDX-License-Identifier: BSL-1.0
#include "call/dependency.hpp"

namespace bench {

std::uint64_t answer(std::uint64_t question) { return question + 1; }

reply answer_or_error(std::uint64_t question) { return question + 1; }

reply fails_once::operator()(std::uint64_t question) {
    failed_ = !failed_;
    if (failed_) return std::make_error_code(std::errc::connection_reset);
    return question + 1;
}

std::uint64_t throws_once::operator()(std::uint64_t question) {
    failed_ = !failed_;
    if (failed_) throw std::system_error{std::make_error_code(std::errc::connection_reset)};
    return question + 1;
}

reply always_down(std::uint64_t) { return std::make_error_code(std::errc::connection_reset); }

}  // namespace bench
