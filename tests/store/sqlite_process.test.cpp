// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/sqlite_store.hpp>

#include "support/catch.hpp"

#include "store/sqlite_support.hpp"
#include "support/child.hpp"

#include <array>
#include <csignal>
#include <functional>
#include <random>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

// Several processes: forks, kills, a second owner.

namespace {

using namespace recoup_test;
using Catch::Matchers::ContainsSubstring;
using recoup::durability;
using recoup::record;
using recoup::sqlite_store;
using recoup::store_errc;

void report(int to, std::uint64_t number) {
    static_cast<void>(::write(to, &number, sizeof number));
}

template <class Result>
std::uint64_t code_of(Result const& got) {
    return static_cast<std::uint64_t>(error_of(got).code().value());
}

constexpr auto number_of(store_errc code) { return static_cast<std::uint64_t>(code); }

TEST_CASE("a store refuses in a forked child, and the parent's goes on") {
    temporary_folder folder;
    sqlite_store store{folder / "a.db", anywhere()};
    put(store, "one");
    child forked{[&](int to) {
        auto const one = some_record("one");
        report(to, code_of(store.load(one.id)));
        report(to, code_of(store.save(some_record("two"))));
        report(to, code_of(store.erase(one.id, 1)));
        report(to, code_of(store.list()));
        report(to, code_of(store.clean_up(recoup::system_time::max(), 1)));
        report(to, code_of(store.settings()));
        report(to, code_of(store.verify()));
        report(to, code_of(store.backup(folder / "copy.db")));
        report(to, store.may_contain(some_record("none").id) ? 1 : 0);
        report(to, code_of(sqlite_store::open(folder / "a.db", anywhere())));
        store
            .~sqlite_store();  // as a child that returns from main does: the parent must not notice
        return 0;
    }};
    for (int call = 0; call != 8; ++call) CHECK(forked.next() == number_of(store_errc::forked));
    CHECK(forked.next() == 1);
    CHECK(forked.next() == number_of(store_errc::locked));
    CHECK(forked.wait() == 0);
    put(store, "two");
    CHECK(store.list().value().size() == 2);
    CHECK(store.verify().value().ok());
    CHECK(is(opening_error(folder / "a.db"), store_errc::locked));
}

TEST_CASE("a child that lives on does not keep its parent's lock") {
    temporary_folder folder;
    auto const path = folder / "a.db";
    SECTION("when the parent closes its store") {
        auto store = sqlite_store::open(path, anywhere()).value();
        child lives{[](int to) {
            report(to, 1);
            ::pause();
            return 0;
        }};
        REQUIRE(lives.next() == 1);
        store.reset();
        CHECK(opens(path));
    }
    SECTION("when the parent is killed") {
        child owner{[&](int to) {
            sqlite_store const store{path, anywhere()};
            auto const grandchild = ::fork();
            if (grandchild == 0) {
                ::pause();
                ::_exit(0);
            }
            report(to, static_cast<std::uint64_t>(grandchild));
            ::pause();
            return 0;
        }};
        auto const grandchild = owner.next();
        REQUIRE(grandchild.has_value());
        CHECK(is(opening_error(path), store_errc::locked));
        owner.kill();
        CHECK(opens(path));
        ::kill(static_cast<pid_t>(*grandchild), SIGKILL);
    }
}

TEST_CASE("a second process is told which one owns the file") {
    temporary_folder folder;
    auto options = anywhere();
    options.lock_wait = recoup::duration::zero();
    child owner{[&](int to) {
        sqlite_store store{folder / "a.db", options};
        put(store, "one");
        report(to, 1);
        ::pause();
        return 0;
    }};
    REQUIRE(owner.next() == 1);
    auto const refused = opening_error(folder / "a.db", options);
    CHECK(is(refused, store_errc::locked));
    CHECK_THAT(refused.message(),
               ContainsSubstring("is in use by process " + std::to_string(owner.pid())));
    options.read_only = true;
    CHECK(sqlite_store{folder / "a.db", options}.list().value().size() == 1);
    options.read_only = false;
    owner.kill();
    CHECK(sqlite_store{folder / "a.db", options}.list().value().size() == 1);
}

TEST_CASE("no descriptor of a store is inherited by a program that is started") {
    temporary_folder folder;
    sqlite_store store{folder / "a.db", anywhere()};
    put(store, "one");
    int of_store = 0;
    for (auto const& entry : std::filesystem::directory_iterator{"/proc/self/fd"}) {
        std::error_code error;
        auto const target = std::filesystem::read_symlink(entry.path(), error).string();
        if (error || !target.starts_with(folder.path())) continue;
        ++of_store;
        INFO(target);
        CHECK((::fcntl(std::stoi(entry.path().filename()), F_GETFD) & FD_CLOEXEC) != 0);
    }
    CHECK(of_store >= 4);  // the folder, the lock, the database, the log
}

TEST_CASE("a process that is killed at any moment loses nothing that was acknowledged") {
    constexpr std::uint64_t seed = 20260131;
    constexpr std::uint64_t keys = 16;
    std::mt19937_64 random{seed};
    temporary_folder folder;
    auto const path = folder / "a.db";
    std::array<std::uint64_t, keys> acknowledged{};
    std::uint64_t last = 0;
    for (int kills = 0; kills != 30; ++kills) {
        INFO("seed " << seed << ", kill " << kills);
        auto const kept = kills % 2 == 0 ? durability::process_crash : durability::power_loss;
        child worker{[&](int to) {
            sqlite_store store{path, anywhere(kept)};
            report(to, 0);
            for (auto step = last + 1;; ++step) {
                auto what = some_record(std::to_string(step % keys));
                auto const before = store.load(what.id).value();
                what.revision = before ? before->revision : 0;
                what.fingerprint = step;
                what.checkpoint = std::string(step * 37 % 5000, 'c');
                if (!store.save(what).has_value()) return 1;
                report(to, step);
                if (step % 50 == 0 && !store.clean_up(recoup::system_time::max(), 5).has_value())
                    return 2;
            }
        }};
        auto const enough = random() % 80;  // 0: killed while it opens
        for (std::uint64_t got = 0; got != enough; ++got) {
            auto const step = worker.next();
            REQUIRE(step.has_value());
            if (*step != 0) acknowledged[*step % keys] = last = *step;
        }
        ::kill(worker.pid(), SIGKILL);
        while (auto const step = worker.next())
            if (*step != 0) acknowledged[*step % keys] = last = *step;
        worker.kill();

        sqlite_store store{path, anywhere(kept)};
        REQUIRE(store.verify().value().ok());
        for (std::uint64_t key = 0; key != keys; ++key) {
            if (acknowledged[key] == 0) continue;
            auto const found = store.load(some_record(std::to_string(key)).id).value();
            REQUIRE(found.has_value());
            REQUIRE(found->fingerprint >= acknowledged[key]);
            REQUIRE(found->fingerprint <= last + 1);
            REQUIRE(found->checkpoint->size() == found->fingerprint * 37 % 5000);
        }
    }
    CHECK(last > 300);
}

TEST_CASE("a file that may not grow makes the store full and loses nothing") {
    temporary_folder folder;
    child limited{[&](int to) {
        std::signal(SIGXFSZ, SIG_IGN);
        sqlite_store store{folder / "a.db", anywhere(durability::process_crash)};
        rlimit limit{};
        ::getrlimit(RLIMIT_FSIZE, &limit);
        auto const usual = limit.rlim_cur;
        limit.rlim_cur = 300'000;
        ::setrlimit(RLIMIT_FSIZE, &limit);
        std::uint64_t saved = 0;
        recoup::failure refused;
        while (!refused.code()) {
            refused = error_of(store.save(some_record(std::to_string(saved))));
            if (!refused.code()) ++saved;
        }
        report(to, saved);
        report(to, static_cast<std::uint64_t>(refused.code().value()));
        std::uint64_t found = 0;
        for (std::uint64_t i = 0; i != saved; ++i)
            found += store.load(some_record(std::to_string(i)).id).value().has_value() ? 1U : 0U;
        report(to, found);
        limit.rlim_cur = usual;
        ::setrlimit(RLIMIT_FSIZE, &limit);
        report(to, code_of(store.save(some_record("more"))));
        report(to, store.verify().value().ok() ? 1 : 0);
        return 0;
    }};
    auto const saved = limited.next().value();
    CHECK(saved > 10);
    CHECK(limited.next() == number_of(store_errc::full));
    CHECK(limited.next() == saved);
    CHECK(limited.next() == 0);
    CHECK(limited.next() == 1);
    CHECK(limited.wait() == 0);
    sqlite_store store{folder / "a.db", anywhere()};
    CHECK(store.size().value() == saved + 1);
}

}  // namespace
