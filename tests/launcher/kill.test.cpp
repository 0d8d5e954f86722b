// SPDX-License-Identifier: BSL-1.0
// The launcher is killed again and again in the middle of one installation, and loses next to
// nothing each time.
#include "launcher/checkpointed_sink.hpp"

#include "installation.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

using launcher_tests::installation;

namespace {

constexpr std::uint64_t interval = 128 * 1024;
constexpr std::uint64_t bytes_per_second = 3'000'000;

// What a server counts as sent may still lie between it and the launcher when that dies: in the
// send buffer of 64 KiB, which the kernel doubles, and in the receive buffer, 128 KiB to begin with.
constexpr std::uint64_t under_way = 256 * 1024;

struct kills {
    int count;
    int milliseconds_max;    ///< between start and kill
    std::uint64_t lost_max;  ///< bytes of a file that one kill may cost
};

std::vector<std::string> with_interval(std::vector<std::string> command) {
    command.insert(command.end(), {"--checkpoint-bytes", std::to_string(interval)});
    return command;
}

/// Starts the launcher and kills it, `what.count` times; then lets it finish. Returns how many of
/// the kills came before its end.
int kill_often(installation const& site, kills const& what, std::uint64_t seed) {
    std::mt19937_64 random{seed};
    std::uniform_int_distribution<int> moment{20, what.milliseconds_max};
    int killed = 0;
    bool recorded = false;
    for (int i = 0; i < what.count; ++i) {
        // A run installs until one has come so far as to record it; all others resume that.
        recorded = recorded || site.recorded();
        support::child_process launcher{
            with_interval(recorded ? site.resume_command() : site.install_command()),
            site.folder() / "killed.out"};
        bool const ended = launcher.wait_for(std::chrono::milliseconds{moment(random)}).has_value();
        // Where the machine is too busy for that, the second half waits for it.
        if (2 * i >= what.count)
            REQUIRE(support::eventually(std::chrono::seconds{60}, [&] { return site.recorded(); }));
        INFO(support::read_text(site.folder() / "killed.out"));
        REQUIRE(!ended);
        launcher.send_signal(SIGKILL);
        REQUIRE(launcher.wait_for(std::chrono::seconds{10}) ==
                support::child_exit{.code = 0, .signal = SIGKILL});
        REQUIRE(site.none_damaged());
        ++killed;
    }
    return killed;
}

struct traffic {
    std::uint64_t bytes = 0;
    std::uint64_t requests = 0;
};

bool all_logged(installation const& site, std::vector<support::access> const& log) {
    std::map<std::string, std::uint64_t> sent;
    for (auto const& entry : log) sent[entry.path] += entry.bytes_sent;
    return std::all_of(site.models().begin(), site.models().end(),
                       [&](auto const& model) { return sent["/" + model.name] >= model.size; });
}

void check_cost(installation const& site, std::vector<support::access> const& log,
                kills const& what) {
    std::map<std::string, traffic> by_path;
    for (auto const& entry : log) {
        by_path[entry.path].bytes += entry.bytes_sent;
        ++by_path[entry.path].requests;
    }
    std::uint64_t twice = 0;
    for (auto const& model : site.models()) {
        traffic const& seen = by_path["/" + model.name];
        INFO(model.name << ": " << seen.bytes << " bytes in " << seen.requests << " requests");
        CHECK(seen.bytes >= model.size);
        CHECK(seen.requests <= static_cast<std::uint64_t>(what.count) + 1);
        // Every request but the last was cut short by a kill.
        CHECK(seen.bytes - model.size <= (seen.requests - 1) * what.lost_max);
        twice += seen.bytes - std::min(seen.bytes, model.size);
    }
    auto const times = static_cast<std::uint64_t>(what.count) * site.models().size();
    WARN(what.count << " kills of " << site.models().size() << " downloads each: " << twice / times
                    << " bytes fetched twice a kill and download, checkpoint interval "
                    << interval);
}

std::uint64_t fresh_seed() {
    std::uint64_t const seed = std::random_device{}();
    WARN("seed " << seed);
    return seed;
}

std::vector<support::model_file> models_of(std::uint64_t size) {
    return {{.name = "one.safetensors", .folder = "unet", .size = size},
            {.name = "two.safetensors", .folder = "unet", .size = size - 1},
            {.name = "three.safetensors", .folder = "vae", .size = size + 1}};
}

}  // namespace

TEST_CASE("an installation survives fifty kills, and each costs a checkpoint interval at most",
          "[launcher][kill]") {
    auto const seed = fresh_seed();
    kills const what{.count = 50, .milliseconds_max = 450, .lost_max = interval + under_way};
    installation site{models_of(bytes_per_second * 15), seed};
    auto const& server = site.serve({"--rate", std::to_string(bytes_per_second)});
    site.write_inputs();
    CHECK(kill_often(site, what, seed) == what.count);
    auto const last = site.run(with_interval(site.resume_command()));
    INFO(last.output);
    CHECK(last.code == 0);
    CHECK(site.all_right());
    for (auto const& file : site.status()) CHECK(file.at("resumed_at").get<std::uint64_t>() > 0);
    // The server writes its log after it has sent, and so after the launcher has ended.
    CHECK(support::eventually(std::chrono::seconds{10},
                              [&] { return all_logged(site, server.log()); }));
    check_cost(site, server.log(), what);
}
