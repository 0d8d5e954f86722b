// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <memory>
#include <type_traits>

namespace recoup::inline v1::validation::detail {

/// Has the compiler make `value`, although nobody looks at it.
template <class T>
[[gnu::always_inline]] inline void keep(T const& value) noexcept {
    asm volatile("" : : "r"(std::addressof(value)) : "memory");
}

/// Makes a call and keeps what it returns, whatever that is.
template <class Call>
[[gnu::always_inline]] inline void call_and_keep(Call&& call) {
    if constexpr (std::is_void_v<std::invoke_result_t<Call>>) {
        call();
        asm volatile("" : : : "memory");
    } else {
        keep(call());
    }
}

}  // namespace recoup::inline v1::validation::detail
