// SPDX-License-Identifier: BSL-1.0
// Plain calls: where an answer takes long, the same is asked once more on another thread, and the first answer is
// taken. Who loses is told, and is waited for by the pool.
// prints: the quick replica answers
// prints: hedges: 1, of which 1 won
// prints: the slow replica was told to end
#include <recoup/guard/abandon_pool.hpp>
#include <recoup/recoup.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <iostream>
#include <mutex>
#include <string>

using namespace std::chrono_literals;

namespace {

/// Replicas in turn; the first of them hangs until it is told to end.
std::string ask(recoup::attempt& attempt, std::atomic<int>& asked) {
    if (asked++ != 0) return "the quick replica answers";
    std::mutex mutex;
    std::condition_variable_any answered;
    std::unique_lock lock{mutex};
    answered.wait(lock, attempt.stop_token(), [] { return false; });
    return "the slow replica was told to end";
}

}  // namespace

int main() {
    std::atomic<int> asked = 0;
    std::string late;
    recoup::hedge hedges{{.delay = 20ms, .percentile = 0.95, .ratio = 0.05}};
    recoup::abandon_pool pool{{.threads = 4}};
    auto const search = recoup::with_recovery(
        [&](recoup::attempt& attempt) {
            auto answer = ask(attempt, asked);
            if (attempt.stop_token().stop_requested()) late = answer;
            return answer;
        },
        hedges, pool);
    std::cout << search().value() << '\n';
    auto const seen = hedges.snapshot();
    std::cout << "hedges: " << seen.begun << ", of which " << seen.won << " won\n";
    pool.shutdown(5s);
    std::cout << late << '\n';
}
