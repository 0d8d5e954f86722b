// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/callable.hpp>
#include <recoup/core/signature.hpp>

#include <cstddef>
#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>

// A coroutine whose parameter is a reference to another type than its argument's, `std::string const&` and a
// literal, say, would refer to a temporary that is gone before the coroutine begins. What it refers to is made in
// the frame of the operation instead.

namespace recoup::inline v1::detail {

/// The callable that says what it takes.
template <class F>
struct bare_callable {
    using type = F;
};
template <class F>
struct bare_callable<lent_callable<F>> : bare_callable<F> {};
template <class F>
struct bare_callable<std::reference_wrapper<F>> : bare_callable<F> {};
template <class F>
struct bare_callable<attempt_wanted<F>> : bare_callable<F> {};

template <class Parameters, std::size_t At>
constexpr auto parameter_at() {
    if constexpr (At < std::tuple_size_v<Parameters>)
        return std::type_identity<std::tuple_element_t<At, Parameters>>{};
    else
        return std::type_identity<void>{};
}

/// The type of the parameter that takes argument `At`; void where nobody knows.
template <class F, std::size_t At, bool TakesAttempt>
constexpr auto find_parameter() {
    using bare = std::decay_t<typename bare_callable<F>::type>;
    if constexpr (!has_signature<bare>) {
        return std::type_identity<void>{};
    } else {
        using parameters = typename signature_parts<signature_of_t<bare>>::parameters;
        constexpr auto object = std::is_member_pointer_v<bare>;  // comes first, and is no parameter
        constexpr auto skipped = TakesAttempt ? std::size_t{1} : std::size_t{0};
        if constexpr (object && At == 0)
            return std::type_identity<void>{};
        else
            return parameter_at<parameters, At + skipped - (object ? 1 : 0)>();
    }
}

template <class A>
inline constexpr bool refers_already = false;
template <class T>
inline constexpr bool refers_already<std::reference_wrapper<T>> = true;

/// Whether a parameter of type P would refer to a temporary that is made of an A.
template <class P, class A>
constexpr bool binds_temporary() {
    if constexpr (!std::is_reference_v<P> || refers_already<A>) {
        return false;
    } else {
        using referred = std::remove_reference_t<P>;
        constexpr auto may_bind = std::is_rvalue_reference_v<P> || std::is_const_v<referred>;
        return may_bind && !std::is_convertible_v<A*, referred const*> &&
               std::is_constructible_v<std::remove_cv_t<referred>, A&>;
    }
}

template <class P, class A>
struct bound_argument {
    using type = A;
    using holder = A&&;
};
template <class P, class A>
    requires(binds_temporary<P, A>())
struct bound_argument<P, A> {
    using type = std::remove_cvref_t<P>;
    using holder = type;
};

template <class F, bool TakesAttempt, class Sequence, class... Args>
struct bound_arguments;

/// The arguments as the callable is called with them: what the frame holds, or what is made of that once.
template <class F, bool TakesAttempt, std::size_t... I, class... Args>
struct bound_arguments<F, TakesAttempt, std::index_sequence<I...>, Args...> {
    template <std::size_t At, class A>
    using one = bound_argument<typename decltype(find_parameter<F, At, TakesAttempt>())::type, A>;

    using holder = std::tuple<typename one<I, Args>::holder...>;
    template <template <class...> class Of, class... First>
    using apply = Of<First..., typename one<I, Args>::type...>;
};

}  // namespace recoup::inline v1::detail
