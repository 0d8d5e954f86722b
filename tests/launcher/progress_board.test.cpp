// SPDX-License-Identifier: BSL-1.0
#include "launcher/progress_board.hpp"

#include "support/catch.hpp"
#include "support/temporary_folder.hpp"
#include "support/text_file.hpp"

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>

using launcher::file_progress;
using launcher::human_bytes;
using launcher::phase;
using launcher::progress_line;
using namespace std::chrono_literals;

namespace {

std::chrono::steady_clock::time_point const now{1h};

}  // namespace

TEST_CASE("a bar shows share, speed, attempt and mirror", "[launcher]") {
    CHECK(progress_line({.name = "stage_b.safetensors",
                         .size = 200,
                         .bytes = 90,
                         .phase = phase::downloading,
                         .attempt = 3,
                         .note = "127.0.0.1:80"},
                        12'345'678, now, 120) ==
          "stage_b.safetensors          [#########...........]  45 %  12.3 MB/s, attempt 3, "
          "127.0.0.1:80");
}

TEST_CASE("a bar says what its file waits for, and for how long", "[launcher]") {
    CHECK(
        progress_line({.name = "a",
                       .size = 100,
                       .bytes = 100,
                       .phase = phase::waiting,
                       .attempt = 2,
                       .note = "503",
                       .due = now + 1500ms},
                      0, now, 120) ==
        "a                            [####################] 100 %  waiting 1.5 s, attempt 2, 503");
}

TEST_CASE("a bar never exceeds its columns, and an empty file is complete", "[launcher]") {
    file_progress const file{.name = std::string(60, 'n'), .note = std::string(200, 'x')};
    CHECK(progress_line(file, 0, now, 79).size() == 79);
    CHECK_THAT(progress_line(file, 0, now, 79), Catch::Matchers::ContainsSubstring("100 %"));
}

TEST_CASE("bytes are shown in units of 1000", "[launcher]") {
    CHECK(human_bytes(0) == "0 B");
    CHECK(human_bytes(999) == "999 B");
    CHECK(human_bytes(1000) == "1.0 kB");
    CHECK(human_bytes(12'345'678) == "12.3 MB");
    CHECK(human_bytes(5e15) == "5000.0 TB");
}

TEST_CASE("without a terminal there is a line for each event and each quarter", "[launcher]") {
    support::temporary_folder const folder{"board"};
    auto const path = folder.path() / "out";
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> const out{std::fopen(path.c_str(), "w"),
                                                              &std::fclose};
    {
        launcher::progress_board board{{{.name = "a\x1b.bin", .size = 100}}, out.get()};
        board.attempt(0, 1);
        board.enter(0, phase::downloading, "host", "from host");
        for (std::uint64_t bytes : {10U, 24U, 25U, 49U, 80U, 100U}) board.bytes(0, bytes);
        board.wait(0, 1s, "reset", "reset; again in 1 s");
        board.enter(0, phase::done, {}, {});
    }
    std::string text = support::read_text(path);
    std::string lines;
    while (!text.empty()) {  // without the time, which differs
        auto const end = text.find('\n');
        lines += text.substr(text.find("  a") + 2, end - text.find("  a") - 1);
        text.erase(0, end + 1);
    }
    CHECK(lines ==
          "a\\x1b.bin: from host\na\\x1b.bin: 25 %\na\\x1b.bin: 75 %\na\\x1b.bin: reset; again in "
          "1 s\n");
}
