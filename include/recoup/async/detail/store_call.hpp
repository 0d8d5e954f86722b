// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/async/store_threads.hpp>

#include <boost/asio/async_result.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/query.hpp>

#include <exception>
#include <functional>
#include <utility>

namespace recoup::inline v1::detail {

/// Makes `call` on one of the threads for stores of the executor's context, and goes on on the executor. What
/// `call` throws comes out there.
///
/// No cancellation cuts it short: who asked for a record has to know what became of it.
/// Pre: what `call` refers to is in the frame of who waits. That frame lives as long as the call, for the call
/// holds it. (A function object of one reference takes no memory.)
template <class Executor, class Token>
auto async_store_call(Executor const& executor, std::function<void()> call, Token&& token) {
    return boost::asio::async_initiate<Token, void(std::exception_ptr)>(
        [](auto handler, Executor on, std::function<void()> what) {
            auto& context = boost::asio::query(on, boost::asio::execution::context);
            auto& threads = boost::asio::use_service<store_threads>(context);
            auto work = boost::asio::make_work_guard(handler, on);
            boost::asio::post(threads.executor(), [work = std::move(work), what = std::move(what),
                                                   handler = std::move(handler)]() mutable {
                auto thrown = std::exception_ptr{};
                try {
                    what();
                } catch (...) {
                    thrown = std::current_exception();
                }
                boost::asio::post(work.get_executor(), [thrown = std::move(thrown),
                                                        handler = std::move(handler)]() mutable {
                    std::move(handler)(std::move(thrown));
                });
            });
        },
        token, executor, std::move(call));
}

}  // namespace recoup::inline v1::detail
