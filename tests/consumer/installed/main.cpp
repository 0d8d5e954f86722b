// SPDX-License-Identifier: BSL-1.0
// A user's program: a retried call, and one that leaves its record in an SQLite file.
#include <recoup/recoup.hpp>
#include <recoup/store/sqlite_store.hpp>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>
#include <system_error>

using namespace std::chrono_literals;

namespace {

bool retried() {
    int calls = 0;
    auto const flaky = recoup::with_recovery(
        [&calls](int value) -> recoup::result<int> {
            if (++calls < 3) return std::make_error_code(std::errc::connection_reset);
            return value + 1;
        },
        recoup::retry{.max_attempts = 3, .backoff = recoup::constant(0ms)});
    auto const answer = flaky(41);
    return answer && answer.value() == 42 && calls == 3;
}

bool recorded(std::filesystem::path const& folder) {
    recoup::sqlite_store store{(folder / "records.db").string()};
    auto const broken = recoup::with_recovery(
        [](std::string const&) -> recoup::result<int> {
            return std::make_error_code(std::errc::connection_reset);
        },
        recoup::retry{.max_attempts = 2, .backoff = recoup::constant(0ms)},
        recoup::persist(store, "consumer", [](std::string const& key) { return key; }));
    auto const answer = broken("some key");
    return !answer && answer.error().attempts() == 2;
}

}  // namespace

int main() {
    auto text = (std::filesystem::temp_directory_path() / "recoup-consumer-XXXXXX").string();
    if (::mkdtemp(text.data()) == nullptr) return EXIT_FAILURE;
    std::filesystem::path const folder{text};
    bool const right = retried() && recorded(folder);
    std::filesystem::remove_all(folder);
    std::cout << (right ? "right\n" : "wrong\n");
    return right ? EXIT_SUCCESS : EXIT_FAILURE;
}
