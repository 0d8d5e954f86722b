// SPDX-License-Identifier: BSL-1.0
#include "support/child_process.hpp"

#include <cerrno>
#include <csignal>
#include <system_error>
#include <thread>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

extern char** environ;

namespace support {

namespace {

class spawn_actions {
  public:
    spawn_actions() { ::posix_spawn_file_actions_init(&actions_); }
    spawn_actions(spawn_actions const&) = delete;
    spawn_actions& operator=(spawn_actions const&) = delete;
    ~spawn_actions() { ::posix_spawn_file_actions_destroy(&actions_); }

    void redirect_output(std::filesystem::path const& to) {
        ::posix_spawn_file_actions_addopen(&actions_, STDOUT_FILENO, to.c_str(),
                                           O_WRONLY | O_CREAT | O_TRUNC, 0644);
        ::posix_spawn_file_actions_adddup2(&actions_, STDOUT_FILENO, STDERR_FILENO);
    }
    [[nodiscard]] posix_spawn_file_actions_t const* get() const noexcept { return &actions_; }

  private:
    posix_spawn_file_actions_t actions_{};
};

}  // namespace

child_process::child_process(std::vector<std::string> const& command,
                             std::filesystem::path const& output) {
    std::vector<char*> arguments;
    arguments.reserve(command.size() + 1);
    for (std::string const& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);

    spawn_actions actions;
    if (!output.empty()) actions.redirect_output(output);
    int const error =
        ::posix_spawn(&pid_, arguments[0], actions.get(), nullptr, arguments.data(), environ);
    if (error != 0)
        throw std::system_error(error, std::generic_category(), "starting " + command.front());
}

child_process::~child_process() {
    if (ended_) return;
    send_signal(SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {}
}

void child_process::send_signal(int signal) const noexcept {
    if (!ended_) ::kill(pid_, signal);
}

void child_process::freeze() {
    send_signal(SIGSTOP);
    siginfo_t what{};
    // An end is left for `wait_for` to take.
    while (::waitid(P_PID, static_cast<id_t>(pid_), &what, WSTOPPED | WEXITED | WNOWAIT) != 0)
        if (errno != EINTR)
            throw std::system_error(errno, std::generic_category(), "waiting for a child to stop");
    if (what.si_code != CLD_STOPPED)
        throw std::system_error(std::make_error_code(std::errc::no_such_process),
                                "stopping a child that has ended");
}

std::optional<child_exit> child_process::wait_for(std::chrono::milliseconds limit) {
    eventually(limit, [this] {
        if (ended_) return true;
        int status = 0;
        if (::waitpid(pid_, &status, WNOHANG) != pid_) return false;
        ended_ = WIFSIGNALED(status) ? child_exit{.code = 0, .signal = WTERMSIG(status)}
                                     : child_exit{.code = WEXITSTATUS(status), .signal = 0};
        return true;
    });
    return ended_;
}

void pause_between_looks() { std::this_thread::sleep_for(std::chrono::milliseconds{2}); }

}  // namespace support
