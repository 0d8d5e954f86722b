// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <tuple>
#include <type_traits>

// What a callable takes and returns, where it says so itself: not so for a generic one.

namespace recoup::inline v1::detail {

template <class Signature>
struct signature_parts;
template <class R, class... Args>
struct signature_parts<R(Args...)> {
    using returned = R;
    using parameters = std::tuple<Args...>;
    static constexpr std::size_t count = sizeof...(Args);
};

template <class F>
struct signature_of {};
template <class R, class... Args>
struct signature_of<R (*)(Args...)> {
    using type = R(Args...);
};
template <class R, class... Args>
struct signature_of<R (*)(Args...) noexcept> {
    using type = R(Args...);
};
template <class C, class R, class... Args>
struct signature_of<R (C::*)(Args...)> {
    using type = R(Args...);
};
template <class C, class R, class... Args>
struct signature_of<R (C::*)(Args...) const> {
    using type = R(Args...);
};
template <class C, class R, class... Args>
struct signature_of<R (C::*)(Args...) noexcept> {
    using type = R(Args...);
};
template <class C, class R, class... Args>
struct signature_of<R (C::*)(Args...) const noexcept> {
    using type = R(Args...);
};
template <class C, class R, class... Args>
struct signature_of<R (C::*)(Args...)&> {
    using type = R(Args...);
};
template <class C, class R, class... Args>
struct signature_of<R (C::*)(Args...) const&> {
    using type = R(Args...);
};
template <class C, class R, class... Args>
struct signature_of<R (C::*)(Args...) & noexcept> {
    using type = R(Args...);
};
template <class C, class R, class... Args>
struct signature_of<R (C::*)(Args...) const & noexcept> {
    using type = R(Args...);
};
template <class F>
    requires requires { &F::operator(); }
struct signature_of<F> : signature_of<decltype(&F::operator())> {};

/// Whether F has one signature, and not one for each use.
template <class F>
concept has_signature = requires { typename signature_of<std::decay_t<F>>::type; };

template <class F>
using signature_of_t = typename signature_of<std::decay_t<F>>::type;

}  // namespace recoup::inline v1::detail
