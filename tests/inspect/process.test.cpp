// SPDX-License-Identifier: BSL-1.0
// The program itself, beside an owner that is a process of its own.
#include "support/catch.hpp"

#include "support/child_process.hpp"
#include "support/temporary_folder.hpp"

#include <recoup/durable.hpp>
#include <recoup/store/detail/request_box.hpp>
#include <recoup/store/journal_store.hpp>
#include <recoup/store/sqlite_store.hpp>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include <sys/stat.h>
#include <nlohmann/json.hpp>

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using nlohmann::json;

std::string text_of(fs::path const& path) {
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}

/// What the program printed, and how it ended.
struct run {
    int code = -1;
    std::string text{};

    [[nodiscard]] json parsed() const { return json::parse(text); }
};

class place {
  public:
    /// A store that `kind` owns until the end of the test; `deaf`: it does not look for requests.
    explicit place(std::string kind, bool deaf = false) : kind_{std::move(kind)} {
        fs::permissions(folder_.path(), fs::perms::owner_all);
        start(deaf);
    }
    /// No owner, and no store yet.
    place() { fs::permissions(folder_.path(), fs::perms::owner_all); }

    void start(bool deaf = false) {
        fs::remove(path() + ".ready");
        std::vector<std::string> command{INSPECT_OWNER, kind_, path()};
        if (deaf) command.emplace_back("deaf");
        owner_ = std::make_unique<support::child_process>(command, folder_.path() / "owner.txt");
        auto const ready = support::eventually(30s, [&] { return fs::exists(path() + ".ready"); });
        INFO(text_of(folder_.path() / "owner.txt"));
        REQUIRE(ready);
    }
    void end(int signal = SIGTERM) {
        owner_->send_signal(signal);
        REQUIRE(owner_->wait_for(30s));
    }
    [[nodiscard]] bool owner_runs() { return owner_->running(); }
    void freeze() { owner_->freeze(); }
    void thaw() { owner_->send_signal(SIGCONT); }

    run inspect(std::vector<std::string> const& arguments) {
        std::vector<std::string> command{RECOUP_INSPECT,
                                         kind_ == "postgres" ? "postgresql://" : path()};
        command.insert(command.end(), arguments.begin(), arguments.end());
        auto const output = folder_.path() / "output.txt";
        support::child_process program{command, output};
        auto const ended = program.wait_for(60s);
        REQUIRE(ended);
        REQUIRE(ended->signal == 0);
        return {ended->code, text_of(output)};
    }

    [[nodiscard]] std::string path() const { return (folder_.path() / "store").string(); }
    [[nodiscard]] fs::path folder() const { return folder_.path(); }

    /// The status of an operation, as `show --json` says.
    std::string status(std::string const& name, std::string const& key) {
        auto const shown = inspect({"show", name, key, "--json"});
        REQUIRE(shown.code == 0);
        return shown.parsed().at("operation").at("status");
    }

  private:
    std::string kind_ = "journal";
    support::temporary_folder folder_{"recoup-inspect"};
    std::unique_ptr<support::child_process> owner_;
};

std::vector<std::string> kinds() {
    if constexpr (recoup::durable_store<recoup::sqlite_store>) return {"journal", "sqlite"};
    return {"journal"};
}

/// Each file of the store: how large, when changed, and what is in it.
std::string fingerprint(std::string const& path, std::vector<std::string> const& suffixes) {
    std::string all;
    for (auto const& suffix : suffixes) {
        struct ::stat seen{};
        if (::stat((path + suffix).c_str(), &seen) != 0) {
            all += suffix + " is not there\n";
            continue;
        }
        all += suffix + " " + std::to_string(seen.st_size) + " " +
               std::to_string(seen.st_mtim.tv_sec) + "." + std::to_string(seen.st_mtim.tv_nsec) +
               " " + std::to_string(recoup::detail::crc32c(text_of(path + suffix))) + "\n";
    }
    return all;
}

