// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/postgres_engine.hpp>
#include <recoup/store/durable_store.hpp>
#include <recoup/store/postgres_options.hpp>
#include <recoup/store/postgres_transaction.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace recoup::inline v1 {

/// Keeps records and durable operations in a PostgreSQL database, for any number of processes and hosts.
/// Link libpq (`recoup::postgres`).
///
/// The tables lie in a schema of their own, which is made where it is missing; their SQL is plain, so that
/// CockroachDB and YugabyteDB can serve. Host, user, TLS and all else about the connection is the business
/// of the connection string (`sslmode=verify-full sslrootcert=…`).
///
/// - Concurrent starts and writes share a statement and its commit, each with a verdict of its own. A write
///   takes the fence and records its steps in one statement.
/// - A call goes on over a restart of the server, for `call_wait` at most. What was under way when the
///   connection broke is looked up, and done only where it was not: a call that returns a value has been
///   done once, one that says `unavailable` may have been done or not.
/// - Owners live by their lease alone, on the database's clock; a write renews it. Those who entered by this
///   object leave with it.
/// - A damaged row is `corrupt` and left as it is; the others go on. `damaged()` tells which were met,
///   `verify()` looks for all.
/// - In a forked child every call is `forked`; the parent's store is not disturbed.
/// - What has ended and expired by the wall clock is removed at every 256th save or start, some at a time.
///
/// Thread safety: all members may be called concurrently; `connections_max` of them use the database at
/// once.
class postgres_store {
  public:
    /// Connects, and makes the schema where it is missing.
    ///
    /// `conninfo`: `host=db dbname=jobs user=worker`, or `postgresql://worker@db/jobs`; what it leaves out
    /// comes from the environment, as in every program of libpq's.
    ///
    /// Throws: recovery_error with a `store_errc`; std::bad_alloc.
    explicit postgres_store(std::string const& conninfo, postgres_store_options options = {}) {
        if (auto opened = start(conninfo, std::move(options)); !opened.has_value())
            throw recovery_error{opened.error()};
    }

    /// The same, with the failure as a value.
    static result<std::unique_ptr<postgres_store>> open(std::string const& conninfo,
                                                        postgres_store_options options = {}) {
        std::unique_ptr<postgres_store> store{new postgres_store};
        if (auto opened = store->start(conninfo, std::move(options)); !opened.has_value())
            return opened.error();
        return store;
    }

    postgres_store(postgres_store const&) = delete;
    postgres_store& operator=(postgres_store const&) = delete;
    ~postgres_store() = default;

    [[nodiscard]] result<std::optional<record>> load(operation_ref id,
                                                     duration at_most = unlimited) {
        if (auto bad = engine_->check(id, 0)) return *bad;
        return engine_->records.load(id, at_most);
    }

    [[nodiscard]] result<std::uint64_t> save(record const& what, duration at_most = unlimited) {
        if (auto bad = engine_->check(what.id, detail::encoded_size(what))) return *bad;
        auto saved = engine_->records.save(what, at_most);
        if (saved.has_value()) engine_->clean_up_now_and_then();
        return saved;
    }

    [[nodiscard]] result<void> erase(operation_ref id, std::uint64_t revision,
                                     duration at_most = unlimited) {
        if (auto bad = engine_->check(id, 0)) return *bad;
        return engine_->records.erase(id, revision, at_most);
    }

    [[nodiscard]] result<std::vector<record>> list(record_filter const& filter = {}) {
        return engine_->records.list(filter);
    }

    [[nodiscard]] result<std::size_t> clean_up(system_time now, std::size_t most) {
        auto removed = engine_->records.clean_up(now, most);
        if (!removed.has_value()) return removed;
        auto const more = engine_->operations.clean_up(now, most - removed.value());
        if (!more.has_value()) return more.error();
        return removed.value() + more.value();
    }

    [[nodiscard]] recoup::durability durability() const noexcept {
        return engine_->options.durability;
    }

    /// The namespace that was given for operations that name none.
    [[nodiscard]] std::string const& space() const noexcept { return engine_->options.space; }

    /// Where the store is, for people: without the password.
    [[nodiscard]] std::string path() const { return engine_->pool.shown(); }

    /// The damaged rows that were met since opening; at most 64.
    [[nodiscard]] result<std::vector<damaged_row>> damaged() const { return engine_->damage.all(); }

