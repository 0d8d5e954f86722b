// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/wait_traits.hpp>
#include <boost/system/error_code.hpp>

#include <algorithm>
#include <chrono>
#include <concepts>
#include <exception>
#include <memory>
#include <stop_token>
#include <utility>

namespace recoup::inline v1::detail {

/// Where one attempt runs that others than its coroutine's slot may end: a timer, or a stop token.
///
/// The attempt runs on a strand where the executor can hold one: its cancellation must not meet it while it runs
/// on another thread.
template <class Executor>
class attempt_scope : public std::enable_shared_from_this<attempt_scope<Executor>> {
  public:
    /// An attempt by itself: what knows of its type is compiled once for each wrapped callable.
    using awaitable = boost::asio::awaitable<void, Executor>;

    /// An executor that is a strand already, or needs none.
    struct on_strand {};

    /// On a strand of its own, where `Executor` can hold one.
    explicit attempt_scope(Executor const& executor)
        : attempt_scope{exclusive(executor), on_strand{}} {}
    /// On `strand`, with whatever else runs there.
    attempt_scope(Executor const& strand, on_strand /*tag*/)
        : executor_{strand}, timer_{executor_} {}
    attempt_scope(attempt_scope const&) = delete;
    attempt_scope& operator=(attempt_scope const&) = delete;

    /// What the attempt is shown.
    [[nodiscard]] std::stop_token stop_token() const noexcept { return stop_.get_token(); }

    /// Tells the attempt to end, from any thread.
    void cancel(boost::asio::cancellation_type type) noexcept {
        stop_.request_stop();
        try {
            boost::asio::post(executor_,
                              [self = this->shared_from_this(), type] { self->emit(type); });
        } catch (...) {  // no memory: it has its stop token
        }
    }

    /// Ends the attempt because its time has passed, from any thread.
    void expire() noexcept {
        try {
            // What the attempt is shown comes after the note of why: it may end at once.
            boost::asio::post(executor_, [self = this->shared_from_this()] {
                if (!self->ended_) self->time_out();
            });
        } catch (...) {  // no memory: it goes on without a limit, as it would without a timer
        }
    }

    /// Runs `body` for at most `limit`, and calls `then` on `resume_on` at its end, whatever happens. On its
    /// executor alone. Pre: `body` throws nothing. Throws: std::bad_alloc.
    template <class ResumeOn, class Then>
    void launch(ResumeOn const& resume_on, awaitable body, duration limit, Then then) {
        if (limit != unlimited) start_timer(limit);
        boost::asio::co_spawn(
            executor_, std::move(body),
            boost::asio::bind_executor(
                resume_on,
                boost::asio::bind_cancellation_slot(
                    signal_.slot(), [then = std::move(then)](std::exception_ptr const&) mutable {
                        std::move(then)();
                    })));
    }

    /// The same from anywhere, and waits for its end.
    awaitable run(awaitable body, duration limit) {
        using token_type = boost::asio::use_awaitable_t<Executor>;
        auto token = token_type{};
        return boost::asio::async_initiate<token_type, void()>(
            [self = this->shared_from_this()](auto handler, awaitable what, duration at_most) {
                self->begin(std::move(handler), std::move(what), at_most);
            },
            token, std::move(body), limit);
    }

    // ---- on its executor, and after the end of `run`

    /// Whether it was told to end: where that was before it began, nobody else tells it.
    [[nodiscard]] bool cancelled() const noexcept { return cancelled_; }
    [[nodiscard]] bool timed_out() const noexcept { return timed_out_; }
    /// The attempt has ended: what comes now is late.
    void ended() {
        ended_ = true;
        timer_.cancel();
    }

    /// A strand of its own, where `Executor` can hold one.
    [[nodiscard]] static Executor exclusive(Executor const& executor) {
        if constexpr (std::same_as<Executor, boost::asio::any_io_executor>)
            return boost::asio::make_strand(executor);
        else
            return executor;
    }

  private:
    template <class Handler>
    void begin(Handler handler, awaitable what, duration limit) {
        auto slot = boost::asio::get_associated_cancellation_slot(handler);
        if (slot.is_connected())
            slot.assign([weak = this->weak_from_this()](boost::asio::cancellation_type type) {
                if (auto const there = weak.lock()) there->cancel(type);
            });
        auto work =
            boost::asio::make_work_guard(boost::asio::get_associated_executor(handler, executor_));
        boost::asio::dispatch(
            executor_, [self = this->shared_from_this(), work = std::move(work), limit,
                        what = std::move(what), handler = std::move(handler)]() mutable {
                auto const resume_on = work.get_executor();
                self->launch(resume_on, std::move(what), limit,
                             [handler = std::move(handler), work = std::move(work)]() mutable {
                                 std::move(handler)();
                             });
            });
    }

    void start_timer(duration limit) {
        // What is near the end of the range would overflow in the timer; nobody waits for a century.
        constexpr auto longest = duration{std::chrono::hours{24 * 365 * 100}};
        timer_.expires_after(
            std::chrono::duration_cast<typename timer::duration>(std::min(limit, longest)));
        timer_.async_wait(boost::asio::bind_executor(
            executor_, [self = this->shared_from_this()](boost::system::error_code const& error) {
                if (!error && !self->ended_) self->time_out();
            }));
    }

    void time_out() {
        timed_out_ = true;
        stop_.request_stop();
        emit(boost::asio::cancellation_type::terminal);
    }

    void emit(boost::asio::cancellation_type type) {
        cancelled_ = true;
        if (!ended_) signal_.emit(type);
    }

    using timer = boost::asio::basic_waitable_timer<
        std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>, Executor>;

    Executor executor_;
    std::stop_source stop_;
    // From here on: touched on the executor alone.
    timer timer_;
    boost::asio::cancellation_signal signal_;
    bool cancelled_ = false;
    bool timed_out_ = false;
    bool ended_ = false;
};

}  // namespace recoup::inline v1::detail
