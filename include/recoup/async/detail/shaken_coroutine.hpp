// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/async/detail/awaited_wait.hpp>
#include <recoup/core/category.hpp>
#include <recoup/core/clock.hpp>
#include <recoup/core/errc.hpp>
#include <recoup/core/failure.hpp>
#include <recoup/core/result.hpp>
#include <recoup/core/returns.hpp>
#include <recoup/core/time.hpp>

#include <boost/asio/awaitable.hpp>

#include <concepts>
#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>

// As in awaitable_driver.hpp: g++ 12 takes a frame's allocation and its end for mismatched.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif

namespace recoup::inline v1::detail {

/// One attempt that chaos shakes, and that is a coroutine. `what` is none where it is not to be called.
///
/// It owns what it needs. Being slow is a timer of the executor, or a wait on the clock that was given.
template <class T, class Executor, class Course>
boost::asio::awaitable<result<returned_value_t<T>>, Executor> shaken_coroutine(
    Course course, std::stop_token stop, std::optional<boost::asio::awaitable<T, Executor>> what) {
    using flat = result<returned_value_t<T>>;
    if (course.latency() > duration{}) {
        auto& time = course.clock();
        auto const when = saturating_add(time.now(), course.latency());
        auto over = false;
        if constexpr (std::same_as<std::remove_cvref_t<decltype(time)>, real_clock>)
            over = co_await wait_on_timer<Executor>(time, when, std::move(stop));
        else
            over = co_await wait_on_clock<Executor>(time, when, std::move(stop));
        if (!over)
            co_return flat{in_place<failure>{}, failure{category::cancelled, errc::cancelled}};
    }
    if (!what) co_return course.template instead<flat>();
    if constexpr (std::is_void_v<T>) {
        co_await *std::move(what);
        co_return course.spoil(flat{in_place<void>{}});
    } else {
        auto&& got = co_await *std::move(what);
        co_return course.spoil(
            invoke_to_result<flat>([&]() -> T { return static_cast<T&&>(got); }));
    }
}

}  // namespace recoup::inline v1::detail

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
