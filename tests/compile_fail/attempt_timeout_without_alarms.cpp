// SPDX-License-Identifier: BSL-1.0
// expect: recoup: attempt_timeout needs a clock that has alarms: set(alarm&) and forget(alarm&)
#include <recoup/recoup.hpp>

#include <chrono>
#include <cstdint>
#include <stop_token>

int cooperates(recoup::attempt&);

struct plain_clock {
    recoup::steady_time now() const noexcept;
    recoup::steady_time coarse_now() const noexcept;
    recoup::system_time system_now() const noexcept;
    bool wait_until(recoup::steady_time, std::stop_token const&);
    std::uint64_t random() noexcept;
};

struct alarming_clock : plain_clock {
    void set(recoup::alarm&);
    void forget(recoup::alarm&) noexcept;
};

using namespace std::chrono_literals;

plain_clock plain;
alarming_clock alarming;
auto const control =
    recoup::with_recovery(cooperates, recoup::attempt_timeout{5s}, recoup::on(alarming))();

#ifdef MISUSE
auto const misuse =
    recoup::with_recovery(cooperates, recoup::attempt_timeout{5s}, recoup::on(plain))();
#endif
