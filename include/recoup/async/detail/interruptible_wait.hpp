// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/wait_traits.hpp>

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>

namespace recoup::inline v1::detail {

/// A wait of a coroutine that ends at its time, or at once where a stop token or the coroutine's cancellation
/// slot asks for that.
///
/// The timer is touched under a lock alone, since a stop may be requested from any thread, and the executor may
/// run on many.
template <class Handler, class Executor>
class wait_state : public std::enable_shared_from_this<wait_state<Handler, Executor>> {
  public:
    wait_state(Executor const& executor, Handler handler)
        : timer_{executor},
          work_{boost::asio::get_associated_executor(handler, executor)},
          handler_{std::move(handler)} {}

    void start(duration span, std::stop_token const& stop) {
        auto slot = boost::asio::get_associated_cancellation_slot(*handler_);
        auto const self = this->shared_from_this();
        {
            std::lock_guard const lock{mutex_};
            timer_.expires_after(std::chrono::duration_cast<typename timer::duration>(span));
            timer_.async_wait([self](boost::system::error_code error) { self->finish(!error); });
        }
        if (slot.is_connected())
            slot.assign([weak = this->weak_from_this()](boost::asio::cancellation_type) {
                if (auto const there = weak.lock()) there->finish(false);
            });
        stopped_.emplace(stop, stopper{this->weak_from_this()});
        auto early = std::optional<bool>{};
        {
            std::lock_guard const lock{mutex_};
            started_ = true;
            early = ended_;
        }
        if (early) finish(*early);
    }

  private:
    struct stopper {
        std::weak_ptr<wait_state> state;
        void operator()() const {
            if (auto const there = state.lock()) there->finish(false);
        }
    };

    void finish(bool over) {
        auto handler = std::optional<Handler>{};
        {
            std::lock_guard const lock{mutex_};
            // What ends it while it starts has to wait for that.
            if (!started_) ended_ = ended_.value_or(over);
            if (!started_ || !handler_) return;
            handler.emplace(std::move(*handler_));
            handler_.reset();
            timer_.cancel();
        }
        // Not here: this may be the thread of whoever stops.
        boost::asio::post(work_.get_executor(), [self = this->shared_from_this(),
                                                 handler = std::move(*handler), over]() mutable {
            self->stopped_.reset();
            self.reset();
            std::move(handler)(over);
        });
    }

    using timer = boost::asio::basic_waitable_timer<
        std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>, Executor>;
    using work_executor = boost::asio::associated_executor_t<Handler, Executor>;

    std::mutex mutex_;
    timer timer_;
    boost::asio::executor_work_guard<work_executor> work_;
    std::optional<Handler> handler_;
    bool started_ = false;
    std::optional<bool> ended_{};  ///< before it had started
    std::optional<std::stop_callback<stopper>> stopped_{};
};

/// Waits for `span`. Gives whether it was not cut short.
template <class Executor, class Token>
auto async_wait_for(Executor const& executor, duration span, std::stop_token stop, Token&& token) {
    return boost::asio::async_initiate<Token, void(bool)>(
        [](auto handler, Executor on, duration how_long, std::stop_token const& stopping) {
            using state = wait_state<decltype(handler), Executor>;
            std::make_shared<state>(on, std::move(handler))->start(how_long, stopping);
        },
        token, executor, span, std::move(stop));
}

}  // namespace recoup::inline v1::detail
