// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/postgres_store.hpp>

#include "support/catch.hpp"

#include "postgres/planted.hpp"
#include "postgres/server.hpp"

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <thread>

// Who may write: epochs, leases, takeovers, by many threads and processes.

namespace {

using namespace recoup_test;
using recoup::store_errc;
using namespace std::chrono_literals;

/// Asks again until `holds`, for a minute.
bool eventually(auto const& holds) {
    auto const until = std::chrono::steady_clock::now() + 60s;
    while (!holds())
        if (std::chrono::steady_clock::now() > until) return false;
    return true;
}

/// Whether a session of the server waits for a lock on the tables of `schema`.
bool waits_now(plain_client& client, std::string const& schema) {
    return client.ask(
               "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
               "AND query LIKE '%" +
               schema + "%' AND pid <> pg_backend_pid()") != "0";
}
/// Until one does.
bool somebody_waits(plain_client& client, std::string const& schema) {
    return eventually([&] { return waits_now(client, schema); });
}

/// What became of a call that waited for a takeover.
struct late_call {
    bool waited = false;
    std::uint64_t code = 0;
    int bodies = 0;  ///< of a transaction: how often it was called
    std::string steps;
};

enum class way_to_write { at_once, in_parts, in_a_transaction };

late_call write_during_takeover(recoup::postgres_store_options const& options, way_to_write how) {
    auto const store = open_store(options);
    auto const owner = value_of(store->enter("tests", 1h));
    auto const begun = value_of(store->start(operation("a"), owner)).record;
    plain_client client;
    // The takeover, by hand: it has the row, and is not committed yet.
    client.run("BEGIN");
    client.run("UPDATE " + options.schema + ".operations SET epoch = epoch + 1, seal = seal + 3");
    late_call late;
    std::jthread writer{[&] {
        if (how == way_to_write::in_a_transaction) {
            late.code = code_of(store->transact(
                begun.number, begun.epoch,
                [&](recoup::postgres_transaction&) -> recoup::result<recoup::step_record> {
                    ++late.bodies;
                    return step(0, "late");
                }));
            return;
        }
        std::vector const steps{step(0, "late")};
        auto what = writing(begun, steps);
        what.drop_steps = how == way_to_write::in_parts;
        late.code = code_of(store->write(what));
    }};
    plain_client looking;
    late.waited = somebody_waits(looking, options.schema);
    client.run("COMMIT");
    writer.join();
    late.steps = looking.ask("SELECT count(*) FROM " + options.schema + ".steps");
    return late;
}

TEST_CASE("a write that waits for a takeover is fenced, though it began before", "[concurrent]") {
    auto const how = GENERATE(way_to_write::at_once, way_to_write::in_parts);
    auto const late = write_during_takeover(fresh_options(), how);
    CHECK(late.waited);
    CHECK(late.code == number_of(store_errc::fenced));
    CHECK(late.steps == "0");
}

TEST_CASE("a transaction that waits for a takeover is fenced before its body runs",
          "[concurrent]") {
    auto const late = write_during_takeover(fresh_options(), way_to_write::in_a_transaction);
    CHECK(late.waited);
    CHECK(late.code == number_of(store_errc::fenced));
    CHECK(late.bodies == 0);
    CHECK(late.steps == "0");
}

TEST_CASE("the suite notices a fence that compares the epoch without the row's lock",
          "[concurrent]") {
    auto const how =
        GENERATE(way_to_write::at_once, way_to_write::in_parts, way_to_write::in_a_transaction);
    auto const options = fresh_options();
    // By a look of its own, which is at what there was when the statement began.
    auto const bare = [&](std::string const& number, std::string const& epoch) {
        return "EXISTS (SELECT 1 FROM " + options.schema +
               ".operations e WHERE e.number = " + number + " AND e.epoch = " + epoch + ")";
    };
    planted_words const fence{"o.epoch = w.epoch", bare("w.number", "w.epoch")};
    planted_words const fence_one{"o.epoch = $2::bigint AND o.owner <> 0",
                                  bare("$1::bigint", "$2::bigint") + " AND o.owner <> 0"};
    auto const late = write_during_takeover(options, how);
    CHECK(fence.made() + fence_one.made() == 1);
    CHECK(late.waited);
    CHECK(late.code == 0);
    CHECK(late.steps == "1");
}

/// What is claimed while somebody else has the first of three, and whether that was waited for.
struct claim_beside {
    bool waited = false;
    std::string failed;
    std::vector<recoup::operation_record> claimed;
    std::size_t claimed_after = 0;
};

claim_beside claim_beside_a_lock() {
    auto const options = fresh_options();
    auto const store = open_store(options);
    auto const owner = value_of(store->enter("tests", 1h));
    for (auto const* key : {"a", "b", "c"}) value_of(store->start(operation(key), 0));
    plain_client client;
    client.run("BEGIN");
    client.run("SELECT 1 FROM " + options.schema + ".operations WHERE key = 'a' FOR UPDATE");
    claim_beside seen;
    std::atomic<bool> over{false};
    std::jthread claiming_beside{[&] {
        auto got = store->claim(claiming(owner));
        if (got.has_value())
            seen.claimed = std::move(got).assume_value();
        else
            seen.failed = got.error().describe();
        over = true;
    }};
    plain_client looking;
    seen.waited =
        !eventually([&] { return over.load() || waits_now(looking, options.schema); }) || !over;
    client.run("ROLLBACK");
    claiming_beside.join();
    seen.claimed_after = value_of(store->claim(claiming(owner))).size();
    return seen;
}

TEST_CASE("a claim leaves what somebody else is about to have, and does not wait for it",
          "[concurrent]") {
    auto const seen = claim_beside_a_lock();
    CHECK_FALSE(seen.waited);
    CHECK(seen.failed == "");
    REQUIRE(seen.claimed.size() == 2);
    CHECK(seen.claimed[0].id.key == "b");
    CHECK(seen.claimed[1].id.key == "c");
    CHECK(seen.claimed_after == 1);
}

TEST_CASE("the suite notices a claim that waits for locked rows", "[concurrent]") {
    planted_words const waiting{" SKIP LOCKED", ""};
    auto const seen = claim_beside_a_lock();
    CHECK(waiting.made() > 0);
    CHECK(seen.waited);
    CHECK(seen.claimed.size() == 3);
}

/// What two have claimed, of whom one looked before the other's claim and takes after it.
struct crossed_claims {
    std::string failed;
    std::size_t claimed = 0;
    std::size_t claimed_late = 0;
    std::uint64_t write = 0;  ///< what the first was told when it wrote then
};

crossed_claims claim_after_a_late_look(bool known) {
    auto const options = fresh_options();
    auto const& s = options.schema;
    auto const store = open_store(options);
    value_of(store->start(operation("a"), 0));
    // A user whose every look at a row waits for a lock of the test's: after its statement took its
    // snapshot, and before it locks a row.
    plain_client client;
    client.run("CREATE ROLE late_" + s + " LOGIN PASSWORD 'late'");
    client.run("GRANT ALL ON SCHEMA " + s + " TO late_" + s);
    client.run("GRANT ALL ON ALL TABLES IN SCHEMA " + s + " TO late_" + s);
    client.run("GRANT ALL ON ALL SEQUENCES IN SCHEMA " + s + " TO late_" + s);
    auto const late =
        value_of(recoup::postgres_store::open(conninfo_of("late_" + s, "late"), options));
    auto const late_owner = value_of(late->enter("late", 1h));
    auto owner = known ? value_of(store->enter("in between", 1h)) : 0;
    client.run("SELECT pg_advisory_lock(4711)");
    client.run("ALTER TABLE " + s + ".operations ENABLE ROW LEVEL SECURITY");
    client.run("CREATE POLICY late ON " + s +
               ".operations USING (pg_advisory_lock_shared(4711) IS NOT NULL)");
    crossed_claims seen;
    std::jthread claiming_late{[&] {
        auto const got = late->claim(claiming(late_owner));
        if (got.has_value())
            seen.claimed_late = got.value().size();
        else
            seen.failed = got.error().describe();
    }};
    plain_client looking;
    CHECK(somebody_waits(looking, s));
    // This one enters only now, where the other's snapshot does not see it.
    if (owner == 0) owner = value_of(store->enter("in between", 1h));
    auto const claimed = value_of(store->claim(claiming(owner)));
    client.run("SELECT pg_advisory_unlock(4711)");
    claiming_late.join();
    seen.claimed = claimed.size();
    if (!claimed.empty()) seen.write = code_of(store->write(writing(claimed[0], {})));
    return seen;
}

TEST_CASE("a claim that looked before another's and takes after it does not take the same",
          "[concurrent]") {
    auto const known = GENERATE(true, false);
    INFO("the other owner " << (known ? "had" : "had not") << " entered when it looked");
    auto const seen = claim_after_a_late_look(known);
    CHECK(seen.failed == "");
    CHECK(seen.claimed == 1);
    CHECK(seen.claimed_late == 0);
    CHECK(seen.write == 0);
}

TEST_CASE("the suite notices a claim that does not look at the epoch it has seen", "[concurrent]") {
    planted_words const unseen{" AND seen.epoch = o.epoch", ""};
    auto const seen = claim_after_a_late_look(false);
    CHECK(unseen.made() > 0);
    CHECK(seen.claimed == 1);
    CHECK(seen.claimed_late == 1);
    CHECK(seen.write == number_of(store_errc::fenced));
}

TEST_CASE("a frozen owner is taken over once its lease has passed, and fenced when it thaws") {
    auto const options = fresh_options();
    open_store(options);
    child frozen{[&](int to) {
        auto const store = open_store(options);
        auto const owner = store->enter("frozen", 200ms).value();
        auto const begun = store->start(operation("a"), owner).value().record;
        report(to, begun.number);
        ::raise(SIGSTOP);
        std::vector const steps{step(0, "late")};
        report(to, code_of(store->write(writing(begun, steps))));
        report(to, code_of(store->renew(owner, 1h)));
        report(to, code_of(store->transact(
                       begun.number, begun.epoch,
                       [](recoup::postgres_transaction&) -> recoup::result<recoup::step_record> {
                           return step(0);
                       })));
        return 0;
    }};
    auto const number = frozen.next();
    REQUIRE(number.has_value());
    await_stop(frozen);
    auto const store = open_store(options);
    auto const owner = value_of(store->enter("tests", 1h));
    std::vector<recoup::operation_record> claimed;
    REQUIRE(eventually([&] {
        claimed = value_of(store->claim(claiming(owner)));
        return !claimed.empty();
    }));
    CHECK(claimed[0].number == *number);
    CHECK(claimed[0].epoch > 1);
    std::vector const steps{step(0, "of the next owner")};
    value_of(store->write(writing(claimed[0], steps)));
    ::kill(frozen.pid(), SIGCONT);
    CHECK(frozen.next() == number_of(store_errc::fenced));
    CHECK(frozen.next() == number_of(store_errc::fenced));
    CHECK(frozen.next() == number_of(store_errc::fenced));
    CHECK(value_of(store->steps(*number)) == steps);
}

TEST_CASE("who is killed is taken over when its lease has passed, and not before") {
    auto const options = fresh_options();
    auto const store = open_store(options);
    constexpr auto lease = 1500ms;
    auto const before = std::chrono::steady_clock::now();
    {
        child killed{[&](int to) {
            auto const mine = open_store(options);
            auto const owner = mine->enter("killed", lease).value();
            report(to, mine->start(operation("a"), owner).value().record.number);
            ::raise(SIGKILL);
            return 0;
        }};
        REQUIRE(killed.next().has_value());
        CHECK(killed.wait() == -SIGKILL);
    }
    auto const owner = value_of(store->enter("tests", 1h));
    REQUIRE(eventually([&] { return !value_of(store->claim(claiming(owner))).empty(); }));
    CHECK(std::chrono::steady_clock::now() - before >= lease);
}

TEST_CASE("a write begins the lease anew") {
    auto const options = fresh_options();
    auto const store = open_store(options);
    plain_client client;
    auto const owners = options.schema + ".owners";
    auto const left = [&] {
        return std::stoll(
            client.ask("SELECT expires / 1000000 - extract(epoch FROM "
                       "clock_timestamp())::bigint FROM " +
                       owners));
    };
    auto const owner = value_of(store->enter("writing", 1h));
    auto const begun = value_of(store->start(operation("a"), owner)).record;
    // As if all but a minute of it had passed.
    client.run("UPDATE " + owners + " SET expires = expires - 59 * 60 * 1000000::bigint");
    REQUIRE(left() <= 61);
    value_of(store->write(writing(begun, {})));
    CHECK(left() >= 3590);
    // As if all of it had.
    client.run("UPDATE " + owners + " SET expires = 1");
    auto const other = value_of(store->enter("waiting", 1h));
    CHECK(value_of(store->claim(claiming(other))).size() == 1);
}

TEST_CASE("who writes again and again keeps a short lease, though not every write renews it") {
    auto const options = fresh_options();
    auto const store = open_store(options);
    constexpr auto lease = 500ms;
    auto const owner = value_of(store->enter("writing", lease));
    auto const other = value_of(store->enter("waiting", 1h));
    auto const begun = value_of(store->start(operation("a"), owner)).record;
    auto const until = std::chrono::steady_clock::now() + 3 * lease;
    while (std::chrono::steady_clock::now() < until) {
        auto const before = std::chrono::steady_clock::now();
        value_of(store->write(writing(begun, {})));
        if (value_of(store->claim(claiming(other))).empty()) continue;
        // Only where this process was held up for so long between the two.
        REQUIRE(std::chrono::steady_clock::now() - before >= lease);
        return;
    }
    CHECK(eventually([&] { return !value_of(store->claim(claiming(other))).empty(); }));
}

TEST_CASE("an owner leaves with the store that it entered by") {
    auto const options = fresh_options();
    auto const other = open_store(options);
    {
        auto const store = open_store(options);
        auto const owner = value_of(store->enter("short", 1h));
        value_of(store->start(operation("a"), owner));
    }
    auto const owner = value_of(other->enter("tests", 1h));
    CHECK(value_of(other->claim(claiming(owner))).size() == 1);
}

TEST_CASE("eight processes claim and finish four hundred operations, each once") {
    constexpr std::uint64_t count = 400;
    auto const options = fresh_options();
    auto const store = open_store(options);
    {
        std::vector<std::jthread> starters;
        for (std::uint64_t first : {0U, 100U, 200U, 300U})
            starters.emplace_back([&, first] {
                for (auto i = first; i != first + 100; ++i)
                    value_of(store->start(operation(std::to_string(i)), 0));
            });
    }
    std::vector<std::unique_ptr<child>> workers;
    for (int worker = 0; worker != 8; ++worker)
        workers.push_back(std::make_unique<child>([&](int to) {
            auto const mine = open_store(options);
            auto const owner = mine->enter("worker", 1min).value();
            for (std::uint64_t round = 0; round <= count; ++round) {
                auto const some = mine->claim(claiming(owner, 5)).value();
                if (some.empty()) return 0;
                for (auto head : some) {
                    head.status = recoup::operation_status::succeeded;
                    std::vector const steps{step(0, std::to_string(owner))};
                    auto what = writing(head, steps);
                    what.head = &head;
                    what.release = true;
                    if (!mine->write(what).has_value()) return 1;
                    report(to, head.number);
                }
            }
            return 2;
        }));
    std::set<std::uint64_t> finished;
    for (auto const& worker : workers) {
        while (auto const number = worker->next()) CHECK(finished.insert(*number).second);
        CHECK(worker->wait() == 0);
    }
    CHECK(finished.size() == count);
    auto const verified = value_of(store->verify());
    CHECK(verified.ok());
    CHECK(verified.steps == count);
}

TEST_CASE("of threads that take over from each other none writes under a lost epoch",
          "[concurrent]") {
    constexpr unsigned threads = 8;
    constexpr unsigned rounds = 15;
    auto const options = fresh_options();
    auto const store = open_store(options);
    auto const begun = value_of(store->start(operation("contended"), 0)).record;
    std::mutex mutex;
    std::map<std::uint64_t, unsigned> acknowledged;  // by epoch: how many steps
    std::atomic<int> odd{0};
    {
        std::vector<std::jthread> all;
        for (unsigned thread = 0; thread != threads; ++thread)
            all.emplace_back([&] {
                for (unsigned round = 0; round != rounds; ++round) {
                    auto const owner = store->enter("racer", 1h);
                    auto const found = store->find(begun.id);
                    if (!owner.has_value() || !found.has_value() || !found.value()) {
                        ++odd;
                        continue;
                    }
                    auto const taken =
                        store->take(begun.number, found.value()->epoch, owner.value());
                    if (taken.has_value()) {
                        auto const index = static_cast<std::uint32_t>(taken.value().epoch);
                        std::vector const steps{step(index, std::to_string(index))};
                        // It leaves first, so that the others race with its write.
                        if (!store->leave(owner.value()).has_value()) ++odd;
                        auto const wrote = store->write(writing(taken.value(), steps));
                        std::lock_guard const lock{mutex};
                        if (wrote.has_value())
                            ++acknowledged[taken.value().epoch];
                        else if (wrote.error().code() != store_errc::fenced)
                            ++odd;
                    } else if (!store->leave(owner.value()).has_value()) {
                        ++odd;
                    }
                }
            });
    }
    CHECK(odd == 0);
    CHECK_FALSE(acknowledged.empty());
    auto const steps = value_of(store->steps(begun.number));
    CHECK(steps.size() == acknowledged.size());
    for (auto const& one : steps) CHECK(acknowledged[one.index] == 1);
}

}  // namespace
