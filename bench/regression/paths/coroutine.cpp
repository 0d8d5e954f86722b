// SPDX-License-Identifier: BSL-1.0
// Coroutines of Boost.Asio that are ready at once: bare, beside the loop written by hand, with guards that
// admit each, and with a hedge that is not needed.
#include "call/hand_written.hpp"
#include "regression/paths/path.hpp"

#include <recoup/async/asio.hpp>
#include <recoup/guard/bulkhead.hpp>
#include <recoup/guard/hedge.hpp>
#include <recoup/guard/rate_limiter.hpp>
#include <recoup/retry/retry.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <exception>
#include <utility>

using namespace std::chrono_literals;

namespace bench::regression {

namespace {

namespace asio = boost::asio;

asio::awaitable<std::uint64_t> answer_at_once(std::uint64_t question) {
    co_return answer(question);
}

asio::awaitable<hand_written::result> retried(std::uint64_t question,
                                              hand_written::options const& chosen) {
    for (std::uint32_t attempt = 1;; ++attempt) {
        auto failed = hand_written::error{};
        try {
            co_return hand_written::result{co_await answer_at_once(question)};
        } catch (...) {
            failed = hand_written::caught();
        }
        failed.attempts = attempt;
        failed.what = hand_written::classify(failed.code);
        if (!hand_written::worth_retrying(failed.what) || attempt >= chosen.max_attempts)
            co_return hand_written::result{std::move(failed)};
    }
}

/// As `count`, in a coroutine.
template <class Call>
asio::awaitable<void> counted(counted_path const& of, Call& call) {
    auto const name = left_name(of);
    std::uint64_t question = 0;
    for (; question != warming_calls; ++question) {
        auto outcome = co_await call(question);
        keep(outcome);
    }
    begin();
    for (; question != warming_calls + counted_calls; ++question) {
        auto outcome = co_await call(question);
        keep(outcome);
        slow_down(of.planted);
    }
    end(name.c_str());
}

template <class Call>
void count_awaited(counted_path const& of, Call call) {
    asio::io_context context{1};
    asio::co_spawn(context, counted(of, call), [](std::exception_ptr thrown) {
        if (thrown) std::rethrow_exception(thrown);
    });
    context.run();
}

}  // namespace

void add_coroutine(paths& into) {
    into.push_back({"coroutine_ready/bare", "",
                    [](counted_path const& of) { count_awaited(of, answer_at_once); }});
    into.push_back({"coroutine_ready/hand_written", "", [](counted_path const& of) {
                        hand_written::options const chosen;
                        count_awaited(of, [&chosen](std::uint64_t question) {
                            return retried(question, chosen);
                        });
                    }});
    into.push_back(
        {"coroutine_ready/recoup", "coroutine_ready/hand_written", [](counted_path const& of) {
             count_awaited(of, recoup::with_recovery(answer_at_once, recoup::retry{}));
         }});
    into.push_back({"coroutine_ready/recoup_guards", "", [](counted_path const& of) {
                        recoup::rate_limiter limiter{recoup::token_bucket(100'000'000, 1s)};
                        recoup::bulkhead room{{.at_once = 8, .waiting = 8}};
                        count_awaited(of, recoup::with_recovery(answer_at_once, recoup::retry{},
                                                                limiter, room));
                    }});
    into.push_back({"coroutine_ready/recoup_hedge", "", [](counted_path const& of) {
                        recoup::hedge hedges{{.delay = 1h}};
                        count_awaited(
                            of, recoup::with_recovery(answer_at_once, recoup::retry{}, hedges));
                    }});
}

}  // namespace bench::regression
