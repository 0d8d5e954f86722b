// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/postgres_store.hpp>

#include "support/catch.hpp"

#include "postgres/planted.hpp"
#include "postgres/proxy.hpp"
#include "postgres/server.hpp"

#include <array>
#include <atomic>
#include <functional>
#include <thread>

// Servers that crash, sessions that are ended, answers that are lost, transactions that are taken back.

namespace {

using namespace recoup_test;
using Catch::Matchers::ContainsSubstring;
using recoup::postgres_store;
using recoup::store_errc;
using namespace std::chrono_literals;
using step_result = recoup::result<recoup::step_record>;

/// A table of the user's with one counter, and its value.
struct counter {
    plain_client client;
    std::string table;
    explicit counter(std::string const& schema) : table{"counter_" + schema} {
        client.run("CREATE TABLE " + table + " (id bigint PRIMARY KEY, value bigint NOT NULL)");
        client.run("INSERT INTO " + table + " VALUES (1, 0)");
    }
    [[nodiscard]] auto raise(std::uint32_t index) const {
        return [this, index](recoup::postgres_transaction& in) -> step_result {
            auto const done =
                in.run("UPDATE " + table + " SET value = value + $1 WHERE id = $2", 1, 1);
            if (!done.has_value()) return done.error();
            return step(index, "counted");
        };
    }
    int value() { return std::stoi(plain_client{}.ask("SELECT value FROM " + table)); }
};

/// Threads that write step after step, each to its own operation, now by itself and now in a transaction,
/// until `over`; then what was acknowledged must be there, once.
void write_while(postgres_store& store, counter& count, std::function<void()> const& disturb,
                 unsigned at_least) {
    constexpr unsigned threads = 4;
    auto const owner = value_of(store.enter("writers", 1h));
    std::vector<recoup::operation_record> heads;
    for (unsigned i = 0; i != threads; ++i)
        heads.push_back(value_of(store.start(operation(std::to_string(i)), owner)).record);
    std::atomic<bool> over{false};
    std::atomic<unsigned> written{0};
    std::array<unsigned, threads> acknowledged{};
    std::array<unsigned, threads> counted{};
    std::array<std::string, threads> failed;
    {
        std::vector<std::jthread> all;
        for (unsigned thread = 0; thread != threads; ++thread)
            all.emplace_back([&, thread] {
                auto const& head = heads[thread];
                for (std::uint32_t index = 0; !over && failed[thread].empty(); ++index) {
                    std::vector const steps{step(index, "written")};
                    auto const wrote =
                        index % 3 == 2 ? store.transact(head.number, head.epoch, count.raise(index))
                                       : store.write(writing(head, steps));
                    if (!wrote.has_value()) {
                        failed[thread] = wrote.error().describe();
                        return;
                    }
                    counted[thread] += index % 3 == 2 ? 1 : 0;
                    ++acknowledged[thread];
                    ++written;
                }
            });
        auto const wait_for = [&](unsigned more) {
            auto const until = written + more;
            while (written < until) {
                for (auto const& one : failed)
                    if (!one.empty()) return;
                std::this_thread::yield();
            }
        };
        for (int round = 0; round != 3; ++round) {
            wait_for(at_least);
            disturb();
        }
        wait_for(at_least);
        over = true;
    }
    unsigned sum = 0;
    for (unsigned thread = 0; thread != threads; ++thread) {
        CHECK(failed[thread] == "");
        CHECK(value_of(store.steps(heads[thread].number)).size() == acknowledged[thread]);
        sum += counted[thread];
    }
    CHECK(count.value() == static_cast<int>(sum));
    CHECK(value_of(store.verify()).ok());
}

TEST_CASE("a server that crashes under writers loses nothing, and does nothing twice",
          "[concurrent]") {
    auto const options = fresh_options();
    auto const store = open_store(options);
    counter count{options.schema};
    write_while(*store, count, [] { restart_server(); }, 60);
}

TEST_CASE("sessions that are ended under writers lose nothing, and nothing is done twice",
          "[concurrent]") {
    auto const options = fresh_options();
    auto const store = open_store(options);
    counter count{options.schema};
    auto const end_all = [&] {
        plain_client client;
        for (int i = 0; i != 20; ++i)
            client.run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> "
                "pg_backend_pid() AND application_name = 'recoup'");
    };
    write_while(*store, count, end_all, 60);
}

