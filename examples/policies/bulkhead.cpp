// SPDX-License-Identifier: BSL-1.0
// Lets only so many run at a time; of the others so many wait, and the rest is rejected.
// prints: at most 2 at a time: yes
// prints: all 8 done: yes
#include <recoup/recoup.hpp>

#include <atomic>
#include <chrono>
#include <iostream>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

int main() {
    recoup::bulkhead downloads{{.at_once = 2, .waiting = 10}};
    std::atomic<int> running = 0;
    std::atomic<bool> too_many = false;
    std::atomic<int> done = 0;
    auto const download = recoup::with_recovery(
        [&] {
            if (++running > 2) too_many = true;
            std::this_thread::sleep_for(5ms);
            --running;
        },
        downloads);
    {
        std::vector<std::jthread> threads;
        for (auto i = 0; i < 8; ++i) threads.emplace_back([&] { done += download() ? 1 : 0; });
    }
    std::cout << "at most 2 at a time: " << (too_many ? "no" : "yes") << '\n';
    std::cout << "all 8 done: " << (done == 8 ? "yes" : "no") << '\n';
}
