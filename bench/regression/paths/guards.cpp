// SPDX-License-Identifier: BSL-1.0
// What guards and metrics add to a call that they admit, one by one and all together; and a rejection.
#include "call/dependency.hpp"
#include "regression/paths/path.hpp"

#include <recoup/guard/bulkhead.hpp>
#include <recoup/guard/circuit_breaker.hpp>
#include <recoup/guard/concurrency_limit.hpp>
#include <recoup/guard/deadline.hpp>
#include <recoup/guard/rate_limiter.hpp>
#include <recoup/observe/metrics.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/with_recovery.hpp>

#include <chrono>
#include <stdexcept>
#include <utility>

using namespace std::chrono_literals;

namespace bench::regression {

namespace {

auto const ask_guarded = [](std::uint64_t question) { return answer_or_error(question); };

template <class... Policies>
void count_with(counted_path const& of, Policies&&... policies) {
    auto const call =
        recoup::with_recovery(ask_guarded, recoup::retry{}, std::forward<Policies>(policies)...);
    count(of, call);
    if (!call(std::uint64_t{1})) throw std::runtime_error{of.name + ": a call has failed"};
}

/// Never empty: there are a hundred tokens for each look at the clock.
auto const plenty = recoup::token_bucket(1'000'000'000, 1s);
/// Never full: what it holds has left it before it comes round.
auto const wide = recoup::sliding_window(4'096, 1us);
constexpr auto roomy = recoup::bulkhead_options{.at_once = 1'000, .waiting = 1'000};

void rejected(counted_path const& of) {
    recoup::circuit_breaker breaker{{.open_for = 24h}};
    auto const call = recoup::with_recovery(always_down, recoup::retry{.max_attempts = 1}, breaker);
    while (breaker.state() == recoup::breaker_state::closed)
        static_cast<void>(call(std::uint64_t{1}));
    count(of, call);
    if (call(std::uint64_t{1}).error().stopped() != recoup::stop_reason::breaker_open)
        throw std::runtime_error{of.name + ": a call was not rejected"};
}

/// All that a service would name at once.
void stacked(counted_path const& of) {
    recoup::circuit_breaker breaker;
    recoup::rate_limiter bucket{plenty};
    recoup::bulkhead pool{roomy};
    recoup::metrics counted;
    counted.alert({.overhead_above = 1e6, .success_below = 0.9, .recovery_above = 500ms},
                  [](recoup::alert const&) {});
    count_with(of, recoup::deadline{1min}, breaker, bucket, pool, counted.watch("stacked"));
}

}  // namespace

void add_guards(paths& into) {
    into.push_back({"reply/recoup_breaker", "", [](counted_path const& of) {
                        recoup::circuit_breaker breaker;
                        count_with(of, breaker);
                    }});
    into.push_back({"rejected/recoup_breaker", "", rejected});
    into.push_back({"reply/recoup_token_bucket", "", [](counted_path const& of) {
                        recoup::rate_limiter limiter{plenty};
                        count_with(of, limiter);
                    }});
    into.push_back({"reply/recoup_sliding_window", "", [](counted_path const& of) {
                        recoup::rate_limiter limiter{wide};
                        count_with(of, limiter);
                    }});
    into.push_back({"reply/recoup_bulkhead", "", [](counted_path const& of) {
                        recoup::bulkhead pool{roomy};
                        count_with(of, pool);
                    }});
    into.push_back({"reply/recoup_concurrency_limit", "", [](counted_path const& of) {
                        recoup::concurrency_limit limit{{.initial = 1'000, .least = 1'000}};
                        count_with(of, limit);
                    }});
    into.push_back({"reply/recoup_metrics", "", [](counted_path const& of) {
                        recoup::metrics counted;
                        count_with(of, counted.watch("metrics"));
                    }});
    into.push_back({"reply/recoup_everything", "", stacked});
}

}  // namespace bench::regression
