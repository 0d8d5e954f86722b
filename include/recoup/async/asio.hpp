// SPDX-License-Identifier: BSL-1.0
#pragma once

/// `with_recovery` for coroutines of Boost.Asio: a callable that returns `boost::asio::awaitable<T>` becomes one
/// that returns `awaitable<recoup::result<T>>`. Link `recoup::asio`.
///
/// Waits are timers of the coroutine's executor and block no thread; they, and the attempt that runs, end at
/// once where the coroutine's cancellation slot or a stop token asks for it, and the operation as `cancelled`.
/// An attempt that was told to end is waited for, whatever it makes of that; one that takes `recoup::attempt&`
/// also sees it in its `stop_token()`.
/// Arguments are copied or moved into the coroutine, which also owns the callable and the policies: it may
/// outlive the wrapper, but not what that refers to (a breaker that was given as an lvalue).
/// A strand will do as executor, and an io_context that many threads run. An attempt that a timeout or a stop
/// token may end gets a strand of its own there, where the executor is an `any_io_executor`, as it is by
/// default; with an executor of another type the coroutine needs a strand, as for Asio's own cancellation.

#include <recoup/async/detail/awaitable_driver.hpp>
#include <recoup/core/returns.hpp>
#include <recoup/guard/attempt_timeout.hpp>
#include <recoup/with_recovery.hpp>

#include <boost/asio/awaitable.hpp>

#include <type_traits>
#include <utility>

namespace recoup::inline v1::detail {

template <class T, class Executor>
struct coroutine_adapter<boost::asio::awaitable<T, Executor>> {
    using awaited = T;
    using value_type = T;
    template <class Result>
    using wrapped = boost::asio::awaitable<Result, Executor>;

    template <class F, class Policies, class... Args>
    static auto run(F const& callable, Policies const& policies, Args&&... arguments) {
        static_assert(
            std::is_copy_constructible_v<F>,
            "recoup: a coroutine owns a copy of its callable, and this one cannot be copied: "
            "wrap it in a lambda that holds a std::shared_ptr to it");
        return awaitable_driver::run<Executor, F, Policies, std::decay_t<Args>...>(
            callable, policies, std::forward<Args>(arguments)...);
    }
};

}  // namespace recoup::inline v1::detail