    /// Reads everything and says what is wrong. Changes nothing.
    [[nodiscard]] result<postgres_verification> verify() {
        postgres_verification found;
        if (auto done = engine_->records.verify(found); !done.has_value()) return done.error();
        if (auto done = engine_->operations.verify(found); !done.has_value()) return done.error();
        return found;
    }

    // ---- durable operations: see `durable_store`

    /// The user's own rows, in the transaction of a step.
    using transaction = postgres_transaction;

    [[nodiscard]] result<std::uint64_t> enter(std::string const& who, duration lease) {
        return engine_->owners.enter(who, lease);
    }

    [[nodiscard]] result<std::vector<std::uint64_t>> renew(std::uint64_t owner, duration lease) {
        return engine_->owners.renew(owner, lease);
    }

    [[nodiscard]] result<void> leave(std::uint64_t owner) { return engine_->owners.leave(owner); }

    [[nodiscard]] result<started_operation> start(operation_record const& head, std::uint64_t owner,
                                                  duration at_most = unlimited) {
        if (auto bad = engine_->check(head.id, detail::encoded_size(head))) return *bad;
        if (engine_->pool.forked()) return engine_->forked();
        auto started = engine_->start(head, owner, at_most);
        if (started.has_value() && started.value().made) engine_->clean_up_now_and_then();
        return started;
    }

    [[nodiscard]] result<std::vector<operation_record>> claim(claim_request const& request) {
        return engine_->operations.claim(request);
    }

    [[nodiscard]] result<operation_record> take(std::uint64_t number, std::uint64_t epoch,
                                                std::uint64_t owner) {
        return engine_->operations.take(number, epoch, owner);
    }

    [[nodiscard]] result<write_receipt> write(operation_write const& what,
                                              duration at_most = unlimited) {
        return engine_->write(what, at_most);
    }

    /// Runs `body(postgres_transaction&) -> result<step_record>` in a transaction, and records the step that
    /// it returns in that: the rows that it wrote and the step are there both or neither.
    ///
    /// Where the server takes the transaction back because of others, or the connection is lost before it
    /// was done, `body` is called again, over nothing of what it wrote before. Where it fails or throws, all
    /// is taken back. It must not call the store.
    template <class Body>
    [[nodiscard]] result<write_receipt> transact(std::uint64_t number, std::uint64_t epoch,
                                                 Body&& body, duration at_most = unlimited) {
        return engine_->transact(number, epoch, body, at_most);
    }

    [[nodiscard]] result<void> request_cancel(std::uint64_t number) {
        return engine_->operations.request_cancel(number);
    }

    [[nodiscard]] result<void> remove(std::uint64_t number, std::uint64_t epoch) {
        return engine_->operations.remove(number, epoch);
    }

    [[nodiscard]] result<std::optional<operation_record>> find(operation_ref id,
                                                               duration at_most = unlimited) {
        if (auto bad = engine_->check(id, 0)) return *bad;
        return engine_->operations.find(id, at_most);
    }

    [[nodiscard]] result<std::vector<operation_record>> operations(
        operation_filter const& filter = {}) {
        return engine_->operations.list(filter);
    }

    [[nodiscard]] result<std::vector<step_record>> steps(std::uint64_t number,
                                                         duration at_most = unlimited) {
        return engine_->operations.steps(number, at_most);
    }

  private:
    postgres_store() = default;

    result<void> start(std::string const& conninfo, postgres_store_options&& options) {
        if (!detail::valid_schema_name(options.schema))
            return failure{category::configuration, make_error_code(store_errc::foreign_schema),
                           "\"" + detail::printable_message(options.schema) +
                               "\" cannot be the name of a schema; expected a lower-case letter or "
                               "underscore, then those and digits, at most 48, and not pg_…"};
        auto target = detail::read_conninfo(conninfo, options.schema);
        if (!target.has_value()) return target.error();
        auto made = std::make_unique<detail::postgres_engine>(std::move(target.value()),
                                                              std::move(options));
        if (auto opened = made->open(); !opened.has_value()) return opened;
        engine_ = std::move(made);
        return success();
    }

    std::unique_ptr<detail::postgres_engine> engine_;
};

static_assert(durable_store<postgres_store>);

}  // namespace recoup::inline v1
