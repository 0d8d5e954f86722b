// SPDX-License-Identifier: BSL-1.0
// The launcher against a server that we did not write.
#include "nginx_server.hpp"

#include "installation.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <string>
#include <vector>

using launcher_tests::installation;
using launcher_tests::nginx_server;
using namespace std::chrono_literals;

namespace {

bool skipped() {
    if (nginx_server::program()) return false;
    WARN("SKIPPED: nginx is not installed");
    return true;
}

std::vector<support::model_file> const models{
    {.name = "large.safetensors", .folder = "unet", .size = 12'000'000},
    {.name = "middle.safetensors", .folder = "unet", .size = 6'000'000},
    {.name = "small.safetensors", .folder = "vae", .size = 2'000'000}};

std::uint64_t part_size(installation const& site, support::model_file const& model) {
    std::error_code none;
    auto const size = std::filesystem::file_size(site.target(model).string() + ".part", none);
    return none ? 0 : size;
}

}  // namespace

TEST_CASE("the launcher installs from nginx", "[launcher][nginx]") {
    if (skipped()) return;
    installation site{models};
    nginx_server const server{site.files(), site.folder() / "nginx", 0};
    site.write_inputs({server.url()});
    auto const run = site.install();
    INFO(run.output);
    CHECK(run.code == 0);
    CHECK(site.all_right());
}

TEST_CASE("a launcher that was killed goes on with nginx where it was", "[launcher][nginx]") {
    if (skipped()) return;
    installation site{models};
    nginx_server const server{site.files(), site.folder() / "nginx", 3'000'000};
    site.write_inputs({server.url()});
    {
        support::child_process launcher{site.install_command(), site.folder() / "killed.out"};
        REQUIRE(support::eventually(20s, [&] { return part_size(site, models[0]) > 5'000'000; }));
        launcher.send_signal(SIGKILL);
        REQUIRE(launcher.wait_for(10s));
    }
    auto const part = part_size(site, models[0]);
    auto const resumed = site.resume();
    INFO(resumed.output);
    CHECK(resumed.code == 0);
    CHECK(site.all_right());
    auto const at = site.status().at(0).at("resumed_at").get<std::uint64_t>();
    CHECK(at > 3'000'000);
    CHECK(at <= part);

    auto const is_logged = [&] {
        auto const log = server.log();
        return std::any_of(log.begin(), log.end(), [&](support::access const& entry) {
            return entry.path == "/large.safetensors" && support::first_byte_asked(entry) == at;
        });
    };
    CHECK(support::eventually(10s, is_logged));
    bool asked = false;
    std::uint64_t sent = 0;
    for (auto const& entry : server.log()) {
        if (entry.path != "/large.safetensors") continue;
        sent += entry.bytes_sent;
        asked = asked || (support::first_byte_asked(entry) == at && entry.status == 206);
    }
    CHECK(asked);
    // One checkpoint interval of 1 MiB, and what was under way between the two.
    CHECK(sent - models[0].size < 2 * 1024 * 1024);
}

TEST_CASE("a file that changed on nginx meanwhile is fetched from the start", "[launcher][nginx]") {
    if (skipped()) return;
    installation site{{models[0]}};
    nginx_server const server{site.files(), site.folder() / "nginx", 3'000'000};
    site.write_inputs({server.url()});
    {
        support::child_process launcher{site.install_command(), site.folder() / "killed.out"};
        REQUIRE(support::eventually(20s, [&] { return part_size(site, models[0]) > 5'000'000; }));
        launcher.send_signal(SIGKILL);
        REQUIRE(launcher.wait_for(10s));
    }
    // The same bytes under another date, and so another ETag.
    auto const file = site.files() / models[0].name;
    std::filesystem::last_write_time(file, std::filesystem::last_write_time(file) + 24h);
    CHECK(site.resume().code == 0);
    CHECK(site.all_right());
    // The server writes its log after it has sent, and so after we have received.
    CHECK(support::eventually(10s, [&] { return server.log().back().status == 200; }));
    CHECK(server.log().back().bytes_sent == models[0].size);
}
