// SPDX-License-Identifier: BSL-1.0
// One test for each way in which a workflow, an index, a server or this machine can fail the
// launcher: one sentence, an exit code of its own, no damaged file, no lost record.
#include "launcher/errc.hpp"

#include "installation.hpp"
#include "support/catch.hpp"

#include <chrono>
#include <csignal>
#include <string>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

using launcher::errc;
using launcher_tests::installation;
using launcher_tests::run_result;

namespace {

support::model_file const small{.name = "small.safetensors", .folder = "vae", .size = 300'000};
support::model_file const other{.name = "other.ckpt", .folder = "unet", .size = 200'000};

/// Checks the exit code and that exactly one sentence was printed for the user.
void check_lie(run_result const& run, errc expected) {
    INFO(run.output);
    CHECK(run.code == static_cast<int>(expected));
    auto const first = run.output.find("launcher: ");
    REQUIRE(first != std::string::npos);
    CHECK(run.output.find("launcher: ", first + 1) == std::string::npos);
    CHECK(run.output.back() == '\n');
}

/// One model on one mirror that has this fault; the installation fails, then the mirror is good.
void check_mirror_lie(std::vector<std::string> const& options, errc expected) {
    installation site{{small}};
    site.serve(options);
    site.write_inputs();
    check_lie(site.install(), expected);
    CHECK(!std::filesystem::exists(site.target(small)));
    CHECK(site.status().at(0).at("state") == "failed");

    // The record is not lost: with an honest mirror the same installation succeeds.
    auto const& honest = site.serve();
    site.write_inputs({honest.url()});
    auto const again = site.install();
    INFO(again.output);
    CHECK(again.code == 0);
    CHECK(site.all_right());
    CHECK(site.status().at(0).at("state") == "installed");
}

}  // namespace

TEST_CASE("an honest mirror installs everything", "[launcher]") {
    installation site{{small, other}};
    site.serve();
    site.write_inputs();
    auto const run = site.install();
    INFO(run.output);
    CHECK(run.code == 0);
    CHECK(site.all_right());
    CHECK(site.resume().output == "everything is installed: there is nothing to resume\n");
    CHECK(!std::filesystem::exists(site.target(small).string() + ".part"));
}

TEST_CASE("a model that is there already is verified and not fetched", "[launcher]") {
    installation site{{small}};
    auto const& server = site.serve();
    site.write_inputs();
    REQUIRE(site.install().code == 0);
    REQUIRE(support::eventually(std::chrono::seconds{10}, [&] { return !server.log().empty(); }));
    auto const requests = server.log().size();
    CHECK(site.install().code == 0);
    CHECK(server.log().size() == requests);

    support::write_text(site.target(small), "damaged since");
    CHECK(site.install().code == 0);
    CHECK(site.all_right());
    std::filesystem::remove(site.target(small));
    CHECK(site.install().code == 0);
    CHECK(site.all_right());
}

TEST_CASE("a bad command line has an exit code of its own", "[launcher]") {
    installation const site{{}};
    CHECK(site.run({LAUNCHER, "install"}).code == static_cast<int>(errc::usage));
    CHECK(site.run({LAUNCHER, "fly"}).code == static_cast<int>(errc::usage));
    CHECK(site.run({LAUNCHER, "--help"}).code == 0);
}

TEST_CASE("a workflow that cannot be read is a lie", "[launcher]") {
    installation site{{small}};
    site.serve();
    site.write_inputs();
    std::filesystem::remove(site.workflow());
    check_lie(site.install(), errc::workflow_unreadable);
}

TEST_CASE("a workflow that is no JSON is a lie", "[launcher]") {
    installation site{{small}};
    site.serve();
    site.write_inputs();
    support::write_text(site.workflow(), R"({"nodes": [)");
    check_lie(site.install(), errc::workflow_malformed);
}

TEST_CASE("an index that cannot be read is a lie", "[launcher]") {
    installation site{{small}};
    site.serve();
    site.write_inputs();
    std::filesystem::remove(site.index());
    check_lie(site.install(), errc::index_unreadable);
}

TEST_CASE("an index that is no JSON is a lie", "[launcher]") {
    installation site{{small}};
    site.serve();
    site.write_inputs();
    support::write_text(site.index(), "{]");
    check_lie(site.install(), errc::index_malformed);
}

TEST_CASE("a model that the index does not have is a lie", "[launcher]") {
    installation site{{small, other}};
    site.serve();
    site.write_inputs();
    auto index = site.read_index();
    index["models"].erase(1);
    site.write_index(index);
    check_lie(site.install(), errc::model_not_in_index);
    CHECK(!std::filesystem::exists(site.into()));
}

TEST_CASE("a name that leaves the folder is a lie, in the workflow and in the index",
          "[launcher]") {
    installation site{{small}};
    site.serve();
    site.write_inputs();
    auto index = site.read_index();
    index["models"][0]["folder"] = "../..";
    site.write_index(index);
    check_lie(site.install(), errc::unsafe_path);

    site.write_inputs();
    auto escaping = small;
    escaping.name = "../../small.safetensors";
    support::write_text(site.workflow(), support::workflow_naming({escaping}));
    check_lie(site.install(), errc::unsafe_path);
    CHECK(!std::filesystem::exists(site.into()));
}

TEST_CASE("a mirror with a file of another size is a lie", "[launcher]") {
    check_mirror_lie({"--fault", "wrong-size=1"}, errc::wrong_size);
}

TEST_CASE("a mirror that sends another range is a lie", "[launcher]") {
    check_mirror_lie({"--fault", "wrong-range=1"}, errc::wrong_range);
}

TEST_CASE("a mirror that sends wrong bytes is a lie", "[launcher]") {
    check_mirror_lie({"--fault", "wrong-bytes=1"}, errc::wrong_bytes);
}

TEST_CASE("a mirror that redirects without end is a lie", "[launcher]") {
    check_mirror_lie({"--fault", "redirect-loop=1"}, errc::redirect_loop);
}

TEST_CASE("a mirror that does not have the file is a lie", "[launcher]") {
    check_mirror_lie({"--fault", "not-found=1"}, errc::not_served);
}

TEST_CASE("a mirror that is never available fails the download", "[launcher]") {
    check_mirror_lie({"--fault", "unavailable=1", "--retry-after", "0"}, errc::download_failed);
}

TEST_CASE("a mirror that only stalls fails the download", "[launcher]") {
    installation site{{small}};
    site.serve({"--fault", "stall=1", "--stall-for", "3"});
    site.write_inputs();
    check_lie(site.install({"--attempts", "1"}), errc::download_failed);
    CHECK(!std::filesystem::exists(site.target(small)));
}

TEST_CASE("lies of one mirror cost nothing but time while another is honest", "[launcher]") {
    for (std::string const fault : {"wrong-size=1", "wrong-range=1", "wrong-bytes=1",
                                    "redirect-loop=1", "not-found=1", "unavailable=1", "reset=1"}) {
        installation site{{small, other}};
        site.serve({"--fault", fault});
        site.serve();
        site.write_inputs();
        auto const run = site.install();
        INFO(fault << "\n" << run.output);
        CHECK(run.code == 0);
        CHECK(site.all_right());
    }
}

TEST_CASE("a model that fails does not keep the others from being installed", "[launcher]") {
    installation site{{small, other}};
    site.serve({"--fault", "not-found=1@/small.safetensors"});
    site.write_inputs();
    check_lie(site.install(), errc::not_served);
    CHECK(!std::filesystem::exists(site.target(small)));
    CHECK(std::filesystem::exists(site.target(other)));
    CHECK(site.none_damaged());
}

TEST_CASE("a disk that is too small is found before anything is fetched", "[launcher]") {
    installation site{{small}};
    auto const& server = site.serve();
    site.write_inputs();
    auto index = site.read_index();
    index["models"][0]["size"] = std::uint64_t{1} << 50U;
    site.write_index(index);
    check_lie(site.install(), errc::disk_full);
    CHECK(server.log().empty());
}

TEST_CASE("a disk that fills up on the way leaves nothing under a final name", "[launcher]") {
    installation site{{{.name = "big.safetensors", .folder = "", .size = 3'000'000}}};
    std::filesystem::create_directory(site.into());
    if (::mount("tmpfs", site.into().c_str(), "tmpfs", 0, "size=4m") != 0) {
        WARN("SKIPPED: a file system of 4 MB needs the right to mount one");
        return;
    }
    auto const& server = site.serve({"--rate", "1000000"});
    site.write_inputs();
    support::child_process launcher{site.install_command(), site.folder() / "out"};
    // The free space passes the check, then somebody else takes it; what was reserved stays ours.
    REQUIRE(support::eventually(std::chrono::seconds{10}, [&] {
        return std::filesystem::exists(site.target(site.models()[0]).string() + ".part");
    }));
    int const hog = ::open((site.into() / "hog").c_str(), O_WRONLY | O_CREAT, 0600);
    std::string const block(65536, 'x');
    while (::write(hog, block.data(), block.size()) > 0) {}
    ::close(hog);
    auto const ended = launcher.wait_for(std::chrono::seconds{30});
    INFO(support::read_text(site.folder() / "out"));
    REQUIRE(ended);
    bool const full = ended->code == static_cast<int>(errc::disk_full);
    CHECK((full || ended->code == 0));
    CHECK(site.none_damaged());
    CHECK(std::filesystem::exists(site.target(site.models()[0])) == !full);
    std::filesystem::remove(site.into() / "hog");
    CHECK(site.install().code == 0);
    CHECK(site.all_right());
    CHECK(support::eventually(std::chrono::seconds{10}, [&] { return !server.log().empty(); }));
    ::umount(site.into().c_str());
}

TEST_CASE("a folder that may not be written is a lie", "[launcher]") {
    installation site{{small}};
    site.serve();
    site.write_inputs();
    if (::geteuid() != 0) {
        std::filesystem::create_directory(site.into());
        ::chmod(site.into().c_str(), 0500);
        check_lie(site.install(), errc::no_permission);
        ::chmod(site.into().c_str(), 0700);
        return;
    }
    // Root may write anywhere, but not through a link in the place of the unfinished file.
    std::filesystem::create_directories(site.target(small).parent_path());
    std::filesystem::create_symlink("/etc/nowhere", site.target(small).string() + ".part");
    check_lie(site.install(), errc::no_permission);
    CHECK(!std::filesystem::exists("/etc/nowhere"));
}

TEST_CASE("a state file that another launcher uses is a lie", "[launcher]") {
    installation site{{small}};
    site.serve({"--rate", "100000"});
    site.write_inputs();
    support::child_process first{site.install_command(), site.folder() / "first.out"};
    REQUIRE(support::eventually(std::chrono::seconds{10}, [&] {
        return std::filesystem::exists(site.target(small).string() + ".part");
    }));
    check_lie(site.install(), errc::state_locked);
    check_lie(site.resume(), errc::state_locked);
    CHECK(site.status().at(0).at("state") == "unfinished");  // looking is allowed
    CHECK(first.wait_for(std::chrono::seconds{30}) == support::child_exit{});
    CHECK(site.all_right());
}

TEST_CASE("a model that another launcher is downloading is a lie", "[launcher]") {
    installation site{{small}};
    site.serve({"--rate", "100000"});
    site.write_inputs();
    support::child_process first{site.install_command(), site.folder() / "first.out"};
    REQUIRE(support::eventually(std::chrono::seconds{10}, [&] {
        return std::filesystem::exists(site.target(small).string() + ".part");
    }));
    auto const other_state = (site.folder() / "other-state" / "l.db").string();
    check_lie(site.install({"--attempts", "1", "--state", other_state}), errc::state_locked);
    CHECK(first.wait_for(std::chrono::seconds{30}) == support::child_exit{});
    CHECK(site.all_right());
}

TEST_CASE("a state file that is none is a lie", "[launcher]") {
    installation site{{small}};
    site.serve();
    site.write_inputs();
    std::filesystem::create_directories(site.state().parent_path());
    std::filesystem::permissions(site.state().parent_path(), std::filesystem::perms::owner_all);
    support::write_text(site.state(), "this is no database, whatever its name may say");
    std::filesystem::permissions(
        site.state(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    check_lie(site.install(), errc::state_unusable);
    CHECK(support::read_text(site.state()) == "this is no database, whatever its name may say");
}

TEST_CASE("resume and status without a record are a lie", "[launcher]") {
    installation site{{small}};
    check_lie(site.run(site.status_command()), errc::nothing_recorded);
    check_lie(site.resume(), errc::nothing_recorded);
}

TEST_CASE("a signal stops the launcher politely, and resume goes on", "[launcher]") {
    installation site{{{.name = "m.safetensors", .folder = "", .size = 3'000'000}}};
    site.serve({"--rate", "1500000"});
    site.write_inputs();
    support::child_process launcher{site.install_command(), site.folder() / "out"};
    auto const part = std::filesystem::path{site.target(site.models()[0]).string() + ".part"};
    REQUIRE(support::eventually(std::chrono::seconds{10}, [&] {
        std::error_code none;
        auto const size = std::filesystem::file_size(part, none);
        return !none && size > 500'000;
    }));
    launcher.send_signal(SIGTERM);
    auto const ended = launcher.wait_for(std::chrono::seconds{10});
    INFO(support::read_text(site.folder() / "out"));
    REQUIRE(ended);
    CHECK(ended->code == static_cast<int>(errc::interrupted));
    auto const resumed = site.resume();
    INFO(resumed.output);
    CHECK(resumed.code == 0);
    CHECK(site.all_right());
    CHECK(site.status().at(0).at("resumed_at").get<std::uint64_t>() > 500'000);
}
