// SPDX-License-Identifier: BSL-1.0
#include "launcher/progress_board.hpp"

#include "launcher/safe_path.hpp"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <string_view>

#include <sys/ioctl.h>
#include <unistd.h>

namespace launcher {

namespace {

using namespace std::chrono_literals;

constexpr auto redraw_every = 100ms;
constexpr double seconds_smoothed = 1.0;
constexpr std::size_t bar_cells = 20;
constexpr std::size_t name_columns = 28;
constexpr std::size_t columns_default = 80;

std::string_view to_string(phase what) noexcept {
    switch (what) {
        case phase::queued: return "queued";
        case phase::checking: return "checking what is there";
        case phase::downloading: return "";
        case phase::waiting: return "waiting";
        case phase::verifying: return "verifying the checksum";
        case phase::done: return "installed";
        case phase::failed: return "FAILED";
    }
    return "";
}

std::string formatted(char const* format, double value) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), format, value);
    return text.data();
}

/// Cuts at a boundary between UTF-8 characters; the middle goes, since the ends tell more.
std::string fitted(std::string const& text, std::size_t columns) {
    if (text.size() <= columns) return text + std::string(columns - text.size(), ' ');
    auto const continues = [&](std::size_t at) {
        return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0U) == 0x80;
    };
    std::size_t head = (columns - 1) / 2;
    while (head > 0 && continues(head)) --head;
    std::size_t tail = text.size() - (columns - 1 - head);
    while (continues(tail)) ++tail;
    return text.substr(0, head) + "~" + text.substr(tail);
}

std::string bar(std::uint64_t bytes, std::uint64_t size) {
    std::size_t const full =
        size == 0 ? bar_cells : static_cast<std::size_t>(std::min(bytes, size) * bar_cells / size);
    std::string text{'['};
    text.append(full, '#').append(bar_cells - full, '.');
    return text += ']';
}

std::size_t columns_of(std::FILE* out) noexcept {
    winsize size{};
    if (::ioctl(::fileno(out), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return columns_default;
    return size.ws_col;
}

}  // namespace

std::string human_bytes(double bytes) {
    constexpr std::array<char const*, 5> formats{"%.0f B", "%.1f kB", "%.1f MB", "%.1f GB",
                                                 "%.1f TB"};
    std::size_t step = 0;
    for (; bytes >= 1000 && step + 1 < formats.size(); ++step) bytes /= 1000;
    return formatted(formats[step], bytes);
}

std::string progress_line(file_progress const& file, double bytes_per_second,
                          std::chrono::steady_clock::time_point now, std::size_t columns) {
    double const share =
        file.size == 0 ? 100.0
                       : 100.0 * static_cast<double>(file.bytes) / static_cast<double>(file.size);
    std::string line = fitted(file.name, name_columns) + " " + bar(file.bytes, file.size) +
                       formatted(" %3.0f %%", share);
    if (file.phase == phase::downloading)
        line += "  " + human_bytes(bytes_per_second) + "/s";
    else
        line += "  " + std::string(to_string(file.phase));
    if (file.phase == phase::waiting) {
        std::chrono::duration<double> const left = std::max(file.due - now, 0ns);
        line += formatted(" %.1f s", left.count());
    }
    if (file.attempt > 1 && file.phase != phase::done)
        line += ", attempt " + std::to_string(file.attempt);
    if (!file.note.empty()) line += ", " + file.note;
    if (line.size() > columns) line = line.substr(0, columns);
    return line;
}

progress_board::progress_board(std::vector<file_progress> files, std::FILE* out)
    : out_(out), bars_(::isatty(::fileno(out)) == 1) {
    for (file_progress& file : files) {
        file.name = printable(file.name);
        files_.push_back({.progress = std::move(file)});
    }
    if (bars_) painter_ = std::jthread([this](std::stop_token const& stop) { draw_until(stop); });
}

progress_board::~progress_board() {
    if (!painter_.joinable()) return;
    painter_.request_stop();
    painter_.join();
    draw(0);
}

void progress_board::bytes(std::size_t file, std::uint64_t bytes) {
    std::lock_guard const lock{mutex_};
    shown_file& shown = files_.at(file);
    shown.progress.bytes = bytes;
    if (bars_ || shown.progress.size == 0) return;
    int const quarter = static_cast<int>(bytes * 4 / shown.progress.size);
    if (quarter > shown.quarter && quarter < 4) print(shown, std::to_string(25 * quarter) + " %");
    shown.quarter = quarter;
}

void progress_board::enter(std::size_t file, phase now, std::string note, std::string const& line) {
    std::lock_guard const lock{mutex_};
    shown_file& shown = files_.at(file);
    shown.progress.phase = now;
    shown.progress.note = printable(note);
    if (!bars_ && !line.empty()) print(shown, line);
}

void progress_board::attempt(std::size_t file, std::uint32_t number) {
    std::lock_guard const lock{mutex_};
    shown_file& shown = files_.at(file);
    shown.progress.attempt = number;
    shown.progress.phase = phase::checking;
    shown.progress.note.clear();
}

void progress_board::wait(std::size_t file, std::chrono::nanoseconds how_long, std::string note,
                          std::string const& line) {
    {
        std::lock_guard const lock{mutex_};
        files_.at(file).progress.due = clock::now() + how_long;
    }
    enter(file, phase::waiting, std::move(note), line);
}

void progress_board::print(shown_file const& file, std::string const& line) {
    std::chrono::duration<double> const at = clock::now() - began_;
    std::fprintf(out_, "%8.2f s  %s: %s\n", at.count(), file.progress.name.c_str(),
                 printable(line).c_str());
    std::fflush(out_);
}

void progress_board::draw_until(std::stop_token const& stop) {
    std::mutex mutex;
    std::condition_variable_any tick;
    auto last = clock::now();
    while (!stop.stop_requested()) {
        std::unique_lock lock{mutex};
        tick.wait_for(lock, stop, redraw_every, [] { return false; });
        auto const now = clock::now();
        draw(std::chrono::duration<double>(now - last).count());
        last = now;
    }
}

void progress_board::draw(double seconds_since_last) {
    std::lock_guard const lock{mutex_};
    std::size_t const columns = columns_of(out_);
    std::string picture;
    if (drawn_) picture += "\x1b[" + std::to_string(files_.size()) + "A";
    for (shown_file& file : files_) {
        std::uint64_t const bytes = file.progress.bytes;
        if (seconds_since_last > 0) {
            // Bytes may go back when a download starts over: that is no negative speed.
            double const gained =
                bytes > file.bytes_drawn ? static_cast<double>(bytes - file.bytes_drawn) : 0;
            double const weight = std::min(1.0, seconds_since_last / seconds_smoothed);
            file.speed += weight * (gained / seconds_since_last - file.speed);
        }
        file.bytes_drawn = bytes;
        picture +=
            "\r\x1b[K" + progress_line(file.progress, file.speed, clock::now(), columns - 1) + "\n";
    }
    std::fwrite(picture.data(), 1, picture.size(), out_);
    std::fflush(out_);
    drawn_ = true;
}

}  // namespace launcher
