// SPDX-License-Identifier: BSL-1.0
// A result that a cache has, beside the map and the mutex that one would write by hand; and one that it has not,
// where each call makes room for itself.
#include "call/dependency.hpp"
#include "regression/paths/path.hpp"

#include <recoup/guard/cache.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/with_recovery.hpp>

#include <chrono>
#include <mutex>
#include <unordered_map>

using namespace std::chrono_literals;

namespace bench::regression {

namespace {

/// As many as there are warming calls, so that each result is there when calls are counted.
constexpr std::uint64_t keys = warming_calls;

auto const ask_cached = [](std::uint64_t question) { return answer_or_error(question); };

void hit_by_hand(counted_path const& of) {
    struct entry {
        std::uint64_t value = 0;
        std::chrono::steady_clock::time_point until{};
    };
    std::mutex mutex;
    std::unordered_map<std::uint64_t, entry> results;
    count(of, [&](std::uint64_t question) {
        auto const now = std::chrono::steady_clock::now();
        std::lock_guard const lock{mutex};
        auto& found = results[question % keys];
        if (found.until <= now) found = {answer_or_error(question).assume_value(), now + 1h};
        return found.value;
    });
}

void hit(counted_path const& of) {
    recoup::cache<std::uint64_t, std::uint64_t> results{
        {.capacity = 10 * keys, .time_to_live = 1h}};
    auto const call = recoup::with_recovery(ask_cached, recoup::retry{}, results);
    count(of, [&](std::uint64_t question) { return call(question % keys); });
}

void miss(counted_path const& of) {
    recoup::cache<std::uint64_t, std::uint64_t> results{{.capacity = keys, .time_to_live = 1h}};
    count(of, recoup::with_recovery(ask_cached, recoup::retry{}, results));
}

}  // namespace

void add_cache(paths& into) {
    into.push_back({"cache_hit/hand_written", "", hit_by_hand});
    into.push_back({"cache_hit/recoup", "cache_hit/hand_written", hit});
    into.push_back({"cache_miss/recoup", "", miss});
}

}  // namespace bench::regression
