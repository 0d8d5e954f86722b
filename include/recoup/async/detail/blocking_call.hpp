// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/system_executor.hpp>

#include <memory>
#include <stop_token>
#include <utility>

namespace recoup::inline v1::detail {

/// Makes a call that blocks, on a thread of the system's pool, and gives what it returns on the executor of the
/// coroutine. The call gets a stop token, which the coroutine's cancellation slot and `stop` trigger.
///
/// Pre: `call` does not throw; what it refers to outlives it.
template <class Value, class Executor, class Call, class Token>
auto async_blocking_call(Executor const& executor, std::stop_token stop, Call call, Token&& token) {
    return boost::asio::async_initiate<Token, void(Value)>(
        [](auto handler, Executor on, std::stop_token stopping, Call what) {
            auto source = std::make_shared<std::stop_source>();
            auto slot = boost::asio::get_associated_cancellation_slot(handler);
            if (slot.is_connected())
                slot.assign([weak = std::weak_ptr{source}](boost::asio::cancellation_type) {
                    if (auto const there = weak.lock()) there->request_stop();
                });
            auto work = boost::asio::make_work_guard(handler, on);
            boost::asio::post(
                boost::asio::system_executor{},
                [source, work = std::move(work), stopping = std::move(stopping),
                 what = std::move(what), handler = std::move(handler)]() mutable {
                    auto value = [&] {
                        auto const request = [&]() noexcept { source->request_stop(); };
                        std::stop_callback const stopped{stopping, request};
                        return what(source->get_token());
                    }();
                    boost::asio::post(
                        work.get_executor(),
                        [value = std::move(value), handler = std::move(handler)]() mutable {
                            std::move(handler)(std::move(value));
                        });
                });
        },
        token, executor, std::move(stop), std::move(call));
}

}  // namespace recoup::inline v1::detail
