// SPDX-License-Identifier: BSL-1.0
// expect: recoup: the callable is a coroutine: include the header that adapts its return
#include <recoup/recoup.hpp>

#include <coroutine>

struct task {
    struct promise_type {
        task get_return_object() noexcept { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() noexcept {}
        void unhandled_exception() noexcept {}
    };
};

int plain(int);
task later(int);

auto const control = recoup::with_recovery(plain)(1);

#ifdef MISUSE
auto const misuse = recoup::with_recovery(later)(1);
#endif
