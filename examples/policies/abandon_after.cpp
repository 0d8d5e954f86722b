// SPDX-License-Identifier: BSL-1.0
// What cannot be told to end is let go when it takes too long: the work goes on, and is kept an eye on.
// prints: attempt 1 is let go
// prints: attempt 2 answers
// prints: still at work: 1
// prints: attempt 1 has ended after all
// prints: left behind: 0
#include <recoup/guard/abandon_after.hpp>
#include <recoup/recoup.hpp>

#include <atomic>
#include <chrono>
#include <future>
#include <iostream>
#include <memory>
#include <string>

using namespace std::chrono_literals;

int main() {
    recoup::abandon_pool pool{{.threads = 2}, [](recoup::event const& what) {
                                  if (what.kind == recoup::event_kind::abandoned_ended)
                                      std::cout << "attempt " << what.attempt
                                                << " has ended after all\n";
                              }};
    std::promise<void> release;
    auto calls = std::make_shared<std::atomic<int>>(0);
    // A library's function that blocks, and takes neither a time nor a token.
    auto const ask = [calls, released = release.get_future().share()] {
        auto const call = ++*calls;
        if (call == 1) released.wait();
        return "attempt " + std::to_string(call) + " answers";
    };
    auto const safe = recoup::with_recovery(
        ask, recoup::retry{.backoff = recoup::constant(1ms)}, recoup::abandon_after{50ms, pool},
        recoup::on_event([](recoup::event const& what) {
            if (what.kind == recoup::event_kind::attempt_abandoned)
                std::cout << "attempt " << what.attempt << " is let go\n";
        }));
    std::cout << safe().value() << '\n';
    std::cout << "still at work: " << pool.abandoned() << '\n';
    release.set_value();
    auto const left = pool.shutdown(10s);
    std::cout << "left behind: " << left << '\n';
}
