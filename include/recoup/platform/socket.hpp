// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include <poll.h>
#include <unistd.h>

namespace recoup::inline v1::platform {

/// What a socket is waited for.
enum class socket_event { readable, writable, either };

/// Waits until `socket` is ready, has failed or was closed: true; or until `until`: false.
inline bool wait_for_socket(int socket, socket_event what, steady_time until) noexcept {
    struct ::pollfd one{};
    one.fd = socket;
    if (what != socket_event::writable) one.events = POLLIN;
    if (what != socket_event::readable) one.events = static_cast<short>(one.events | POLLOUT);
    while (true) {
        auto const now = std::chrono::time_point_cast<duration>(std::chrono::steady_clock::now());
        auto const left = saturating_between(now, until);
        // Rounded up, so that the last millisecond is not spent asking again and again.
        auto const wait = std::clamp<duration::rep>(left.count() / 1'000'000 + 1, 1, 3'600'000);
        auto const ready = ::poll(&one, 1, left.count() <= 0 ? 0 : static_cast<int>(wait));
        if (ready > 0 || (ready < 0 && errno != EINTR)) return true;
        if (left.count() <= 0) return false;
    }
}

/// Closes a descriptor without a word to the other side: for a child's copy of its parent's socket.
inline void close_silently(int socket) noexcept {
    if (socket >= 0) ::close(socket);
}

}  // namespace recoup::inline v1::platform
