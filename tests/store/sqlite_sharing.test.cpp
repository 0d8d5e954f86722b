// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/sqlite_transaction.hpp>

#include "store/sqlite_operations_support.hpp"

#include <csignal>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

using namespace recoup_test;
using namespace std::chrono_literals;
using recoup::operation_record;
using recoup::operation_status;
using recoup::sqlite_store;
using recoup::sqlite_transaction;
using recoup::step_record;
using recoup::store_errc;

namespace {

/// A child process that runs `body(tell, hear)`; with pipes to tell it and to hear of it.
class child_process {
  public:
    template <class Body>
    explicit child_process(Body const& body) {
        int up[2];
        int down[2];
        if (::pipe(up) != 0 || ::pipe(down) != 0) throw std::runtime_error{"no pipe"};
        id_ = ::fork();
        if (id_ == 0) {
            ::close(up[0]);
            ::close(down[1]);
            auto code = 99;
            try {
                code = body([&](char word) { static_cast<void>(!::write(up[1], &word, 1)); },
                            [&] {
                                char word = 0;
                                return ::read(down[0], &word, 1) == 1 ? word : '\0';
                            });
            } catch (std::exception const& why) {
                std::fprintf(stderr, "a child process: %s\n", why.what());
            }
            ::_exit(code);
        }
        ::close(up[1]);
        ::close(down[0]);
        up_ = up[0];
        down_ = down[1];
    }
    child_process(child_process const&) = delete;
    child_process& operator=(child_process const&) = delete;
    ~child_process() {
        kill(SIGKILL);
        ::close(up_);
        ::close(down_);
    }
    [[nodiscard]] char hear() const {
        char word = 0;
        return ::read(up_, &word, 1) == 1 ? word : '\0';
    }
    void tell(char word) const { static_cast<void>(!::write(down_, &word, 1)); }
    int kill(int signal) {
        if (id_ <= 0) return -1;
        ::kill(id_, signal);
        return signal == SIGSTOP || signal == SIGCONT ? wait(WUNTRACED | WCONTINUED) : wait(0);
    }
    int wait(int how = 0) {
        int status = 0;
        ::waitpid(id_, &status, how);
        if (WIFEXITED(status) || WIFSIGNALED(status)) id_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }

  private:
    int id_ = -1;
    int up_ = -1;
    int down_ = -1;
};

/// Writes a row of the user's with the step.
recoup::result<recoup::write_receipt> sell(sqlite_store& store, operation_record const& head,
                                           std::uint32_t index) {
    return store.transact(head.number, head.epoch,
                          [&](sqlite_transaction& rows) -> recoup::result<step_record> {
                              auto sold = rows.run("INSERT INTO sold (item) VALUES (?1)", index);
                              if (!sold.has_value()) return sold.error();
                              return some_step(index);
                          });
}

std::int64_t count_sold(sqlite_store& store, operation_record const& head) {
    std::int64_t count = -1;
    auto const looked = store.transact(
        head.number, head.epoch, [&](sqlite_transaction& rows) -> recoup::result<step_record> {
            count = must(rows.number("SELECT count(*) FROM sold")).value_or(-1);
            return recoup::failure{recoup::category::cancelled, "only looking"};
        });
    CHECK_FALSE(looked.has_value());
    return count;
}

recoup::result<void> make_table(sqlite_store& store, operation_record const& head) {
    auto made = store.transact(head.number, head.epoch,
                               [&](sqlite_transaction& rows) -> recoup::result<step_record> {
                                   must(
                                       rows.run("CREATE TABLE sold (item INTEGER UNIQUE, "
                                                "note TEXT DEFAULT 'x')"));
                                   must(rows.run("CREATE INDEX by_note ON sold (note)"));
                                   return some_step(1000);
                               });
    if (!made.has_value()) return made.error();
    return recoup::success();
}

}  // namespace

