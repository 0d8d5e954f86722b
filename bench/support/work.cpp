// SPDX-License-Identifier: BSL-1.0
#include "support/work.hpp"

#include <algorithm>

namespace bench {

namespace {

std::uint64_t chain(std::uint64_t steps) {
    std::uint64_t state = steps;
    for (std::uint64_t i = 0; i != steps; ++i)
        state = (state ^ (state >> 29U)) * 0xBF58476D1CE4E5B9ULL + i;
    return state;
}

}  // namespace

fixed_work::fixed_work(std::chrono::nanoseconds span) : steps_{1} {
    using clock = std::chrono::steady_clock;
    constexpr std::uint64_t probe = 200'000;
    std::uint64_t volatile sink = 0;
    auto best = std::chrono::nanoseconds::max();
    for (auto round = 0; round != 50; ++round) {
        auto const begin = clock::now();
        sink = chain(probe);
        best = std::min(best, std::chrono::nanoseconds{clock::now() - begin});
    }
    static_cast<void>(sink);
    auto const per_step = static_cast<double>(best.count()) / static_cast<double>(probe);
    steps_ = std::max<std::uint64_t>(
        1, static_cast<std::uint64_t>(static_cast<double>(span.count()) / per_step));
}

std::uint64_t fixed_work::operator()() const { return chain(steps_); }

}  // namespace bench
