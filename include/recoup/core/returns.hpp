// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/errc.hpp>
#include <recoup/core/result.hpp>

#include <concepts>
#include <coroutine>
#include <exception>
#include <functional>
#include <system_error>
#include <type_traits>
#include <utility>

// How what a callable returns becomes a recoup::result: one result, however it says "failed".

namespace recoup::inline v1::detail {

/// Boost.Outcome's results and outcomes, standalone Outcome's, and what is shaped like them.
template <class R>
concept outcome_like = requires(R& returned) {
    typename R::value_type;
    typename R::error_type;
    { returned.has_value() } -> std::convertible_to<bool>;
    returned.assume_error();
};

/// std::expected and what is shaped like it.
template <class R>
concept expected_like = !outcome_like<R> && requires(R& returned) {
    typename R::value_type;
    typename R::error_type;
    { returned.has_value() } -> std::convertible_to<bool>;
    returned.error();
};

/// std::optional and what is shaped like it.
template <class R>
concept optional_like = !outcome_like<R> && !expected_like<R> && requires(R& returned) {
    typename R::value_type;
    { returned.has_value() } -> std::convertible_to<bool>;
    { *returned } -> std::convertible_to<typename R::value_type const&>;
    returned.reset();
};

/// Whether a function that returns R, called with Args, is a coroutine.
template <class R, class... Args>
concept coroutine_return = requires { typename std::coroutine_traits<R, Args...>::promise_type; };

/// A failure from whatever a user's result type holds as its error.
template <class E>
failure to_failure(E&& error) {
    using plain = std::remove_cvref_t<E>;
    if constexpr (std::same_as<plain, failure>) {
        return std::forward<E>(error);
    } else if constexpr (std::same_as<plain, std::exception_ptr>) {
        return failure{std::forward<E>(error)};
    } else if constexpr (std::convertible_to<E&&, failure>) {
        return std::forward<E>(error);
    } else if constexpr (requires { make_error_code(error); }) {
        return failure{std::error_code{make_error_code(error)}};
    } else if constexpr (std::convertible_to<E&&, std::error_code>) {
        return failure{std::error_code{error}};
    } else if constexpr (requires { to_recoup_failure(error); }) {
        return to_recoup_failure(error);
    } else if constexpr (std::convertible_to<E&&, std::string>) {
        auto what = failure{category::unknown, std::string{std::forward<E>(error)}};
        failure_access::set_unclassified(what);
        return what;
    } else {
        static_assert(std::same_as<plain, failure>,
                      "recoup: this error type cannot become a recoup::failure: make it an error "
                      "code enumeration, or write to_recoup_failure(error) beside it");
    }
}

/// How calls that return a coroutine of type R are made; a specialisation is in the header that adapts R. It has
/// `value_type`, what awaiting gives; `wrapped<Result>`, the coroutine that gives Result instead; and
/// `run(callable, policies, arguments...)`, which makes it; and `shake(course, stop, coroutine)`, for chaos.
template <class R>
struct coroutine_adapter {};
template <class R>
concept adapted_coroutine = requires { typename coroutine_adapter<R>::value_type; };

template <class R>
struct returned_value {
    using type = R;
};
template <adapted_coroutine R>
struct returned_value<R> : returned_value<typename coroutine_adapter<R>::value_type> {};
template <class R>
    requires std::is_object_v<R> && (outcome_like<R> || expected_like<R> || optional_like<R>)
struct returned_value<R> {
    using type = typename R::value_type;
};

/// What the result holds when the callable returns R.
template <class R>
using returned_value_t =
    typename returned_value<std::conditional_t<std::is_lvalue_reference_v<R>, R,
                                               std::remove_cv_t<std::remove_reference_t<R>>>>::type;

template <class T>
using in_place = boost::outcome_v2::in_place_type_t<T>;

/// A failed result from whatever a user's result type holds as its error; in place where it can be.
template <class Result, class E>
[[gnu::always_inline]] inline Result to_failed(E&& error) {
    if constexpr (std::convertible_to<E&&, failure>)
        return Result{in_place<failure>{}, std::forward<E>(error)};
    else
        return Result{in_place<failure>{}, to_failure(std::forward<E>(error))};
}

/// Calls `invoke` and gives what it returns as a result; exceptions pass.
template <class Result, class Invoke>
[[gnu::always_inline]] inline Result invoke_to_result(Invoke&& invoke) {
    using returned = std::invoke_result_t<Invoke>;
    using plain = std::remove_cvref_t<returned>;
    using value = typename Result::value_type;
    if constexpr (std::is_void_v<returned>) {
        invoke();
        return Result{in_place<void>{}};
    } else if constexpr (std::is_lvalue_reference_v<returned>) {
        return Result{in_place<value>{}, std::ref(invoke())};
    } else if constexpr (std::same_as<plain, Result>) {
        return invoke();
    } else if constexpr (outcome_like<plain>) {
        auto got = invoke();
        if (got.has_value()) {
            if constexpr (std::is_void_v<value>)
                return Result{in_place<void>{}};
            else
                return Result{in_place<value>{}, std::move(got).assume_value()};
        }
        if constexpr (requires {
                          got.has_exception();
                          got.assume_exception();
                      }) {
            if (got.has_exception()) {
                if constexpr (requires { got.has_error(); }) {
                    if (got.has_error()) {
                        auto both = to_failure(std::move(got).assume_error());
                        return Result{
                            in_place<failure>{},
                            failure{to_failure(std::move(got).assume_exception()).exception(),
                                    both.code()}};
                    }
                }
                return Result{in_place<failure>{}, to_failure(std::move(got).assume_exception())};
            }
        }
        return to_failed<Result>(std::move(got).assume_error());
    } else if constexpr (expected_like<plain>) {
        auto got = invoke();
        if (!got.has_value()) return to_failed<Result>(std::move(got).error());
        if constexpr (std::is_void_v<value>)
            return Result{in_place<void>{}};
        else
            return Result{in_place<value>{}, *std::move(got)};
    } else if constexpr (optional_like<plain>) {
        auto got = invoke();
        if (!got.has_value()) return Result{in_place<failure>{}, failure{errc::no_value}};
        return Result{in_place<value>{}, *std::move(got)};
    } else {
        return Result{in_place<value>{}, invoke()};
    }
}

}  // namespace recoup::inline v1::detail