/// What every kind of store shows of what the owner keeps in it; `listed`: the answer to a `list --json`.
template <class Json>
void check_content(place& here, Json const& listed) {
    std::vector<std::string> names;
    for (auto const& each : listed.at("entries")) names.push_back(each.at("name"));
    std::sort(names.begin(), names.end());
    CHECK(names == std::vector<std::string>{"copy", "copy-broken", "parse", "tick"});
    auto const shown = here.inspect({"show", "copy", "running", "--json"}).parsed();
    CHECK(shown.at("operation").at("progress") == "waiting for the second file");
    CHECK(shown.at("operation").at("steps").at(0).at("value").at("value") == "two files");
}

TEST_CASE("Beside a live owner everything can be read, and the owner goes on") {
    auto const kind = GENERATE(from_range(kinds()));
    INFO(kind);
    place here{kind};
    auto const list = here.inspect({"list", "--json"});
    REQUIRE(list.code == 0);
    auto const read = list.parsed();
    CHECK(read.at("store").at("kind") == kind);
    CHECK(read.at("store").at("owner").at("program") == "inspect_owner");
    check_content(here, read);

    auto const count = [&] {
        return here.inspect({"show", "tick", "count", "--json"})
            .parsed()
            .at("call")
            .at("checkpoint")
            .at("value")
            .get<std::uint64_t>();
    };
    auto const before = count();
    CHECK(support::eventually(30s, [&] { return count() > before; }));
    CHECK(here.inspect({"verify"}).code == 0);
    CHECK(here.owner_runs());
}

TEST_CASE("A live owner is asked, does it, and the file has no other writer") {
    auto const kind = GENERATE(from_range(kinds()));
    INFO(kind);
    place here{kind};
    auto const cancelled = here.inspect({"cancel", "copy", "running", "--wait", "30s"});
    INFO(cancelled.text);
    CHECK(cancelled.code == 0);
    CHECK(cancelled.text.find("taken by the owner, process ") != std::string::npos);
    CHECK(support::eventually(30s, [&] { return here.status("copy", "running") == "cancelled"; }));

    std::ofstream{here.path() + ".mended"} << "now";
    auto const retried =
        here.inspect({"retry", "copy-broken", "broken", "--wait", "30s", "--json"});
    CHECK(retried.code == 0);
    CHECK(retried.parsed().at("outcome") == "taken");
    CHECK(support::eventually(30s,
                              [&] { return here.status("copy-broken", "broken") == "succeeded"; }));

    CHECK(here.inspect({"accept", "parse", "old", "2", "--wait", "30s"}).code == 0);
    CHECK(support::eventually(30s, [&] { return here.status("parse", "old") == "succeeded"; }));
    CHECK(fs::is_empty(here.path() + ".requests"));
    CHECK(here.owner_runs());
}

TEST_CASE("A request that the owner does not take waits, and the program says so") {
    auto const kind = GENERATE(from_range(kinds()));
    INFO(kind);
    place here{kind, /*deaf=*/true};
    auto const asked = here.inspect({"cancel", "copy", "running", "--wait", "100ms"});
    CHECK(asked.code == 6);
    CHECK(asked.text.find("not taken yet by the owner") != std::string::npos);
    CHECK_FALSE(fs::is_empty(here.path() + ".requests"));
    // Whoever owns the store next does it first.
    here.end(SIGKILL);
    auto const retried = here.inspect({"retry", "copy-broken", "broken"});
    CHECK(retried.code == 0);
    CHECK(fs::is_empty(here.path() + ".requests"));
    auto const after = here.inspect({"show", "copy", "running", "--json"}).parsed();
    CHECK(after.at("operation").at("cancel_requested") == true);
}

TEST_CASE("An owner that ends while it is asked leaves the request to the one who asks") {
    place here{"journal", /*deaf=*/true};
    auto const output = here.folder() / "asking.txt";
    support::child_process asking{
        {RECOUP_INSPECT, here.path(), "cancel", "copy", "running", "--wait", "60s"}, output};
    REQUIRE(support::eventually(30s, [&] {
        return fs::exists(here.path() + ".requests") && !fs::is_empty(here.path() + ".requests");
    }));
    here.end(SIGKILL);
    auto const ended = asking.wait_for(30s);
    REQUIRE(ended);
    INFO(text_of(output));
    CHECK(ended->code == 0);
    CHECK(text_of(output).find("done here, since its owner has ended") != std::string::npos);
    CHECK(fs::is_empty(here.path() + ".requests"));
}

