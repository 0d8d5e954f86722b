// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/attempt.hpp>
#include <recoup/core/callable.hpp>
#include <recoup/detail/policy_set.hpp>

#include <type_traits>

// What policies ask of a callable and of its arguments, each in one sentence where it is not so.

namespace recoup::inline v1::detail {

/// Whether a callable can be called with constants, and so lets its arguments be.
template <class F, class... Args>
inline constexpr bool takes_constants =
    takes_attempt(call_form_of<F, Args...>)
        ? std::is_invocable_v<F&, attempt&, std::remove_reference_t<Args> const&...>
        : std::is_invocable_v<F&, std::remove_reference_t<Args> const&...>;

/// As what an argument comes into an attempt that owns a copy of it.
template <class Arg, bool Consumed>
using handed_over = std::conditional_t<Consumed, Arg&&, std::remove_reference_t<Arg>&>;

/// `attempt_timeout` on a plain call.
template <class F, class... Args>
constexpr void check_timed() {
    static_assert(
        takes_attempt(call_form_of<F, Args...>),
        "recoup: attempt_timeout cannot end a plain call from outside: take recoup::attempt& and "
        "look at its stop_token() or remaining(), or use abandon_after, which lets go of the call");
}

/// `hedge`.
template <class F, class... Args>
constexpr void check_hedged() {
    constexpr auto consumes = consumes_arguments(call_form_of<F, Args...>);
    static_assert(
        !consumes,
        "recoup: a hedge calls several times at a time, and this callable takes its arguments "
        "with it: take them by value or const&");
    static_assert(
        consumes || takes_constants<F, Args...>,
        "recoup: a hedge calls several times at a time with the same arguments, which cannot "
        "be filled in by reference: take them by value or const&");
}

/// What may go on after its call owns a copy of all that it needs.
template <class F, class... Args>
inline constexpr bool copies_callable = std::is_copy_constructible_v<owned_callable_t<F>>;
template <class F, class... Args>
inline constexpr bool copies_arguments =
    (std::is_constructible_v<std::decay_t<Args>,
                             handed_over<Args, consumes_arguments(call_form_of<F, Args...>)>> &&
     ...);
template <class Value>
inline constexpr bool may_refer = std::is_object_v<Value> ? is_reference_wrapper<Value> : false;

/// `hedge` on a plain call that gives `Value`.
template <class Value, bool HasThreads, class F, class... Args>
constexpr void check_raced() {
    static_assert(HasThreads,
                  "recoup: a hedge of a plain call needs threads to run on: name an abandon_pool "
                  "beside it");
    check_hedged<F, Args...>();
    static_assert(!may_refer<Value>,
                  "recoup: with a hedge a plain call returns no reference, which may be to one of "
                  "its copies of the arguments");
    static_assert(copies_callable<F, Args...>,
                  "recoup: a hedge of a plain call has a copy of the callable, and this one cannot "
                  "be copied: wrap it in a lambda that holds a std::shared_ptr to it");
    static_assert(copies_arguments<F, Args...>,
                  "recoup: a hedge of a plain call has a copy of the arguments, and one cannot be "
                  "copied: pass a std::shared_ptr to it");
    constexpr auto takes_copies =
        takes_attempt(call_form_of<F, Args...>)
            ? std::is_invocable_v<owned_callable_t<F>&, attempt&, std::decay_t<Args>...>
            : std::is_invocable_v<owned_callable_t<F>&, std::decay_t<Args>...>;
    static_assert(takes_copies,
                  "recoup: a hedge of a plain call has a copy of the arguments, as they are passed "
                  "by value, and this callable does not take one of these");
}

/// `abandon_after` on a plain call that gives `Value`.
template <class Value, class F, class... Args>
constexpr void check_abandoned() {
    static_assert(
        !takes_attempt(call_form_of<F, Args...>),
        "recoup: abandon_after lets go of callables that cannot be told to end; one that takes "
        "recoup::attempt& can be: use attempt_timeout");
    static_assert(
        !may_refer<Value>,
        "recoup: with abandon_after a callable returns no reference, which may be to one of "
        "its copies of the arguments");
    static_assert(
        copies_callable<F, Args...>,
        "recoup: abandon_after gives every attempt a copy of the callable, and this one cannot "
        "be copied: wrap it in a lambda that holds a std::shared_ptr to it");
    static_assert(
        copies_arguments<F, Args...>,
        "recoup: abandon_after gives every attempt a copy of the arguments, and one cannot be "
        "copied: pass a std::shared_ptr to it");
    static_assert(
        std::is_invocable_v<owned_callable_t<F>&, std::decay_t<Args>...>,
        "recoup: abandon_after gives every attempt a copy of the arguments, which cannot be "
        "filled in by reference: take them by value or const&, or pass a std::ref to what "
        "outlives the work");
}

}  // namespace recoup::inline v1::detail
