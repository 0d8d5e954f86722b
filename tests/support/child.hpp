// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <optional>
#include <stdexcept>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace recoup_test {

/// A child process that does `body(report)` and ends with what that returns; killed at the end of the
/// test. `report` is the end of a pipe that is written to.
class child {
  public:
    explicit child(std::function<int(int report)> const& body) {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error{"no pipe"};
        pid_ = ::fork();
        if (pid_ == 0) {
            ::close(ends[0]);
            int code = 99;
            try {
                code = body(ends[1]);
            } catch (std::exception const& why) {
                std::fprintf(stderr, "a child process: %s\n", why.what());
            } catch (...) {}
            ::_exit(code);
        }
        ::close(ends[1]);
        reports_ = ends[0];
    }
    child(child const&) = delete;
    child& operator=(child const&) = delete;
    ~child() {
        kill();
        ::close(reports_);
    }

    /// The next report, or nothing when the child has ended and all were read.
    std::optional<std::uint64_t> next() {
        std::uint64_t number = 0;
        auto got = ::read(reports_, &number, sizeof number);
        while (got < 0 && errno == EINTR) got = ::read(reports_, &number, sizeof number);
        if (got != sizeof number) return std::nullopt;
        return number;
    }
    void kill() {
        if (pid_ > 0) ::kill(pid_, SIGKILL);
        wait();
    }
    int wait() {
        int status = 0;
        if (pid_ > 0) ::waitpid(pid_, &status, 0);
        pid_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }
    /// Whether it has ended, without waiting.
    [[nodiscard]] bool ended() const {
        ::siginfo_t how{};
        return ::waitid(P_PID, static_cast<id_t>(pid_), &how, WEXITED | WNOHANG | WNOWAIT) != 0 ||
               how.si_pid != 0;
    }
    [[nodiscard]] pid_t pid() const { return pid_; }

  private:
    pid_t pid_ = -1;
    int reports_ = -1;
};

}  // namespace recoup_test