TEST_CASE("Where nobody owns the file the program does it by itself, and says so") {
    auto const kind = GENERATE(from_range(kinds()));
    INFO(kind);
    place here{kind};
    here.end(SIGKILL);
    auto const list = here.inspect({"list"});
    CHECK(list.text.find("nobody owns it") != std::string::npos);
    CHECK(list.text.find("left behind") != std::string::npos);
    auto const retried = here.inspect({"retry", "copy-broken", "broken"});
    CHECK(retried.code == 0);
    CHECK(retried.text ==
          "retry copy-broken broken: done here, since nobody owns the store; it is "
          "pending\n");
    CHECK(here.status("copy-broken", "broken") == "pending");
    auto const accepted = here.inspect({"accept", "parse", "old", "3"});
    CHECK(accepted.code == 0);
    auto const shown = here.inspect({"show", "parse", "old", "--json"}).parsed();
    CHECK(shown.at("operation").at("version") == "3");
}

TEST_CASE("Reading changes no byte and no time of a file that nobody else changes") {
    auto const kind = GENERATE(from_range(kinds()));
    INFO(kind);
    place here{kind};
    auto const suffixes =
        kind == "sqlite"
            ? std::vector<std::string>{"", "-wal", "-journal", ".lock", ".requests"}
            : std::vector<std::string>{"", ".live-a", ".live-b", ".slots", ".lock", ".requests"};
    auto const read_all = [&] {
        CHECK(here.inspect({"list"}).code == 0);
        CHECK(here.inspect({"show", "copy", "running"}).code == 0);
        CHECK(here.inspect({"verify"}).code == 0);
    };
    SECTION("beside an owner that stands still") {
        here.freeze();
        auto const before = fingerprint(here.path(), suffixes);
        read_all();
        CHECK(fingerprint(here.path(), suffixes) == before);
        here.thaw();
        CHECK(here.owner_runs());
    }
    SECTION("after an owner that was killed") {
        here.end(SIGKILL);
        auto const before = fingerprint(here.path(), suffixes);
        read_all();
        CHECK(fingerprint(here.path(), suffixes) == before);
    }
    SECTION("after an owner that ended in order: no file is left behind either") {
        here.end();
        auto const names = [&] {
            std::vector<std::string> all;
            for (auto const& each : fs::directory_iterator{here.folder()})
                if (each.path().filename() != "output.txt") all.push_back(each.path().filename());
            std::sort(all.begin(), all.end());
            return all;
        };
        auto const before = fingerprint(here.path(), suffixes);
        auto const names_before = names();
        read_all();
        CHECK(fingerprint(here.path(), suffixes) == before);
        CHECK(names() == names_before);
    }
}

TEST_CASE("Only an owner cleans, and who is refused does not take the owner's name away") {
    place here{"journal"};
    auto const refused = here.inspect({"clean"});
    CHECK(refused.code == 7);
    auto const owner = here.inspect({"list", "--json"}).parsed().at("store").at("owner");
    REQUIRE(owner.is_object());
    CHECK(owner.at("program") == "inspect_owner");
    here.end();
    CHECK(here.inspect({"clean", "--older-than", "0"}).code == 0);
    auto const left = here.inspect({"list", "--json"}).parsed().at("entries");
    for (auto const& each : left) CHECK(each.at("status") != "failed");
}

TEST_CASE("A box that others could write to is used by nobody") {
    place here{"journal", /*deaf=*/true};
    auto const box = here.path() + ".requests";
    SECTION("a link") {
        fs::create_directory(here.folder() / "elsewhere");
        fs::create_directory_symlink(here.folder() / "elsewhere", box);
    }
    SECTION("an open mode") {
        fs::create_directory(box);
        fs::permissions(box, fs::perms::all);
    }
    auto const asked = here.inspect({"cancel", "copy", "running", "--wait", "0"});
    CHECK(asked.code == 3);
    CHECK(asked.text.find("0700") != std::string::npos);
    CHECK(fs::is_empty(box));
}