TEST_CASE("transactions that the server takes back because of others are done again",
          "[concurrent]") {
    auto const* const level = GENERATE("serializable", "repeatable\\\\ read");
    auto const options = fresh_options();
    auto const store = open_store(
        options, "options='-c default_transaction_isolation=" + std::string{level} + "'");
    counter count{options.schema};
    auto const owner = value_of(store->enter("writers", 1h));
    constexpr unsigned threads = 4;
    constexpr std::uint32_t each = 25;
    std::array<std::string, threads> failed;
    std::atomic<unsigned> bodies{0};
    std::vector<recoup::operation_record> heads;
    for (unsigned i = 0; i != threads; ++i)
        heads.push_back(value_of(store->start(operation(std::to_string(i)), owner)).record);
    {
        std::vector<std::jthread> all;
        for (unsigned thread = 0; thread != threads; ++thread)
            all.emplace_back([&, thread] {
                for (std::uint32_t index = 0; index != each; ++index) {
                    auto const& head = heads[thread];
                    auto const done = store->transact(
                        head.number, head.epoch,
                        [&](recoup::postgres_transaction& in) -> step_result {
                            ++bodies;
                            // Read and write apart, so that two of them really clash.
                            auto const now = in.number("SELECT value FROM " + count.table);
                            if (!now.has_value()) return now.error();
                            auto const put = in.run("UPDATE " + count.table + " SET value = $1",
                                                    *now.value() + 1);
                            if (!put.has_value()) return put.error();
                            return step(index);
                        });
                    if (!done.has_value()) failed[thread] = done.error().describe();
                }
            });
    }
    for (auto const& one : failed) CHECK(one == "");
    CHECK(count.value() == static_cast<int>(threads * each));
    CHECK(bodies > threads * each);  // they did clash
    CHECK(value_of(store->verify()).ok());
}

TEST_CASE("a server that cannot be reached is unavailable, within the time that was given") {
    auto options = fresh_options();
    options.call_wait = 1s;
    auto const store = open_store(options);
    recoup::record what;
    what.id = {"tests", "call", "a"};
    value_of(store->save(what));
    crash_server();
    auto const before = std::chrono::steady_clock::now();
    auto const why = error_of(store->load(what.id));
    CHECK(why.code() == store_errc::unavailable);
    auto const owner = error_of(store->enter("tests", 1h));
    CHECK(owner.code() == store_errc::unavailable);
    CHECK(error_of(store->start(operation("a"), 1, 50ms)).code() == store_errc::unavailable);
    CHECK(std::chrono::steady_clock::now() - before < 10s);
    CHECK(error_of(postgres_store::open(conninfo(), options)).code() == store_errc::unavailable);
    start_server();
    CHECK(value_of(store->load(what.id)).has_value());
}

TEST_CASE("a server without room says full, and one without right read_only") {
    using recoup::detail::code_of;
    CHECK(code_of("53100") == store_errc::full);
    CHECK(code_of("25006") == store_errc::read_only);
    CHECK(code_of("XX001") == store_errc::corrupt);
    CHECK(code_of("57P03") == store_errc::unavailable);
    CHECK(code_of("53300") == store_errc::unavailable);
    CHECK(code_of("42P01") == store_errc::foreign_schema);
    auto const options = fresh_options();
    open_store(options);
    auto const store = open_store(options, "options='-c default_transaction_read_only=on'");
    recoup::record what;
    what.id = {"tests", "call", "a"};
    CHECK_FALSE(value_of(store->load(what.id)).has_value());
    CHECK(error_of(store->save(what)).code() == store_errc::read_only);
    CHECK(error_of(store->start(operation("a"), 0)).code() == store_errc::read_only);
}

/// A store whose answers can be lost.
struct through_proxy {
    recoup::postgres_store_options options = fresh_options();
    losing_proxy proxy{server().port()};
    std::unique_ptr<postgres_store> store;
    std::uint64_t owner = 0;
    recoup::operation_record head;

