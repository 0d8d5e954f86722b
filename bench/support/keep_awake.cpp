// SPDX-License-Identifier: BSL-1.0
#include "support/keep_awake.hpp"

#include "support/machine.hpp"

#include <pthread.h>
#include <sched.h>

namespace bench {

keep_awake::keep_awake() {
    for (unsigned i = 0; i != processors(); ++i)
        threads_.emplace_back([this] {
            sched_param const least{};
            // Where it may not step back behind all others it must not run.
            if (pthread_setschedparam(pthread_self(), SCHED_IDLE, &least) != 0) return;
            while (!stop_.load(std::memory_order_relaxed))
                for (auto spin = 0; spin != 1'000; ++spin) asm volatile("" ::: "memory");
        });
}

}  // namespace bench
