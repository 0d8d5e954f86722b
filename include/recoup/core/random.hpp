// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/platform/time.hpp>

#include <cstdint>

namespace recoup::inline v1 {

/// A small, fast generator for jitter: not for secrets.
///
/// Source: splitmix64, Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators",
/// OOPSLA 2014.
class splitmix64 {
  public:
    explicit constexpr splitmix64(std::uint64_t seed) noexcept : state_{seed} {}

    constexpr std::uint64_t operator()() noexcept {
        auto mixed = (state_ += 0x9E3779B97F4A7C15ULL);
        mixed = (mixed ^ (mixed >> 30U)) * 0xBF58476D1CE4E5B9ULL;
        mixed = (mixed ^ (mixed >> 27U)) * 0x94D049BB133111EBULL;
        return mixed ^ (mixed >> 31U);
    }

  private:
    std::uint64_t state_;
};

namespace detail {

[[gnu::cold, gnu::noinline]] inline std::uint64_t random_seed() noexcept {
    std::uint64_t seed = 0;
    if (!platform::fill_random(&seed, sizeof seed)) {
        // Without entropy threads still differ: by where their stacks lie and when they start.
        auto const now = std::chrono::steady_clock::now().time_since_epoch().count();
        seed = static_cast<std::uint64_t>(now) ^ reinterpret_cast<std::uintptr_t>(&seed);
    }
    return seed;
}

/// A random number for jitter; the generator is seeded at a thread's first use.
inline std::uint64_t thread_random() noexcept {
    thread_local splitmix64 generator{random_seed()};
    return generator();
}

}  // namespace detail

}  // namespace recoup::inline v1