TEST_CASE("Rows of the user's and the step are recorded both or neither", "[sqlite_sharing]") {
    auto const shared = GENERATE(false, true);
    temporary_folder const folder;
    auto const options = shared ? by_processes() : anywhere();
    {
        sqlite_store store{folder / "store", options};
        auto const owner = must(store.enter("me", long_lease));
        auto const head = begin(store, "a", owner);
        must(make_table(store, head));
        must(sell(store, head, 1));
        CHECK(count_sold(store, head) == 1);
        CHECK(must(store.steps(head.number)).size() == 2);

        // The body fails behind its write; it throws; a statement of it fails; it is too late.
        auto const failing = [&](sqlite_transaction& rows) -> recoup::result<step_record> {
            must(rows.run("INSERT INTO sold (item) VALUES (?1)", 2));
            return recoup::failure{recoup::category::invalid_input, "no"};
        };
        CHECK_FALSE(store.transact(head.number, head.epoch, failing).has_value());
        auto const throwing = [&](sqlite_transaction& rows) -> recoup::result<step_record> {
            must(rows.run("INSERT INTO sold (item) VALUES (?1)", 2));
            throw std::runtime_error{"no"};
        };
        CHECK_THROWS_AS(store.transact(head.number, head.epoch, throwing), std::runtime_error);
        CHECK_FALSE(sell(store, head, 1).has_value());
        auto late = head;
        late.epoch = 7;
        auto ran = false;
        auto const noting = [&](sqlite_transaction&) -> recoup::result<step_record> {
            ran = true;
            return some_step(4);
        };
        CHECK(is(error_of(store.transact(late.number, late.epoch, noting)), store_errc::fenced));
        CHECK_FALSE(ran);
        // A step that is not taken takes the rows back.
        auto const misplaced = [&](sqlite_transaction& rows) -> recoup::result<step_record> {
            must(rows.run("INSERT INTO sold (item) VALUES (?1)", 2));
            return some_step(1U << 21U);
        };
        CHECK(is(error_of(store.transact(head.number, head.epoch, misplaced)),
                 store_errc::too_large));
        CHECK(count_sold(store, head) == 1);
        CHECK(must(store.steps(head.number)).size() == 2);
        must(sell(store, head, 2));
    }
    // The user's tables are no foreign schema.
    sqlite_store store{folder / "store", options};
    CHECK(must(store.verify()).ok());
}

TEST_CASE("A transaction cannot touch what is the store's", "[sqlite_sharing]") {
    temporary_folder const folder;
    sqlite_store store{folder / "store", anywhere()};
    auto const owner = must(store.enter("me", long_lease));
    auto const head = begin(store, "a", owner);
    must(make_table(store, head));
    std::string const sql = GENERATE(
        "UPDATE recoup_operation SET epoch=9", "SELECT payload FROM recoup_step",
        "DELETE FROM RECOUP_STATE", "CREATE TABLE recoup_more (a)", "DROP TABLE recoup_record",
        "CREATE INDEX mine ON recoup_step (payload)", "CREATE INDEX recoup_mine ON sold (item)",
        "ALTER TABLE sold RENAME TO recoup_sold", "ATTACH 'x' AS y", "PRAGMA synchronous=0",
        "COMMIT", "ROLLBACK", "SAVEPOINT a", "CREATE VIEW v AS SELECT 1",
        "CREATE TRIGGER t AFTER INSERT ON sold BEGIN SELECT 1; END", "SELECT 1; SELECT 2",
        "SELECT ?1", "");
    CAPTURE(sql);
    auto const tried = store.transact(head.number, head.epoch,
                                      [&](sqlite_transaction& rows) -> recoup::result<step_record> {
                                          auto done = rows.run(sql);
                                          if (!done.has_value()) return done.error();
                                          return some_step(1);
                                      });
    CHECK_FALSE(tried.has_value());
    CHECK(must(store.steps(head.number)).size() == 1);
    must(sell(store, head, 5));
    CHECK(must(store.verify()).ok());
}