    through_proxy() {
        options.connections_max = 1;
        store = value_of(postgres_store::open(
            conninfo("sslmode=disable port=" + std::to_string(proxy.port())), options));
        owner = value_of(store->enter("tests", 1h));
        head = value_of(store->start(operation("first"), owner)).record;
    }
    /// The statement's name as it is sent, once it was prepared.
    static std::string name_of(recoup::detail::postgres_query which) {
        return "recoup_" + std::to_string(static_cast<std::size_t>(which)) + '\0';
    }
    void lose(recoup::detail::postgres_query which) { proxy.lose_answer_to(name_of(which)); }
};

/// What became of a write of one step beside another, whose answer was lost.
struct repeated_write {
    bool lost = false;
    std::uint64_t code = 0;
    std::string records;  ///< how often a step was recorded, over all
    std::string owner;
    std::vector<recoup::step_record> steps{};
    bool whole = false;
};

repeated_write write_with_a_lost_answer(bool in_parts, bool releasing) {
    using recoup::detail::postgres_query;
    through_proxy at;
    std::vector steps{step(0, "zero")};
    value_of(at.store->write(writing(at.head, steps)));
    if (in_parts)
        value_of(at.store->write({.number = at.head.number, .epoch = 1, .drop_steps = true}));
    at.lose(in_parts ? postgres_query::put_steps : postgres_query::write);
    auto last = at.head;
    last.status = recoup::operation_status::succeeded;
    if (in_parts)
        steps.push_back(step(1, "one"));
    else
        steps = {step(1, "one")};
    auto what = writing(at.head, steps);
    what.head = &last;
    what.drop_steps = in_parts;
    what.release = releasing;
    repeated_write seen;
    seen.code = code_of(at.store->write(what));
    seen.lost = at.proxy.has_lost();
    plain_client client;
    seen.records = client.ask("SELECT sum(writes) FROM " + at.options.schema + ".steps");
    seen.owner = client.ask("SELECT owner FROM " + at.options.schema + ".operations");
    seen.steps = value_of(at.store->steps(at.head.number));
    seen.whole = value_of(at.store->verify()).ok();
    return seen;
}

TEST_CASE("a write whose answer was lost is found to be done, and is not done again") {
    auto const in_parts = GENERATE(false, true);
    // A second run of one that releases would be fenced by the first.
    auto const releasing = GENERATE(false, true);
    auto const seen = write_with_a_lost_answer(in_parts, releasing);
    CHECK(seen.lost);
    CHECK(seen.code == 0);
    CHECK(seen.records == "2");
    CHECK((seen.owner == "0") == releasing);
    CHECK(seen.steps == std::vector{step(0, "zero"), step(1, "one")});
    CHECK(seen.whole);
}

TEST_CASE("the suite notices a repeated write that is not known again") {
    SECTION("nothing says that it was done") {
        planted_words const forgotten{"SET mark = w.mark", "SET mark = o.mark"};
        planted_words const in_the_sum{"13 * w.mark", "13 * o.mark"};
        CHECK(write_with_a_lost_answer(false, false).records == "3");
        CHECK(write_with_a_lost_answer(false, true).code == number_of(store_errc::fenced));
        CHECK(forgotten.made() > 0);
        CHECK(in_the_sum.made() > 0);
    }
    SECTION("nobody looks whether it was done") {
        planted_words const unseen{"AND o.mark < w.mark", ""};
        CHECK(write_with_a_lost_answer(false, false).records == "3");
        CHECK(unseen.made() > 0);
    }
}

TEST_CASE("a start whose answer was lost is known for this one's") {
    through_proxy at;
    at.lose(recoup::detail::postgres_query::start);
    auto const again = value_of(at.store->start(operation("second"), at.owner));
    CHECK(at.proxy.has_lost());
    CHECK(again.made);
    CHECK(again.record.owner == at.owner);
    CHECK(value_of(at.store->operations()).size() == 2);
}

TEST_CASE("a claim whose answer was lost gives what it had claimed") {
    through_proxy at;
    value_of(at.store->claim(claiming(at.owner)));
    value_of(at.store->start(operation("free"), 0));
    at.lose(recoup::detail::postgres_query::claim_due);
    auto const claimed = value_of(at.store->claim(claiming(at.owner)));
    CHECK(at.proxy.has_lost());
    REQUIRE(claimed.size() == 1);
    CHECK(claimed[0].id.key == "free");
    CHECK(claimed[0].epoch == 2);
    value_of(at.store->write(writing(claimed[0], {})));
}

