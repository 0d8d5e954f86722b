// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>

namespace recoup::inline v1 {

/// What somebody who does not run an operation wants of it.
struct operation_request {
    /// The numbers are stored: only append.
    enum class kind : std::uint8_t {
        cancel = 1,  ///< end it; what was done is undone where its steps say how
        retry = 2,   ///< take up again what is dead, blocked or has failed
        accept = 3,  ///< let a blocked one go on as if it were of version `text`
    };

    kind what = kind::cancel;
    std::uint64_t operation = 0;  ///< its number
    std::string text{};           ///< with `accept`: the version that takes it over

    friend bool operator==(operation_request const&, operation_request const&) = default;
};

/// The name of `what`, as in the enumeration.
constexpr std::string_view to_string(operation_request::kind what) noexcept {
    switch (what) {
        case operation_request::kind::cancel: return "cancel";
        case operation_request::kind::retry: return "retry";
        case operation_request::kind::accept: return "accept";
    }
    return "unknown";
}

template <class Char, class Traits>
std::basic_ostream<Char, Traits>& operator<<(std::basic_ostream<Char, Traits>& out,
                                             operation_request::kind what) {
    return out << to_string(what);
}

}  // namespace recoup::inline v1
