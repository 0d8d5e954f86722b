// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/async/detail/store_call.hpp>
#include <recoup/core/attempt.hpp>
#include <recoup/core/failure.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <string>
#include <utility>

// As in awaitable_driver.hpp: g++ 12 takes a frame's allocation and its end for mismatched.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif

namespace recoup::inline v1 {

namespace detail {

/// Has the progress of a running attempt saved on a thread for stores. Gives why what rests on it must not be
/// done, or null.
template <class Executor>
boost::asio::awaitable<failure const*, Executor> save_progress(progress_sink& sink) {
    failure const* refused = nullptr;
    auto const save = [&] { refused = sink.save_progress(); };
    struct told_afterwards {
        explicit told_afterwards(progress_sink& told) noexcept : to{told} { to.leaves(); }
        told_afterwards(told_afterwards const&) = delete;
        told_afterwards& operator=(told_afterwards const&) = delete;
        ~told_afterwards() { to.returns(); }
        progress_sink& to;
    };
    auto const told = told_afterwards{sink};
    co_await async_store_call(Executor{co_await boost::asio::this_coro::executor}, save,
                              boost::asio::use_awaitable_t<Executor>{});
    co_return refused;
}

}  // namespace detail

/// What `attempt::save_checkpoint` does, for coroutines: it suspends while the store works, and blocks no thread.
///
/// A cancellation waits for the store to have answered: the checkpoint is saved then, and the next `co_await`
/// tells of the cancellation.
/// Pre: `running` is the attempt that waits for it.
/// Throws: as `save_checkpoint`.
/// Example: `co_await recoup::async_save_checkpoint(attempt, bytes_done);`
template <class Executor = boost::asio::any_io_executor, class T>
boost::asio::awaitable<void, Executor> async_save_checkpoint(attempt& running, T value) {
    detail::attempt_access::put_checkpoint(running, value);
    auto* const sink = detail::attempt_access::state(running).sink;
    if (sink) co_await detail::save_progress<Executor>(*sink);
}

/// What `attempt::idempotency_token` gives, for coroutines: it suspends while the store works.
///
/// Pre, and what a cancellation does: as of `async_save_checkpoint`.
/// Throws: as `idempotency_token`.
template <class Executor = boost::asio::any_io_executor>
boost::asio::awaitable<std::string, Executor> async_idempotency_token(attempt& running) {
    auto& state = detail::attempt_access::state(running);
    if (detail::is_zero(state.token)) {
        state.token = detail::make_token();
        failure const* refused = nullptr;
        if (state.sink) refused = co_await detail::save_progress<Executor>(*state.sink);
        detail::attempt_access::accept_token(running, refused);
    }
    co_return detail::token_text(state.token);
}

}  // namespace recoup::inline v1

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
