// SPDX-License-Identifier: BSL-1.0
// What a cache costs: a result that it has, beside the map and the mutex that one would write by hand, and one that
// it has not, where each call makes room for itself.
#include "call/dependency.hpp"
#include "call/measure.hpp"

#include <recoup/guard/cache.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/with_recovery.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

using namespace std::chrono_literals;

namespace bench {

namespace {

constexpr std::uint64_t keys = 1'000;

auto const ask = [](std::uint64_t question) { return answer_or_error(question); };

/// The least that does the same for a number: no bound, no order of use, nobody waits.
class by_hand {
  public:
    std::uint64_t operator()(std::uint64_t question) {
        auto const now = std::chrono::steady_clock::now();
        std::lock_guard const lock{mutex_};
        auto& found = results_[question];
        if (found.until <= now) found = {answer_or_error(question).assume_value(), now + 1h};
        return found.value;
    }

  private:
    struct entry {
        std::uint64_t value = 0;
        std::chrono::steady_clock::time_point until{};
    };
    std::mutex mutex_;
    std::unordered_map<std::uint64_t, entry> results_;
};

void measure_hit(benchmark::State& state) {
    static recoup::cache<std::uint64_t, std::uint64_t> results{
        {.capacity = 10 * keys, .time_to_live = 1h}};
    auto const call = recoup::with_recovery(ask, recoup::retry{}, results);
    for (std::uint64_t key = 0; key != keys; ++key)
        if (!call(std::uint64_t{key})) std::abort();
    measure(state, [&](std::uint64_t question) { return call(question % keys); });
}

void measure_hit_by_hand(benchmark::State& state) {
    static by_hand results;
    for (std::uint64_t key = 0; key != keys; ++key) static_cast<void>(results(key));
    measure(state, [&](std::uint64_t question) { return results(question % keys); });
}

/// A text as the key, and a result that callers share.
void measure_hit_text(benchmark::State& state) {
    using page = std::shared_ptr<std::string const>;
    static recoup::cache<std::string, page> results{{.capacity = 10 * keys, .time_to_live = 1h}};
    static auto const urls = [] {
        std::array<std::string, 16> made;
        for (std::size_t i = 0; i != made.size(); ++i)
            made[i] = "https://models.example/index/" + std::to_string(i);
        return made;
    }();
    auto const call = recoup::with_recovery(
        [](std::string const& url) { return std::make_shared<std::string const>(url); },
        recoup::retry{}, results);
    for (auto const& url : urls)
        if (!call(url)) std::abort();
    measure(state, [&](std::uint64_t question) { return call(urls[question % urls.size()]); });
}

void measure_miss(benchmark::State& state) {
    static recoup::cache<std::uint64_t, std::uint64_t> results{
        {.capacity = keys, .time_to_live = 1h}};
    auto const call = recoup::with_recovery(ask, recoup::retry{}, results);
    static std::uint64_t rounds = 0;  // no repetition finds what an earlier one has left
    auto const own = ++rounds << 32U;
    measure(state, [&](std::uint64_t question) { return call(own + question); });
}

}  // namespace

void add_cache() {
    for (auto const threads : {1, 2}) {
        add("call/cache_hit/recoup", threads, measure_hit);
        add("call/cache_hit/hand_written", threads, measure_hit_by_hand);
        add("call/cache_hit_text/recoup", threads, measure_hit_text);
    }
    add("call/cache_miss/recoup", 1, measure_miss);
}

}  // namespace bench
