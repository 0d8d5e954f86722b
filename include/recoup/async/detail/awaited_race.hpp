// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/async/detail/attempt_scope.hpp>
#include <recoup/core/time.hpp>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/wait_traits.hpp>
#include <boost/system/error_code.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

namespace recoup::inline v1::detail {

/// What runs coroutines beside each other and waits for the end of all, whatever they are: who decides derives
/// from it. Apart from that, so that it is compiled once.
///
/// All run on one strand, where the executor can hold one: they may share what they work on.
template <class Executor>
class awaited_race : public std::enable_shared_from_this<awaited_race<Executor>> {
  public:
    using awaitable = boost::asio::awaitable<void, Executor>;

    awaited_race(awaited_race const&) = delete;
    awaited_race& operator=(awaited_race const&) = delete;

    /// Runs them, and waits for the end of all, whatever happens.
    awaitable run() {
        using token_type = boost::asio::use_awaitable_t<Executor>;
        auto token = token_type{};
        return boost::asio::async_initiate<token_type, void()>(
            [self = this->shared_from_this()](auto handler) { self->begin(std::move(handler)); },
            token);
    }

    /// Tells all to end, from any thread.
    void cancel(boost::asio::cancellation_type type) noexcept {
        try {
            boost::asio::post(executor_,
                              [self = this->shared_from_this(), type] { self->end_all(type); });
        } catch (...) {  // no memory: they go on
        }
    }

    /// The moment of the next has come, from any thread.
    void expire() noexcept {
        try {
            boost::asio::post(executor_, [self = this->shared_from_this()] { self->due(); });
        } catch (...) {  // no memory: there is no other
        }
    }

  protected:
    /// One that takes part.
    struct lane {
        explicit lane(Executor const& strand)
            : scope{std::make_shared<attempt_scope<Executor>>(
                  strand, typename attempt_scope<Executor>::on_strand{})} {}
        lane(lane const&) = delete;
        lane& operator=(lane const&) = delete;

        std::shared_ptr<attempt_scope<Executor>> scope;
    };

    explicit awaited_race(Executor const& executor)
        : executor_{attempt_scope<Executor>::exclusive(executor)}, timer_{executor_} {}
    ~awaited_race() = default;

    // ---- what the race is: called on the strand

    virtual void start() noexcept = 0;
    virtual void end_all(boost::asio::cancellation_type type) noexcept = 0;
    virtual void due() noexcept = 0;             ///< the moment of the next has come
    virtual void ended(lane& one) noexcept = 0;  ///< what was launched for it has

    // ---- what it does with it, on the strand

    [[nodiscard]] Executor const& executor() const noexcept { return executor_; }

    /// Runs `what` for at most `limit`. Throws: std::bad_alloc.
    void launch(lane& one, awaitable what, duration limit) {
        one.scope->launch(executor_, std::move(what), limit,
                          [self = this->shared_from_this(), &one] { self->ended(one); });
    }

    /// Calls `due`, unless `stop_waiting` comes before. Throws: std::bad_alloc.
    void wait(duration delay) {
        // What is near the end of the range would overflow in the timer.
        constexpr auto longest = duration{std::chrono::hours{24 * 365 * 100}};
        timer_.expires_after(
            std::chrono::duration_cast<typename timer::duration>(std::min(delay, longest)));
        timer_.async_wait(boost::asio::bind_executor(
            executor_, [self = this->shared_from_this()](boost::system::error_code const& error) {
                if (!error) self->due();
            }));
    }
    void stop_waiting() { timer_.cancel(); }

    /// Lets who waits go on, once all have ended.
    void go_on() {
        auto const then = std::move(waiting_);
        then->go_on();
    }

  private:
    /// Who waits for the end.
    struct waiting {
        waiting() = default;
        waiting(waiting const&) = delete;
        waiting& operator=(waiting const&) = delete;
        virtual ~waiting() = default;
        virtual void go_on() = 0;
    };
    template <class Handler>
    struct waiting_handler final : waiting {
        waiting_handler(Handler given, Executor const& executor)
            : work{boost::asio::get_associated_executor(given, executor)},
              handler{std::move(given)} {}
        void go_on() override {
            auto const on = work.get_executor();
            // Not here, where it would go on inside of what has ended.
            boost::asio::post(on, [then = std::move(handler), kept = std::move(work)]() mutable {
                std::move(then)();
            });
        }
        boost::asio::executor_work_guard<boost::asio::associated_executor_t<Handler, Executor>>
            work;
        Handler handler;
    };

    template <class Handler>
    void begin(Handler handler) {
        auto slot = boost::asio::get_associated_cancellation_slot(handler);
        waiting_ = std::make_unique<waiting_handler<Handler>>(std::move(handler), executor_);
        if (slot.is_connected())
            slot.assign([weak = this->weak_from_this()](boost::asio::cancellation_type type) {
                if (auto const there = weak.lock()) there->cancel(type);
            });
        boost::asio::dispatch(executor_, [self = this->shared_from_this()] { self->start(); });
    }

    using timer = boost::asio::basic_waitable_timer<
        std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>, Executor>;

    Executor executor_;
    timer timer_;
    std::unique_ptr<waiting> waiting_{};
};

}  // namespace recoup::inline v1::detail
