// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace support {

/// How a child ended: by itself with a code, or by a signal.
struct child_exit {
    int code = 0;    ///< meaningful where `signal` is 0
    int signal = 0;  ///< the signal that ended it, else 0

    friend bool operator==(child_exit const&, child_exit const&) = default;
};

/// One child process. Its destructor kills what still runs, so that no test leaves one behind.
class child_process {
  public:
    /// Starts `command` (the program's path first). Standard output and standard error go to the
    /// file `output` where one is given. Throws: std::system_error.
    explicit child_process(std::vector<std::string> const& command,
                           std::filesystem::path const& output = {});
    child_process(child_process const&) = delete;
    child_process& operator=(child_process const&) = delete;
    ~child_process();

    void send_signal(int signal) const noexcept;

    /// Freezes the child (SIGSTOP), and returns when all its threads stand still; SIGCONT thaws it.
    /// Throws: std::system_error, where it has ended.
    void freeze();

    /// Waits until the child ends, at most `limit`; nothing when it still runs then.
    std::optional<child_exit> wait_for(std::chrono::milliseconds limit);

    [[nodiscard]] bool running() { return !wait_for(std::chrono::milliseconds{0}); }

  private:
    pid_t pid_ = -1;
    std::optional<child_exit> ended_;
};

/// Sleeps for the pause between two looks of `eventually`.
void pause_between_looks();

/// Waits until `ready()` holds, looking every few milliseconds; false when `limit` went by.
template <class Predicate>
bool eventually(std::chrono::milliseconds limit, Predicate ready) {
    auto const give_up = std::chrono::steady_clock::now() + limit;
    while (!ready()) {
        if (std::chrono::steady_clock::now() >= give_up) return false;
        pause_between_looks();
    }
    return true;
}

}  // namespace support
