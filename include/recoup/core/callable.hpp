// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/attempt.hpp>
#include <recoup/core/returns.hpp>

#include <cstdint>
#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace recoup::inline v1 {

/// A callable that wants the attempt although it could be called without. Made by `wants_attempt`.
template <class F>
struct attempt_wanted {
    F callable;

    template <class... Args>
        requires std::is_invocable_v<F&, attempt&, Args...>
    decltype(auto) operator()(attempt& current, Args&&... args) {
        return std::invoke(callable, current, std::forward<Args>(args)...);
    }
};

/// Marks a variadic generic callable, which could be called either way, as one that takes the
/// attempt first.
template <class F>
[[nodiscard]] attempt_wanted<std::decay_t<F>> wants_attempt(F&& callable) {
    return {std::forward<F>(callable)};
}

namespace detail {

namespace adl_barrier {

/// The callable of a wrapper, for one call with other policies.
template <class F>
struct lent_callable : std::reference_wrapper<F> {
    using std::reference_wrapper<F>::reference_wrapper;
};

}  // namespace adl_barrier

using adl_barrier::lent_callable;

/// What refers already is copied.
template <class F>
lent_callable<F> lend(F& callable) noexcept {
    return lent_callable<F>{callable};
}
template <class F>
lent_callable<F> lend(lent_callable<F>& callable) noexcept {
    return callable;
}
template <class F>
std::reference_wrapper<F> lend(std::reference_wrapper<F>& callable) noexcept {
    return callable;
}

/// The callable as who outlives the wrapper has it: no reference into that.
template <class F>
struct owned_callable_of {
    using type = F;
    static F const& get(F& callable) noexcept { return callable; }
};
template <class F>
struct owned_callable_of<lent_callable<F>> {
    using type = F;
    static F const& get(lent_callable<F>& callable) noexcept { return callable.get(); }
};
template <class F>
using owned_callable_t = typename owned_callable_of<F>::type;
template <class F>
owned_callable_t<F> const& owned_callable(F& callable) noexcept {
    return owned_callable_of<F>::get(callable);
}

/// How the callable is called with the caller's arguments.
enum class call_form : std::uint8_t {
    none,              ///< it cannot be
    plain,             ///< with the arguments as lvalues
    attempt,           ///< with the attempt, then the arguments as lvalues
    consumed,          ///< with the arguments as they came: moved into the first attempt
    attempt_consumed,  ///< with the attempt, then the arguments as they came
};

template <class F>
inline constexpr bool is_attempt_wanted = false;
template <class F>
inline constexpr bool is_attempt_wanted<attempt_wanted<F>> = true;

template <class F, class... Args>
constexpr call_form find_call_form() {
    if constexpr (is_attempt_wanted<F>) {
        if constexpr (std::is_invocable_v<F&, attempt&, std::remove_reference_t<Args>&...>)
            return call_form::attempt;
        else if constexpr (std::is_invocable_v<F&, attempt&, Args&&...>)
            return call_form::attempt_consumed;
        else
            return call_form::none;
    } else if constexpr (std::is_invocable_v<F&, std::remove_reference_t<Args>&...>) {
        return call_form::plain;
    } else if constexpr (std::is_invocable_v<F&, attempt&, std::remove_reference_t<Args>&...>) {
        return call_form::attempt;
    } else if constexpr (std::is_invocable_v<F&, Args&&...>) {
        return call_form::consumed;
    } else if constexpr (std::is_invocable_v<F&, attempt&, Args&&...>) {
        return call_form::attempt_consumed;
    } else {
        return call_form::none;
    }
}

template <class F, class... Args>
inline constexpr call_form call_form_of = find_call_form<F, Args...>();

constexpr bool takes_attempt(call_form form) noexcept {
    return form == call_form::attempt || form == call_form::attempt_consumed;
}
constexpr bool consumes_arguments(call_form form) noexcept {
    return form == call_form::consumed || form == call_form::attempt_consumed;
}

/// Whether F can be called with Args, in whatever form.
template <class F, class... Args>
concept callable_with = call_form_of<F, Args...> != call_form::none;

template <call_form Form, class F, class Arguments, std::size_t... I>
    requires(Form != call_form::none)
decltype(auto) invoke_form(F& callable, [[maybe_unused]] attempt* current, Arguments& arguments,
                           std::index_sequence<I...>) {
    if constexpr (Form == call_form::plain)
        return std::invoke(callable, std::get<I>(arguments)...);
    else if constexpr (Form == call_form::attempt)
        return std::invoke(callable, *current, std::get<I>(arguments)...);
    else if constexpr (Form == call_form::consumed)
        return std::invoke(callable, std::get<I>(std::move(arguments))...);
    else
        return std::invoke(callable, *current, std::get<I>(std::move(arguments))...);
}

template <class F, class... Args>
using raw_return_t = decltype(invoke_form<call_form_of<F, Args...>>(
    std::declval<F&>(), nullptr, std::declval<std::tuple<Args&&...>&>(),
    std::index_sequence_for<Args...>{}));

/// What an operation ends with.
template <class F, class... Args>
using wrapped_return_t = result<returned_value_t<raw_return_t<F, Args...>>>;

template <class Raw, class Result>
struct wrapped_call {
    using type = Result;
};
template <adapted_coroutine Raw, class Result>
struct wrapped_call<Raw, Result> {
    using type = typename coroutine_adapter<Raw>::template wrapped<Result>;
};

/// What the wrapped callable returns: that, or a coroutine that gives it.
template <class F, class... Args>
using wrapped_call_t =
    typename wrapped_call<raw_return_t<F, Args...>, wrapped_return_t<F, Args...>>::type;

}  // namespace detail

}  // namespace recoup::inline v1
