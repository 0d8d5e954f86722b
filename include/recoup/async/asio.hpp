// SPDX-License-Identifier: BSL-1.0
#pragma once

/// `with_recovery` for coroutines of Boost.Asio: a callable that returns `boost::asio::awaitable<T>` becomes one
/// that returns `awaitable<recoup::result<T>>`. Link `recoup::asio`.
///
/// Waits are timers of the coroutine's executor and block no thread; they, and the attempt that runs, end at
/// once where the coroutine's cancellation slot or a stop token asks for it, and the operation as `cancelled`.
/// An attempt that was told to end is waited for, whatever it makes of that; one that takes `recoup::attempt&`
/// also sees it in its `stop_token()`.
/// Arguments are copied or moved into the coroutine, and what a parameter by reference needs of another type is
/// made there (of a literal for `std::string const&`). It also owns the callable and the policies: it may
/// outlive the wrapper, but not what that refers to (a breaker that was given as an lvalue).
/// With `persist`, stores are called on threads of their own (`store_threads`); a cancellation waits for the call that
/// is under way. Attempts save their progress with `async_save_checkpoint` and `async_idempotency_token`.
/// A strand will do as executor, and an io_context that many threads run. An attempt that a timeout or a stop
/// token may end gets a strand of its own there, where the executor is an `any_io_executor`, as it is by
/// default; with an executor of another type the coroutine needs a strand, as for Asio's own cancellation.

#include <recoup/async/detail/awaitable_driver.hpp>
#include <recoup/async/detail/shaken_coroutine.hpp>
#include <recoup/async/progress.hpp>
#include <recoup/async/store_threads.hpp>
#include <recoup/core/returns.hpp>
#include <recoup/guard/attempt_timeout.hpp>
#include <recoup/with_recovery.hpp>

#include <boost/asio/awaitable.hpp>

#include <optional>
#include <stop_token>
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
        return awaitable_driver::run_call<Executor, true, F, Policies, std::decay_t<Args>...>(
            callable, policies, std::forward<Args>(arguments)...);
    }

    template <class Course>
    static auto shake(Course course, std::stop_token stop,
                      std::optional<boost::asio::awaitable<T, Executor>> what) {
        return shaken_coroutine<T, Executor>(std::move(course), std::move(stop), std::move(what));
    }
};

}  // namespace recoup::inline v1::detail