TEST_CASE("A kill in the middle of transactions leaves rows and steps that agree",
          "[sqlite_sharing]") {
    temporary_folder const folder;
    auto const path = folder / "store";
    {
        sqlite_store store{path, anywhere(recoup::durability::process_crash)};
        auto const owner = must(store.enter("me", long_lease));
        must(make_table(store, begin(store, "a", owner)));
    }
    for (int round = 0; round != 5; ++round) {
        child_process child{[&](auto const& tell, auto const&) {
            sqlite_store store{path, anywhere(recoup::durability::process_crash)};
            auto const owner = must(store.enter("child", long_lease));
            auto const head = claim_all(store, owner).at(0);
            auto const from = static_cast<std::uint32_t>(must(store.steps(head.number)).size());
            for (auto i = from; i != from + 5000; ++i) {
                must(sell(store, head, i));
                tell('s');
            }
            return 0;
        }};
        for (int i = 0; i != 20 + 7 * round; ++i) CHECK(child.hear() == 's');
        child.kill(SIGKILL);
        sqlite_store store{path, anywhere()};
        auto const owner = must(store.enter("parent", long_lease));
        auto const head = claim_all(store, owner).at(0);
        auto const steps = must(store.steps(head.number));
        CHECK(steps.size() > 20);
        CHECK(count_sold(store, head) == static_cast<std::int64_t>(steps.size()) - 1);
        CHECK(must(store.verify()).ok());
    }
}

TEST_CASE("What a killed process had is claimed at once, whatever its lease", "[sqlite_sharing]") {
    temporary_folder const folder;
    auto const path = folder / "store";
    sqlite_store store{path, by_processes()};
    auto const owner = must(store.enter("parent", long_lease));
    child_process child{[&](auto const& tell, auto const& hear) {
        sqlite_store mine{path, by_processes()};
        auto const me = must(mine.enter("child", long_lease));
        auto const head = begin(mine, "a", me);
        must(write_step(mine, head, some_step(0)));
        tell('b');
        hear();
        return 0;
    }};
    REQUIRE(child.hear() == 'b');
    CHECK(claim_all(store, owner).empty());
    auto const seen = must(store.find(some_operation("a").id));
    REQUIRE(seen);
    CHECK(is(error_of(store.take(seen->number, seen->epoch, owner)), store_errc::owned));
    child.kill(SIGKILL);
    auto const claimed = claim_all(store, owner);
    REQUIRE(claimed.size() == 1);
    CHECK(claimed[0].epoch > seen->epoch);
    CHECK(must(store.steps(claimed[0].number)).size() == 1);
    must(write_step(store, claimed[0], some_step(1)));
    // What the dead left beside the store is swept away.
    must(store.enter("again", long_lease));
    auto lock_files = 0;
    for (auto const& each : std::filesystem::directory_iterator{folder.path()})
        if (each.path().string().find(".owner-") != std::string::npos) ++lock_files;
    CHECK(lock_files == 1);
}

TEST_CASE("A frozen process loses what it has once its lease is over, and is fenced when it thaws",
          "[sqlite_sharing]") {
    temporary_folder const folder;
    auto const path = folder / "store";
    sqlite_store store{path, by_processes()};
    auto const owner = must(store.enter("parent", long_lease));
    child_process child{[&](auto const& tell, auto const& hear) {
        sqlite_store mine{path, by_processes()};
        auto const me = must(mine.enter("child", 200ms));
        auto const head = begin(mine, "a", me);
        tell('b');
        hear();
        auto const late = is(error_of(write_step(mine, head, some_step(0))), store_errc::fenced);
        auto const gone = is(error_of(mine.renew(me, 200ms)), store_errc::fenced);
        return late && gone ? 7 : 1;
    }};
    REQUIRE(child.hear() == 'b');
    child.kill(SIGSTOP);
    std::vector<operation_record> claimed;
    auto const give_up = recoup::real_clock::now() + 20s;
    while (claimed.empty() && recoup::real_clock::now() < give_up)
        claimed = claim_all(store, owner);
    REQUIRE(claimed.size() == 1);
    child.kill(SIGCONT);
    child.tell('g');
    CHECK(child.wait() == 7);
    CHECK(must(store.steps(claimed[0].number)).empty());
    must(write_step(store, claimed[0], some_step(0)));
}

