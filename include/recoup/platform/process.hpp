// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <csignal>
#include <cstdint>

#include <pthread.h>
#include <unistd.h>

namespace recoup::inline v1::platform {

/// The number of this process.
inline std::int64_t process_number() noexcept { return static_cast<std::int64_t>(::getpid()); }

/// Has functions called at each fork from now on: `before` it, and after it in the one and in the `child`. For who
/// holds a lock over it.
inline void at_fork(void (*before)(), void (*in_parent)(), void (*in_child)()) noexcept {
    ::pthread_atfork(before, in_parent, in_child);
}

/// Ends this process as a crash would: at once, without a destructor or a handler.
[[noreturn]] inline void kill_this_process() noexcept {
    ::kill(::getpid(), SIGKILL);
    // The signal may take a moment to arrive at this thread.
    while (true) ::pause();
}

}  // namespace recoup::inline v1::platform
