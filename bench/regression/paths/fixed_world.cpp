// SPDX-License-Identifier: BSL-1.0
// The clocks and the entropy of this program, in place of the C library's: the library under test, the standard
// library and Boost all ask these, and get the same answers in each run.
#include <cstddef>
#include <cstdint>

#include <sys/types.h>
#include <time.h>

extern "C" int clock_gettime(clockid_t /*which*/, timespec* to) noexcept {
    constexpr std::int64_t second = 1'000'000'000;
    constexpr std::int64_t step = 100;                 // nanoseconds that pass between two looks
    static std::int64_t now = 1'767'225'600 * second;  // 2026-01-01, midnight UTC
    now += step;
    to->tv_sec = now / second;
    to->tv_nsec = now % second;
    return 0;
}

// Declared here alone: C libraries differ in whether it is noexcept.
extern "C" ssize_t getrandom(void* to, std::size_t size, unsigned /*flags*/) noexcept {
    static std::uint64_t state = 1;
    auto* const bytes = static_cast<unsigned char*>(to);
    for (std::size_t i = 0; i != size; ++i) {
        state = state * 6'364'136'223'846'793'005U + 1'442'695'040'888'963'407U;
        bytes[i] = static_cast<unsigned char>(state >> 56U);
    }
    return static_cast<ssize_t>(size);
}