TEST_CASE("Processes that claim at the same time never have the same operation",
          "[sqlite_sharing]") {
    temporary_folder const folder;
    auto const path = folder / "store";
    constexpr int operations = 60;
    sqlite_store store{path, by_processes()};
    for (int i = 0; i != operations; ++i) must(store.start(some_operation(std::to_string(i)), 0));
    auto const work = [&](auto const& tell, auto const&) {
        sqlite_store mine{path, by_processes()};
        auto const me = must(mine.enter("child", long_lease));
        for (auto some = claim_all(mine, me, 3); !some.empty(); some = claim_all(mine, me, 3))
            for (auto& head : some) {
                // Whoever has it writes the next step: two would write one each.
                auto const count = must(mine.steps(head.number)).size();
                must(write_step(mine, head, some_step(static_cast<std::uint32_t>(count))));
                must(mine.save(some_record(head.id.key)));
                head.status = operation_status::succeeded;
                must(write_head(mine, head, true));
            }
        tell('d');
        return 0;
    };
    child_process one{work}, two{work}, three{work};
    CHECK(one.wait() == 0);
    CHECK(two.wait() == 0);
    CHECK(three.wait() == 0);
    auto const all = must(store.operations({.status = operation_status::succeeded}));
    CHECK(all.size() == operations);
    for (auto const& each : all) CHECK(must(store.steps(each.number)).size() == 1);
    // Records of others are seen, and their revisions are not given out again.
    for (int i = 0; i != operations; ++i)
        CHECK(must(store.load(some_record(std::to_string(i)).id)));
    CHECK(is(error_of(store.save(some_record("0"))), store_errc::conflict));
    CHECK(must(store.size()) == 2 * operations);
    CHECK(must(store.verify()).ok());
}

TEST_CASE("A file is used by one object, or shared by all", "[sqlite_sharing]") {
    temporary_folder const folder;
    auto exclusive = anywhere();
    auto shared = by_processes();
    exclusive.lock_wait = shared.lock_wait = 10ms;
    {
        sqlite_store one{folder / "store", shared};
        CHECK(opens(folder / "store", shared));
        CHECK(is(opening_error(folder / "store", exclusive), store_errc::locked));
        auto const settings = must(one.settings());
        auto const journal = std::find_if(settings.begin(), settings.end(), [](auto const& each) {
            return each.first == "journal_mode";
        });
        REQUIRE(journal != settings.end());
        CHECK(journal->second ==
              (recoup::detail::log_stands_two_writers(sqlite3_libversion_number()) ? "wal"
                                                                                   : "truncate"));
    }
    sqlite_store one{folder / "store", exclusive};
    CHECK(is(opening_error(folder / "store", shared), store_errc::locked));
}

TEST_CASE("The versions whose log two writers may use are told apart", "[sqlite_sharing]") {
    using recoup::detail::log_stands_two_writers;
    for (auto const version : {3040001, 3044005, 3045003, 3050006, 3051000, 3051002})
        CHECK_FALSE(log_stands_two_writers(version));
    for (auto const version : {3044006, 3044009, 3050007, 3051003, 3052000, 4000000})
        CHECK(log_stands_two_writers(version));
}

TEST_CASE("A full file takes no step, and what was acknowledged stays", "[sqlite_sharing]") {
    temporary_folder const folder;
    auto options = anywhere();
    options.file_bytes_max = 300'000;
    sqlite_store store{folder / "store", options};
    auto const owner = must(store.enter("me", long_lease));
    auto const head = begin(store, "a", owner);
    auto big = some_step(0);
    big.value.assign(20'000, 'v');
    auto wrote = write_step(store, head, big);
    for (; wrote.has_value() && big.index != 100; wrote = write_step(store, head, big)) ++big.index;
    REQUIRE_FALSE(wrote.has_value());
    CHECK(is(wrote.error(), store_errc::full));
    CHECK(must(store.steps(head.number)).size() == big.index);
    must(store.write({.number = head.number, .epoch = head.epoch, .drop_steps = true}));
    must(write_step(store, head, big));
    CHECK(must(store.steps(head.number)).size() == 1);
    CHECK(must(store.verify()).ok());
}
