// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/failure.hpp>
#include <recoup/core/identity.hpp>
#include <recoup/store/store_errc.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace recoup::inline v1::detail {

/// What a store gives where it cannot do as asked: the code, and a text that says more.
inline failure store_failure(store_errc code, std::string text) {
    return failure{category_of(code), make_error_code(code), std::move(text)};
}

/// An identity for people: `space/name/key`, without the namespace where it is empty.
inline std::string display(operation_ref id) {
    auto text = std::string{id.space};
    if (!text.empty()) text += '/';
    text.append(id.name).append("/").append(id.key);
    return text;
}

inline failure conflict(operation_ref id, std::uint64_t expected, std::uint64_t found) {
    return store_failure(store_errc::conflict, "record " + display(id) + " is at revision " +
                                                   std::to_string(found) + "; expected " +
                                                   std::to_string(expected));
}

inline failure too_large(operation_ref id, std::size_t bytes, std::size_t bytes_max) {
    return store_failure(store_errc::too_large,
                         "record " + display(id) + " has " + std::to_string(bytes) +
                             " bytes; the store takes at most " + std::to_string(bytes_max));
}

}  // namespace recoup::inline v1::detail