#if defined(INSPECT_POSTGRES)
// Run by hand with `with_postgres inspect_test "[postgres]"`, and so by ctest.
TEST_CASE("What processes share on PostgreSQL is read and changed beside who works on it",
          "[.][postgres]") {
    auto const* const is_private = std::getenv("RECOUP_PRIVATE_POSTGRES");
    REQUIRE(is_private != nullptr);
    place here{"postgres"};
    auto const list = here.inspect({"list", "--json"});
    INFO(list.text);
    REQUIRE(list.code == 0);
    auto const read = list.parsed();
    auto const& store = read.at("store");
    CHECK(store.at("kind") == "postgres");
    CHECK(store.at("shared") == true);
    CHECK(store.at("owner").is_null());
    CHECK(store.at("location").get<std::string>().find(std::getenv("PGPASSWORD")) ==
          std::string::npos);
    check_content(here, read);
    CHECK(here.inspect({"verify"}).code == 0);

    auto const cancelled = here.inspect({"cancel", "copy", "running"});
    INFO(cancelled.text);
    CHECK(cancelled.code == 0);
    CHECK(support::eventually(30s, [&] { return here.status("copy", "running") == "cancelled"; }));
    std::ofstream{here.path() + ".mended"} << "now";
    CHECK(here.inspect({"retry", "copy-broken", "broken"}).code == 0);
    CHECK(support::eventually(30s,
                              [&] { return here.status("copy-broken", "broken") == "succeeded"; }));
    CHECK(here.inspect({"accept", "parse", "old", "2"}).code == 0);
    CHECK(support::eventually(30s, [&] { return here.status("parse", "old") == "succeeded"; }));
    CHECK(here.owner_runs());

    here.end();
    CHECK(here.inspect({"clean", "--older-than", "0"}).code == 0);
    CHECK(here.inspect({"show", "copy", "nothing"}).code == 1);
}
#endif

TEST_CASE("Each way to end has an exit code of its own") {
    place here{"journal"};
    CHECK(here.inspect({"show", "copy", "nothing"}).code == 1);
    CHECK(here.inspect({"cancel", "copy", "nothing"}).code == 1);
    CHECK(here.inspect({"list", "--status", "sleepy"}).code == 2);
    CHECK(here.inspect({"cancel", "copy", "running", "--wait", "soon"}).code == 2);
    CHECK(here.inspect({"paint"}).code == 2);
    CHECK(here.inspect({"retry", "copy", "running", "--wait", "30s"}).code ==
          5);  // it is asleep, not left
    CHECK(here.inspect({"accept", "copy", "running", "2"}).code == 5);
    CHECK(here.inspect({"cancel", "copy-broken", "broken"}).code == 5);
    CHECK(here.inspect({"cancel", "tick", "count"}).code == 5);
    CHECK(here.inspect({"--help"}).code == 0);
    for (auto const* command : {"list", "show", "retry", "cancel", "accept", "clean", "verify"})
        CHECK(here.inspect({command, "--help"}).code == 0);
}

TEST_CASE("What is no store is told from one that is not there") {
    place here;
    CHECK(here.inspect({"list"}).code == 1);
    std::ofstream{here.path()} << "hello, I am a diary and no store at all";
    fs::permissions(here.path(), fs::perms::owner_read | fs::perms::owner_write);
    auto const foreign = here.inspect({"list"});
    CHECK(foreign.code == 3);
    CHECK(foreign.text.find("of another kind") != std::string::npos);
    std::ofstream{here.path(), std::ios::trunc};
    CHECK(here.inspect({"list"}).code == 3);
}

TEST_CASE("Damage is found, named, and told by the exit code") {
    place here{"journal"};
    here.end();
    REQUIRE(here.inspect({"verify"}).code == 0);
    auto const at = text_of(here.path()).find("waiting for the second file");
    REQUIRE(at != std::string::npos);
    for (auto const* suffix : {"", ".live-a", ".live-b"}) {
        if (!fs::exists(here.path() + suffix)) continue;
        std::fstream file{here.path() + suffix, std::ios::in | std::ios::out | std::ios::binary};
        file.seekp(static_cast<std::streamoff>(at));
        file.put('W');
    }
    auto const verified = here.inspect({"verify", "--json"});
    INFO(verified.text);
    CHECK(verified.code == 4);
    CHECK(verified.parsed().at("ok") == false);
}

}  // namespace