TEST_CASE("a take and a removal whose answers were lost are found to be done") {
    using recoup::detail::postgres_query;
    through_proxy at;
    auto one = value_of(at.store->start(operation("free"), 0)).record;
    CHECK_FALSE(at.store->take(one.number, 99, at.owner).has_value());
    at.lose(postgres_query::take);
    one = value_of(at.store->take(one.number, 1, at.owner));
    CHECK(at.proxy.has_lost());
    CHECK(one.epoch == 2);
    auto giving = writing(one, {});
    giving.release = true;
    value_of(at.store->write(giving));
    CHECK_FALSE(at.store->remove(one.number, 99).has_value());
    at.lose(postgres_query::remove);
    done(at.store->remove(one.number, 2));
    CHECK(at.proxy.has_lost());
    CHECK_FALSE(value_of(at.store->find(one.id)).has_value());
}

TEST_CASE("a save and an erase whose answers were lost are found to be done") {
    using recoup::detail::postgres_query;
    through_proxy at;
    recoup::record what;
    what.id = {"tests", "call", "warm"};
    what.revision = value_of(at.store->save(what));
    what.revision = value_of(at.store->save(what));
    done(at.store->erase(what.id, what.revision));
    what.id.key = "a";
    what.revision = 0;
    at.lose(postgres_query::insert_record);
    what.revision = value_of(at.store->save(what));
    CHECK(at.proxy.has_lost());
    at.lose(postgres_query::update_record);
    auto const before = what.revision;
    what.revision = value_of(at.store->save(what));
    CHECK(at.proxy.has_lost());
    CHECK(what.revision == before + 1);
    CHECK(value_of(at.store->load(what.id)) == what);
    at.lose(postgres_query::erase_record);
    done(at.store->erase(what.id, what.revision));
    CHECK(at.proxy.has_lost());
    CHECK_FALSE(value_of(at.store->load(what.id)).has_value());
}

TEST_CASE("the suite notices a repeated save that is not known again") {
    planted_words const forgotten{"mark = $5::bigint", "mark = mark + 0 * $5::bigint"};
    through_proxy at;
    recoup::record what;
    what.id = {"tests", "call", "a"};
    what.revision = value_of(at.store->save(what));
    what.revision = value_of(at.store->save(what));
    at.lose(recoup::detail::postgres_query::update_record);
    CHECK(error_of(at.store->save(what)).code() == store_errc::conflict);
    CHECK(at.proxy.has_lost());
    CHECK(forgotten.made() > 0);
}

TEST_CASE("a transaction whose COMMIT was not answered is looked up, and its rows are there once") {
    through_proxy at;
    counter count{at.options.schema};
    at.proxy.lose_answer_to("COMMIT");
    auto bodies = 0;
    value_of(at.store->transact(at.head.number, at.head.epoch,
                                [&](recoup::postgres_transaction& in) -> step_result {
                                    ++bodies;
                                    return count.raise(0)(in);
                                }));
    CHECK(at.proxy.has_lost());
    CHECK(bodies == 1);
    CHECK(count.value() == 1);
    CHECK(value_of(at.store->steps(at.head.number)).size() == 1);
}

TEST_CASE("a transaction that broke before its COMMIT is done again, and its rows are there once") {
    through_proxy at;
    counter count{at.options.schema};
    at.proxy.lose_answer_to("SET value = value");
    auto bodies = 0;
    value_of(at.store->transact(at.head.number, at.head.epoch,
                                [&](recoup::postgres_transaction& in) -> step_result {
                                    ++bodies;
                                    return count.raise(0)(in);
                                }));
    CHECK(at.proxy.has_lost());
    CHECK(bodies == 2);
    CHECK(count.value() == 1);
    CHECK(value_of(at.store->steps(at.head.number)).size() == 1);
}

