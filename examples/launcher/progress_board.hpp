// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace launcher {

/// What a file is doing.
enum class phase : std::uint8_t { queued, checking, downloading, waiting, verifying, done, failed };

/// What is shown of one file.
struct file_progress {
    std::string name{};
    std::uint64_t size = 0;
    std::uint64_t bytes = 0;
    launcher::phase phase = launcher::phase::queued;
    std::uint32_t attempt = 0;
    std::string note{};                           ///< the mirror, or what it waits for
    std::chrono::steady_clock::time_point due{};  ///< with `waiting`: when it goes on
};

/// The bar, speed, attempt and note of a file, in at most `columns` columns.
[[nodiscard]] std::string progress_line(file_progress const& file, double bytes_per_second,
                                        std::chrono::steady_clock::time_point now,
                                        std::size_t columns);

/// "12.3 MB" and the like, in steps of 1000.
[[nodiscard]] std::string human_bytes(double bytes);

/// Shows how the files get on: redrawn bars on a terminal, else a line for whatever happens.
///
/// Thread safety: all members may be called concurrently.
class progress_board {
  public:
    /// Shows `files` on `out`; bars if it is a terminal.
    progress_board(std::vector<file_progress> files, std::FILE* out);
    progress_board(progress_board const&) = delete;
    progress_board& operator=(progress_board const&) = delete;
    ~progress_board();

    /// Notes where a file stands; called for every piece that arrives.
    void bytes(std::size_t file, std::uint64_t bytes);

    /// Notes what a file does now. `line` is printed where there are no bars.
    void enter(std::size_t file, phase now, std::string note, std::string const& line);

    /// As `enter`, for an attempt that begins.
    void attempt(std::size_t file, std::uint32_t number);

    /// As `enter`, for a wait of `how_long`.
    void wait(std::size_t file, std::chrono::nanoseconds how_long, std::string note,
              std::string const& line);

  private:
    using clock = std::chrono::steady_clock;

    struct shown_file {
        file_progress progress;
        std::uint64_t bytes_drawn = 0;  ///< as of the last drawing, for the speed
        double speed = 0;
        int quarter = 0;  ///< the last quarter of the file that a line was printed for
    };

    void draw_until(std::stop_token const& stop);
    void draw(double seconds_since_last);
    void print(shown_file const& file, std::string const& line);

    std::mutex mutex_;
    std::vector<shown_file> files_;
    std::FILE* out_;
    bool bars_;
    bool drawn_ = false;
    clock::time_point began_ = clock::now();
    std::jthread painter_;
};

}  // namespace launcher
