// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/postgres_store.hpp>

#include "support/catch.hpp"

#include "postgres/planted.hpp"
#include "postgres/server.hpp"

#include <array>
#include <functional>
#include <string_view>
#include <thread>

// What the store finds in a database is not taken on trust: schema, settings, rows.

namespace {

using namespace recoup_test;
using Catch::Matchers::ContainsSubstring;
using recoup::postgres_store;
using recoup::store_errc;
using namespace std::chrono_literals;

recoup::failure refusal(recoup::postgres_store_options const& options,
                        std::string const& more = {}) {
    return error_of(postgres_store::open(conninfo(more), options));
}

recoup::record record_of(std::string key) {
    recoup::record what;
    what.id = {"tests", "call", std::move(key)};
    what.result = "kept";
    return what;
}

TEST_CASE("many that open a new schema at once all find it whole", "[concurrent]") {
    auto const options = fresh_options();
    std::array<std::string, 8> failed;
    {
        std::vector<std::jthread> threads;
        for (auto& one : failed)
            threads.emplace_back([&] {
                auto const opened = postgres_store::open(conninfo(), options);
                if (!opened.has_value()) one = opened.error().describe();
            });
    }
    for (auto const& one : failed) CHECK(one == "");
    CHECK(plain_client{}.ask("SELECT count(*) FROM " + options.schema + ".store") == "1");
}

TEST_CASE("a schema of a newer version is refused, with both versions named") {
    auto const options = fresh_options();
    open_store(options);
    plain_client{}.run("UPDATE " + options.schema + ".store SET version = 7");
    auto const why = refusal(options);
    CHECK(why.code() == store_errc::newer_version);
    CHECK_THAT(why.message(), ContainsSubstring("version 7"));
    CHECK_THAT(why.message(), ContainsSubstring("up to 1"));
}

TEST_CASE("a schema that is not as it was made is refused, and left as it is") {
    auto const options = fresh_options();
    auto const& s = options.schema;
    open_store(options);
    plain_client client;
    SECTION("a column is missing") {
        client.run("ALTER TABLE " + s + ".operations DROP COLUMN seal");
        CHECK_THAT(refusal(options).message(), ContainsSubstring("operations.seal bigint"));
    }
    SECTION("a column is of another type") {
        client.run("ALTER TABLE " + s + ".records ALTER COLUMN payload TYPE text USING ''");
        CHECK_THAT(refusal(options).message(), ContainsSubstring("records.payload bytea"));
    }
    SECTION("a trigger loses what is written") {
        client.run("CREATE FUNCTION " + s +
                   ".lose() RETURNS trigger LANGUAGE plpgsql AS "
                   "'BEGIN RETURN NULL; END'");
        client.run("CREATE TRIGGER loser BEFORE INSERT ON " + s +
                   ".steps FOR EACH ROW EXECUTE "
                   "FUNCTION " +
                   s + ".lose()");
        CHECK_THAT(refusal(options).message(), ContainsSubstring("trigger, loser"));
    }
    SECTION("nothing says of which version it is") {
        client.run("DROP TABLE " + s + ".store");
        CHECK_THAT(refusal(options).message(), ContainsSubstring("none that says"));
    }
    CHECK(refusal(options).code() == store_errc::foreign_schema);
}

/// A change that a trigger makes come to nothing.
struct thwarted {
    char const* name;
    char const* when;  ///< an event, and the table
    std::function<std::uint64_t(postgres_store&, recoup::operation_record const&,
                                recoup::record const&)>
        change;
};

/// Those whose only sign of success is how many rows they have changed.
std::vector<thwarted> const& all_thwarted() {
    using recoup::operation_record;
    static std::vector<recoup::step_record> const steps{step(0, "lost")};
    static std::vector<thwarted> const all{
        {"a write", "INSERT ON steps",
         [](postgres_store& store, operation_record const& head, recoup::record const&) {
             return code_of(store.write(writing(head, steps)));
         }},
        {"a write in parts", "INSERT ON steps",
         [](postgres_store& store, operation_record const& head, recoup::record const&) {
             auto what = writing(head, steps);
             what.drop_steps = true;
             return code_of(store.write(what));
         }},
        {"a transaction", "INSERT ON steps",
         [](postgres_store& store, operation_record const& head, recoup::record const&) {
             return code_of(store.transact(
                 head.number, head.epoch,
                 [](recoup::postgres_transaction&) -> recoup::result<recoup::step_record> {
                     return step(0, "lost");
                 }));
         }},
        {"a new record", "INSERT ON records",
         [](postgres_store& store, operation_record const&, recoup::record const&) {
             return code_of(store.save(record_of("new")));
         }},
        {"a record", "UPDATE ON records",
         [](postgres_store& store, operation_record const&, recoup::record const& there) {
             return code_of(store.save(there));
         }},
        {"an erase", "DELETE ON records",
         [](postgres_store& store, operation_record const&, recoup::record const& there) {
             return code_of(store.erase(there.id, there.revision));
         }},
        {"a wish to cancel", "UPDATE ON operations",
         [](postgres_store& store, operation_record const& head, recoup::record const&) {
             return code_of(store.request_cancel(head.number));
         }},
        {"a removal", "DELETE ON operations",
         [](postgres_store& store, operation_record const& head, recoup::record const&) {
             value_of(store.write({.number = head.number, .epoch = head.epoch, .release = true}));
             return code_of(store.remove(head.number, head.epoch));
         }},
    };
    return all;
}

/// What the store says to a change of which nothing remains.
std::uint64_t said_to(thwarted const& one) {
    auto options = fresh_options();
    options.call_wait = 1s;
    auto const& s = options.schema;
    auto const store = open_store(options);
    auto const owner = value_of(store->enter("tests", 1h));
    auto const begun = value_of(store->start(operation("a"), owner)).record;
    auto there = record_of("there");
    there.revision = value_of(store->save(there));
    auto when = std::string{one.when};
    when.insert(when.rfind(' ') + 1, s + ".");
    plain_client client;
    client.run("CREATE FUNCTION " + s +
               ".lose() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'");
    client.run("CREATE TRIGGER loser BEFORE " + when + " FOR EACH ROW EXECUTE FUNCTION " + s +
               ".lose()");
    return one.change(*store, begun, there);
}

TEST_CASE("a trigger that comes while a store is open loses nothing in silence") {
    for (auto const& one : all_thwarted()) {
        INFO(one.name);
        CHECK(said_to(one) == number_of(store_errc::corrupt));
    }
}

TEST_CASE("the suite notices where it is ignored how many rows were changed") {
    planted_counts const lies;
    planted_words const steps{"(SELECT count(*) FROM put)",
                              "(SELECT count(*) FROM unnest($13::bigint[]))"};
    for (auto const& one : all_thwarted()) {
        INFO(one.name);
        CHECK(said_to(one) == 0);
    }
    CHECK(steps.made() > 0);
}

TEST_CASE("a step that was lost to a trigger is missed when the steps are read") {
    auto const options = fresh_options();
    auto const& s = options.schema;
    auto const store = open_store(options);
    auto const owner = value_of(store->enter("tests", 1h));
    auto const begun = value_of(store->start(operation("a"), owner)).record;
    plain_client client;
    client.run("CREATE FUNCTION " + s +
               ".lose() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'");
    client.run("CREATE TRIGGER loser BEFORE INSERT ON " + s +
               ".steps FOR EACH ROW EXECUTE FUNCTION " + s + ".lose()");
    std::vector const steps{step(0, "lost")};
    CHECK(error_of(store->write(writing(begun, steps))).code() == store_errc::corrupt);
    CHECK(error_of(store->steps(begun.number)).code() == store_errc::corrupt);
}

TEST_CASE("only a plain name is taken for a schema") {
    for (auto const* name : {"", "Recoup", "1st", "a-b", "a\"; DROP SCHEMA public; --", "pg_recoup",
                             "information_schema", "a b"}) {
        auto options = fresh_options();
        options.schema = name;
        CHECK(refusal(options).category() == recoup::category::configuration);
    }
    auto options = fresh_options();
    options.schema = std::string(49, 'a');
    CHECK(refusal(options).code() == store_errc::foreign_schema);
}

TEST_CASE("power_loss is refused where the session would not wait for the disk") {
    auto options = fresh_options();
    auto const* const late = "options='-c synchronous_commit=off'";
    auto const why = refusal(options, late);
    CHECK(why.code() == store_errc::setting_refused);
    CHECK_THAT(why.message(), ContainsSubstring("set synchronous_commit = on"));
    options.durability = recoup::durability::process_crash;
    CHECK(open_store(options, late)->durability() == recoup::durability::process_crash);
}

TEST_CASE("power_loss is refused where the server would not sync, or would tear a page") {
    auto const options = fresh_options();
    for (auto const* setting : {"fsync", "full_page_writes"}) {
        auto const unsafe = server_with({std::string{setting} + "=off"});
        auto const why = error_of(postgres_store::open(unsafe->connection_string(), options));
        CHECK(why.code() == store_errc::setting_refused);
        CHECK_THAT(why.message(), ContainsSubstring("set " + std::string{setting} + " = on"));
    }
}

TEST_CASE("what was read of synchronous_commit stays, whatever is set meanwhile") {
    plain_client client;
    client.run("CREATE ROLE hasty LOGIN SUPERUSER PASSWORD 'quick'");
    auto const options = fresh_options();
    auto const store = value_of(postgres_store::open(conninfo_of("hasty", "quick"), options));
    client.run("ALTER SYSTEM SET synchronous_commit = off");
    client.run("SELECT pg_reload_conf()");
    auto const owner = value_of(store->enter("tests", 1h));
    auto const begun = value_of(store->start(operation("a"), owner)).record;
    std::string seen;
    value_of(store->transact(
        begun.number, begun.epoch,
        [&](recoup::postgres_transaction& in) -> recoup::result<recoup::step_record> {
            auto const took =
                in.query("SHOW synchronous_commit", [&](auto const& row) { seen = row.text(0); });
            if (!took.has_value()) return took.error();
            return step(0);
        }));
    client.run("ALTER SYSTEM RESET synchronous_commit");
    client.run("SELECT pg_reload_conf()");
    CHECK(seen == "on");
}

TEST_CASE("a database that cannot keep every text is refused") {
    plain_client client;
    client.run("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0");
    auto const why = refusal(fresh_options(), "dbname=latin");
    CHECK(why.code() == store_errc::setting_refused);
    CHECK_THAT(why.message(), ContainsSubstring("expected UTF8"));
}

TEST_CASE("the password is in no text") {
    std::string const secret = "s3cret-of-the-worker";
    plain_client client;
    client.run("CREATE ROLE worker LOGIN PASSWORD '" + secret + "'");
    client.run("GRANT CREATE ON DATABASE postgres TO worker");
    auto const options = fresh_options();
    auto const right = conninfo_of("worker", secret);
    auto const store = value_of(postgres_store::open(right, options));
    CHECK(store->path().find(secret) == std::string::npos);
    CHECK_THAT(store->path(), ContainsSubstring("127.0.0.1") && ContainsSubstring("as worker"));
    CHECK_THAT(store->path(), ContainsSubstring(options.schema));
    for (auto const& conninfo :
         {conninfo_of("nobody", secret), conninfo_of("worker", secret + "x"),
          "host=127.0.0.1 " + secret, "host=127.0.0.1 password='" + secret,
          "unknown_word=" + secret, "postgresql://worker:" + secret + "@[/jobs",
          "postgresql://worker:" + secret + "@127.0.0.1:1/jobs",
          "host=127.0.0.1 port=" + secret + " password=" + secret,
          "host=" + secret + ".invalid password=" + secret}) {
        auto const why = error_of(postgres_store::open(conninfo, options));
        INFO(why.describe());
        CHECK(why.describe().find(secret) == std::string::npos);
    }
    // Nor where the server repeats what it was told.
    client.run("DROP OWNED BY worker CASCADE");
    auto const gone = error_of(store->load(record_of("a").id));
    INFO(gone.describe());
    CHECK(gone.describe().find(secret) == std::string::npos);
    CHECK(gone.code() == store_errc::foreign_schema);
}

TEST_CASE("an identity that the database cannot keep is refused, and spoils nothing") {
    auto const store = open_store(fresh_options());
    for (auto const& key : {std::string{"a\0b", 3}, std::string{"\xC3("}, std::string{"a\nb"},
                            std::string(513, 'k'), std::string{}}) {
        auto what = record_of(key);
        CHECK(error_of(store->save(what)).category() == recoup::category::invalid_input);
        CHECK(error_of(store->load(what.id)).category() == recoup::category::invalid_input);
        CHECK(error_of(store->start(operation(key), 0)).category() ==
              recoup::category::invalid_input);
    }
    value_of(store->save(record_of("plain")));
    CHECK(value_of(store->list()).size() == 1);
}

/// A store with a record and an operation of three steps, and neighbours of both.
struct something_stored {
    recoup::postgres_store_options options = fresh_options();
    std::unique_ptr<postgres_store> store = open_store(options);
    recoup::operation_record damaged, whole;

