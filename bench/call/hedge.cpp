// SPDX-License-Identifier: BSL-1.0
// What a hedge that does not begin adds to a plain call: it runs on a thread of a pool, beside the bare call, the
// same by hand on a thread of one's own, and abandon_after, which has it run there as well.
#include "call/dependency.hpp"
#include "call/measure.hpp"

#include <recoup/guard/abandon_after.hpp>
#include <recoup/guard/abandon_pool.hpp>
#include <recoup/guard/hedge.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/with_recovery.hpp>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>

using namespace std::chrono_literals;

namespace bench {

namespace {

auto const ask = [](std::uint64_t question) { return answer_or_error(question); };

/// A thread that answers one question at a time: the least that a call costs whose caller can go on without it.
class asked_elsewhere {
  public:
    reply operator()(std::uint64_t question) {
        std::unique_lock lock{mutex_};
        question_ = question;
        changed_.notify_all();
        changed_.wait(lock, [this] { return answer_.has_value(); });
        auto answer = *std::move(answer_);
        answer_.reset();
        return answer;
    }

  private:
    void serve(std::stop_token const& stop) {
        std::unique_lock lock{mutex_};
        while (changed_.wait(lock, stop, [this] { return question_.has_value(); })) {
            auto const question = *std::exchange(question_, std::nullopt);
            lock.unlock();
            auto answer = ask(question);
            lock.lock();
            answer_.emplace(std::move(answer));
            changed_.notify_all();
        }
    }

    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::optional<std::uint64_t> question_;
    std::optional<reply> answer_;
    std::jthread thread_{[this](std::stop_token const& stop) { serve(stop); }};
};

}  // namespace

void add_hedge() {
    add("call/hedge_plain/bare", 1, [](benchmark::State& state) { measure(state, ask); });
    add("call/hedge_plain/hand_written", 1, [](benchmark::State& state) {
        asked_elsewhere thread;
        measure(state, std::ref(thread));
    });
    add("call/hedge_plain/recoup_abandon_after", 1, [](benchmark::State& state) {
        recoup::abandon_pool pool{{.threads = 2}};
        measure(state,
                recoup::with_recovery(ask, recoup::retry{}, recoup::abandon_after{1h, pool}));
    });
    add("call/hedge_plain/recoup", 1, [](benchmark::State& state) {
        recoup::abandon_pool pool{{.threads = 2}};
        recoup::hedge hedges{{.delay = 1h}};
        measure(state, recoup::with_recovery(ask, recoup::retry{}, hedges, pool));
        if (hedges.snapshot().begun != 0 || hedges.snapshot().refused != 0) std::abort();
    });
}

}  // namespace bench
