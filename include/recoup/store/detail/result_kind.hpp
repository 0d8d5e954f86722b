// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/encoding.hpp>
#include <recoup/core/failure.hpp>
#include <recoup/core/result.hpp>
#include <recoup/core/returns.hpp>

#include <memory>
#include <string>
#include <type_traits>

namespace recoup::inline v1::detail {

/// Whether a result can be kept in a record, and read again.
template <class Result>
constexpr bool storable() {
    using value_type = typename Result::value_type;
    if constexpr (std::is_void_v<value_type>)
        return true;
    else
        return decodable<value_type>;
}

/// What those do with a result who do not know its type: one object for each type, which tells it from others.
struct result_kind {
    using copying = std::shared_ptr<void const> (*)(void const*);

    std::string (*encode)(void const* success);  ///< null where a record cannot keep it
    copying copy;          ///< a result of a result; null where it cannot be copied
    copying copy_failure;  ///< a result of a failure; null likewise
};

template <class Result>
constexpr result_kind make_result_kind() {
    auto made = result_kind{};
    if constexpr (std::is_void_v<typename Result::value_type>)
        made.encode = [](void const*) { return std::string{}; };
    else if constexpr (storable<Result>())
        made.encode = [](void const* success) {
            return detail::encode(static_cast<Result const*>(success)->assume_value());
        };
    if constexpr (std::is_copy_constructible_v<Result>) {
        made.copy = [](void const* result) -> std::shared_ptr<void const> {
            return std::make_shared<Result const>(*static_cast<Result const*>(result));
        };
        made.copy_failure = [](void const* last) -> std::shared_ptr<void const> {
            return std::make_shared<Result const>(in_place<failure>{},
                                                  *static_cast<failure const*>(last));
        };
    }
    return made;
}

template <class Result>
inline constexpr result_kind result_kind_of = make_result_kind<Result>();

}  // namespace recoup::inline v1::detail
