// SPDX-License-Identifier: BSL-1.0
// Plain calls: an attempt that takes too long is told so, ends itself, and is tried again.
// prints: attempt 1 is told to stop
// prints: attempt 2 answers
#include <recoup/recoup.hpp>

#include <chrono>
#include <condition_variable>
#include <iostream>
#include <mutex>
#include <stop_token>
#include <string>
#include <system_error>

using namespace std::chrono_literals;

namespace {

/// Waits for an answer, or until it shall no longer.
bool answered(std::chrono::milliseconds takes, std::stop_token const& stop) {
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock{mutex};
    wake.wait_for(lock, stop, takes, [] { return false; });
    return !stop.stop_requested();
}

recoup::result<std::string> ask(recoup::attempt& attempt) {
    if (!answered(attempt.number() == 1 ? 1h : 0ms, attempt.stop_token())) {
        std::cout << "attempt " << attempt.number() << " is told to stop\n";
        return std::make_error_code(std::errc::operation_canceled);
    }
    return "attempt " + std::to_string(attempt.number()) + " answers";
}

}  // namespace

int main() {
    auto const safe = recoup::with_recovery(ask, recoup::retry{.backoff = recoup::constant(1ms)},
                                            recoup::attempt_timeout{20ms});
    std::cout << safe().value() << '\n';
}
