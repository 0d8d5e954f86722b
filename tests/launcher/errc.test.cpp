// SPDX-License-Identifier: BSL-1.0
#include "launcher/errc.hpp"

#include "launcher/failures.hpp"
#include "support/catch.hpp"
#include "support/text_file.hpp"

#include <cerrno>
#include <set>
#include <string>

#include <recoup/classify/curl.hpp>
#include <recoup/classify/http.hpp>
#include <recoup/store/store_errc.hpp>

using launcher::errc;
using launcher::exit_code_of;

TEST_CASE("exit codes are distinct, in order, and listed in --help and the README", "[launcher]") {
    std::string const readme = support::read_text(LAUNCHER_README);
    int last = 0;
    std::set<std::string_view> names;
    for (auto const& line : launcher::exit_codes()) {
        CHECK(static_cast<int>(line.code) > last);
        last = static_cast<int>(line.code);
        CHECK(names.insert(line.name).second);
        std::string const row = "| " + std::to_string(last) + " | " + std::string(line.name) +
                                " | " + std::string(line.meaning) + " |\n";
        CHECK_THAT(readme, Catch::Matchers::ContainsSubstring(row));
        CHECK_THAT(launcher::exit_code_table(),
                   Catch::Matchers::ContainsSubstring(std::string(line.meaning)));
        CHECK(make_error_code(line.code).message() == line.meaning);
    }
}

TEST_CASE("each kind of failure has its exit code", "[launcher]") {
    using recoup::category;
    auto const code = [](std::error_code error) {
        return exit_code_of(launcher::described(error, "text"));
    };
    CHECK(code(errc::wrong_range) == errc::wrong_range);
    CHECK(code(recoup::http_error(404)) == errc::not_served);
    CHECK(code(recoup::http_error(403)) == errc::not_served);
    CHECK(code(recoup::http_error(503)) == errc::download_failed);
    CHECK(code(recoup::curl_error(7)) == errc::download_failed);
    CHECK(code(recoup::store_errc::locked) == errc::state_locked);
    CHECK(code(recoup::store_errc::corrupt) == errc::state_unusable);
    CHECK(code(recoup::store_errc::full) == errc::disk_full);
    CHECK(exit_code_of(recoup::failure{category::cancelled}) == errc::interrupted);
    CHECK(launcher::from_errno(EROFS, errc::disk_failed) == errc::no_permission);
    CHECK(launcher::from_errno(ENOSPC, errc::disk_failed) == errc::disk_full);
    CHECK(launcher::from_errno(EIO, errc::disk_failed) == errc::disk_failed);
}

TEST_CASE("what trying again cannot cure is not tried again", "[launcher]") {
    for (errc const code : {errc::no_permission, errc::disk_full, errc::redirect_loop,
                            errc::not_served, errc::interrupted})
        CHECK(!recoup::worth_retrying(launcher::category_of(code)));
    for (errc const code : {errc::disk_failed, errc::download_failed})
        CHECK(recoup::worth_retrying(launcher::category_of(code)));
}