    something_stored() {
        value_of(store->save(record_of("damaged")));
        value_of(store->save(record_of("whole")));
        auto const owner = value_of(store->enter("tests", 1h));
        for (auto* one : {&damaged, &whole}) {
            auto what = operation(one == &damaged ? "damaged" : "whole");
            what.input = "an input";
            *one = value_of(store->start(what, owner)).record;
            std::vector const steps{step(0, "zero"), step(1, "one"), step(2, "two")};
            value_of(store->write(writing(*one, steps)));
        }
    }
    void hurt(std::string const& sql, std::string const& where) const {
        plain_client client;
        auto const dot = sql.find("TABLE.");
        auto text = sql;
        text.replace(dot, 6, options.schema + ".");
        client.run(text + " WHERE " + where);
    }
    [[nodiscard]] std::string here() const { return "number = " + std::to_string(damaged.number); }
};

TEST_CASE("a damaged record is told from none, and the others go on") {
    something_stored all;
    auto const* const damage = GENERATE(
        "UPDATE TABLE.records SET payload = set_byte(payload, 40, get_byte(payload, 40) # 1)",
        "UPDATE TABLE.records SET payload = substring(payload from 1 for 60)",
        "UPDATE TABLE.records SET status = 3", "UPDATE TABLE.records SET expires = 1",
        "UPDATE TABLE.records SET revision = revision + 1",
        "UPDATE TABLE.records SET key = 'renamed'", "UPDATE TABLE.records SET payload = ''");
    all.hurt(damage, "key = 'damaged'");
    auto const id =
        record_of(std::string_view{damage}.find("renamed") == std::string_view::npos ? "damaged"
                                                                                     : "renamed")
            .id;
    auto const why = error_of(all.store->load(id));
    CHECK(why.code() == store_errc::corrupt);
    CHECK(value_of(all.store->load(record_of("whole").id)).has_value());
    CHECK(value_of(all.store->list()).size() == 1);
    value_of(all.store->clean_up(recoup::system_time::max(), 100));
    CHECK(error_of(all.store->load(id)).code() == store_errc::corrupt);
    auto const met = value_of(all.store->damaged());
    REQUIRE(met.size() == 1);
    CHECK(met[0].id.name == "call");
    auto const verified = value_of(all.store->verify());
    CHECK_FALSE(verified.ok());
    CHECK(verified.damaged_rows == 1);
    CHECK(verified.records == 1);
}

TEST_CASE("a damaged operation is told from none, and the others go on") {
    something_stored all;
    auto const* const damage = GENERATE(
        "UPDATE TABLE.operations SET payload = set_byte(payload, 70, get_byte(payload, 70) # 1)",
        "UPDATE TABLE.operations SET identity = set_byte(identity, 9, get_byte(identity, 9) # 1)",
        "UPDATE TABLE.operations SET status = 1", "UPDATE TABLE.operations SET due = due + 1",
        "UPDATE TABLE.operations SET slept = slept - 1", "UPDATE TABLE.operations SET expires = 1",
        "UPDATE TABLE.operations SET epoch = epoch + 1", "UPDATE TABLE.operations SET owner = 0",
        "UPDATE TABLE.operations SET cancel = 1", "UPDATE TABLE.operations SET writes = 0",
        "UPDATE TABLE.operations SET mark = mark + 1", "UPDATE TABLE.operations SET parent = 3",
        "UPDATE TABLE.operations o SET payload = (SELECT payload FROM TABLE.operations p "
        "WHERE p.key = 'whole')");
    auto sql = std::string{damage};
    for (auto at = sql.find("TABLE.", sql.find("TABLE.") + 1); at != std::string::npos;
         at = sql.find("TABLE."))
        sql.replace(at, 6, all.options.schema + ".");
    if (sql.find("TABLE.") == std::string::npos)
        sql.replace(sql.find(all.options.schema), all.options.schema.size() + 1, "TABLE.");
    all.hurt(sql, all.here());
    CHECK(error_of(all.store->find(all.damaged.id)).code() == store_errc::corrupt);
    CHECK(error_of(all.store->steps(all.damaged.number)).code() == store_errc::corrupt);
    CHECK(value_of(all.store->find(all.whole.id)).has_value());
    CHECK(value_of(all.store->operations()).size() == 1);
    CHECK(value_of(all.store->clean_up(recoup::system_time::max(), 100)) == 0);
    auto const met = value_of(all.store->damaged());
    REQUIRE_FALSE(met.empty());
    CHECK(met[0].number == all.damaged.number);
    CHECK(value_of(all.store->verify()).damaged_rows == 1);
}

TEST_CASE("a fence that was tampered with lets nobody write") {
    something_stored all;
    all.hurt("UPDATE TABLE.operations SET epoch = epoch + 1", all.here());
    auto next = all.damaged;
    ++next.epoch;
    std::vector const steps{step(3)};
    CHECK(error_of(all.store->write(writing(next, steps))).code() == store_errc::corrupt);
    CHECK(error_of(all.store->request_cancel(next.number)).code() == store_errc::corrupt);
    CHECK(error_of(all.store->take(next.number, next.epoch, 1)).code() == store_errc::corrupt);
}

TEST_CASE("steps that are lost, changed, added or of an earlier time are noticed") {
    something_stored all;
    auto const* const damage = GENERATE(
        "DELETE FROM TABLE.steps", "UPDATE TABLE.steps SET payload = set_byte(payload, 40, 255)",
        "UPDATE TABLE.steps SET idx = 9", "UPDATE TABLE.steps SET writes = 2",
        "UPDATE TABLE.steps SET operation = operation + 1000");
    all.hurt(damage, "operation = " + std::to_string(all.damaged.number) + " AND idx = 2");
    CHECK(error_of(all.store->steps(all.damaged.number)).code() == store_errc::corrupt);
    CHECK(value_of(all.store->steps(all.whole.number)).size() == 3);
    auto const verified = value_of(all.store->verify());
    REQUIRE(verified.damaged.size() == 1);
    CHECK(verified.damaged[0].number == all.damaged.number);
    CHECK(verified.operations == 2);
}

TEST_CASE("a forked child is refused, and its parent's store goes on") {
    something_stored all;
    child forked{[&](int to) {
        auto const code = [](auto const& got) {
            return static_cast<std::uint64_t>(got.error().code().value());
        };
        report(to, code(all.store->load(record_of("whole").id)));
        report(to, code(all.store->save(record_of("new"))));
        report(to, code(all.store->find(all.whole.id)));
        report(to, code(all.store->start(operation("new"), 0)));
        std::vector const steps{step(5)};
        report(to, code(all.store->write(writing(all.whole, steps))));
        report(to, code(all.store->claim(claiming(1))));
        all.store.reset();  // as a child that returns from main does
        return 0;
    }};
    for (int call = 0; call != 6; ++call)
        CHECK(forked.next() == static_cast<std::uint64_t>(store_errc::forked));
    CHECK(forked.wait() == 0);
    CHECK(value_of(all.store->load(record_of("whole").id)).has_value());
    CHECK(value_of(all.store->find(all.whole.id)) == all.whole);
    std::vector const steps{step(5)};
    value_of(all.store->write(writing(all.whole, steps)));
}

}  // namespace