TEST_CASE("what becomes of a transaction's rows becomes of its step") {
    auto const options = fresh_options();
    auto const store = open_store(options);
    counter count{options.schema};
    auto const owner = value_of(store->enter("tests", 1h));
    auto const head = value_of(store->start(operation("a"), owner)).record;
    auto const transact = [&](auto const& body) {
        return store->transact(head.number, head.epoch, body);
    };
    value_of(transact(count.raise(0)));
    auto const nothing_more = [&] {
        CHECK(count.value() == 1);
        CHECK(value_of(store->steps(head.number)).size() == 1);
        value_of(store->write(writing(head, {})));
    };
    SECTION("the body fails") {
        auto const why = error_of(transact([&](recoup::postgres_transaction& in) -> step_result {
            static_cast<void>(count.raise(1)(in));
            return recoup::failure{recoup::category::invalid_input, "by the body"};
        }));
        CHECK(why.message() == "by the body");
        nothing_more();
    }
    SECTION("the body throws") {
        CHECK_THROWS_WITH(transact([&](recoup::postgres_transaction& in) -> step_result {
                              static_cast<void>(count.raise(1)(in));
                              throw std::runtime_error{"by the body"};
                          }),
                          "by the body");
        nothing_more();
    }
    SECTION("a statement fails, and the body does not notice") {
        auto const why = error_of(transact([&](recoup::postgres_transaction& in) -> step_result {
            static_cast<void>(count.raise(1)(in));
            auto const bad = in.run("SELECT 1 / 0");
            CHECK(bad.error().category() == recoup::category::invalid_input);
            return step(1);
        }));
        CHECK(why.code() == store_errc::unavailable);
        nothing_more();
    }
    SECTION("the body may not end it") {
        for (auto const* sql :
             {"COMMIT", " rollback", "/* a /* b */ c */ COMMIT", "-- no\nEND", ";ABORT",
              "SAVEPOINT a", "SET synchronous_commit = off", "COPY pg_class TO STDOUT",
              "START TRANSACTION", "Prepare transaction 'a'"}) {
            auto const why =
                error_of(transact([&](recoup::postgres_transaction& in) -> step_result {
                    static_cast<void>(count.raise(1)(in));
                    auto const refused = in.run(sql);
                    CHECK_FALSE(refused.has_value());
                    return refused.error();
                }));
            CHECK_THAT(why.message(), ContainsSubstring("was refused"));
        }
        CHECK_FALSE(transact([&](recoup::postgres_transaction& in) -> step_result {
                        auto const two = in.run("SELECT 1; COMMIT");
                        CHECK_FALSE(two.has_value());
                        return two.error();
                    }).has_value());
        nothing_more();
    }
    SECTION("values of every kind are bound") {
        count.client.run("CREATE TABLE kinds_" + options.schema +
                         " (i bigint, r double precision, t text, b bytea, f boolean, n text)");
        auto const table = "kinds_" + options.schema;
        std::array<std::byte, 3> const bytes{std::byte{0}, std::byte{255}, std::byte{7}};
        std::string const hostile = "'; DROP TABLE " + table + "; --";
        value_of(transact([&](recoup::postgres_transaction& in) -> step_result {
            auto const put = in.run("INSERT INTO " + table + " VALUES ($1, $2, $3, $4, $5, $6)",
                                    std::int64_t{-7}, 0.5, hostile, bytes, true, nullptr);
            if (!put.has_value()) return put.error();
            CHECK(put.value() == 1);
            auto rows = 0;
            auto const got = in.query(
                "SELECT * FROM " + table + " WHERE t = $1",
                [&](auto const& row) {
                    ++rows;
                    CHECK(row.columns() == 6);
                    CHECK(row.integer(0) == -7);
                    CHECK(row.real(1) == 0.5);
                    CHECK(row.text(2) == hostile);
                    CHECK(row.text(3) == "\\x00ff07");
                    CHECK(row.text(4) == "t");
                    CHECK(row.is_null(5));
                },
                hostile);
            if (!got.has_value()) return got.error();
            CHECK(rows == 1);
            CHECK_FALSE(in.run("SELECT $1::text", std::string{"a\0b", 3}).has_value());
            return step(1);
        }));
        CHECK(value_of(store->steps(head.number)).size() == 2);
    }
}

}  // namespace
