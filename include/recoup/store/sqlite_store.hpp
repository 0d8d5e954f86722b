// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/clock.hpp>
#include <recoup/store/detail/request_box.hpp>
#include <recoup/store/detail/sqlite_engine.hpp>
#include <recoup/store/detail/sqlite_maintenance.hpp>
#include <recoup/store/durable_store.hpp>
#include <recoup/store/operation_request.hpp>
#include <recoup/store/sqlite_options.hpp>
#include <recoup/store/sqlite_transaction.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace recoup::inline v1 {

/// Keeps records and durable operations in a SQLite database: the store to begin with. Link SQLite
/// (`recoup::sqlite`).
///
/// One process, and in it one object, owns the file; another that opens it gets `store_errc::locked`
/// with the owner's name: unless all of them say `sharing::processes`. Calls that write at the same time
/// share a transaction and its sync. Beside the file there are `-wal` and `-shm` of SQLite, and `.lock`, which
/// stays. `sqlite_store_options` says what each durability costs.
///
/// - After a failed sync, or an I/O error on the way to one, nothing is acknowledged any more
///   (`stopped`): the kernel may have dropped what was written, and says so only once. Reading goes on.
/// - A full disk is `full`; saving works again once there is room.
/// - A damaged record (or operation, or step) is `corrupt` and left as it is; the others go on. `damaged()` tells which were met,
///   `verify()` looks for all, `discard()` takes one out. Where the file lacks records it should hold, what
///   is not found is `corrupt` too, until `accept_loss()`.
/// - In a forked child every call is `forked`; the parent's store is not disturbed.
/// - What has ended and expired is removed at opening and at every 256th save, some at a time, and
///   where room is needed. What counts as now there is the newest `updated` that was saved, or the wall
///   clock where that is earlier.
///
/// Thread safety: all members may be called concurrently; one at a time uses the file.
class sqlite_store : private detail::sqlite_engine {
  public:
    /// Opens or makes the file at `path`, and its folder where only that is missing.
    ///
    /// Throws: recovery_error with a `store_errc`; std::bad_alloc.
    explicit sqlite_store(std::string path, sqlite_store_options options = {})
        : sqlite_store{std::move(options)} {
        if (auto opened = start(path); !opened.has_value()) throw recovery_error{opened.error()};
    }

    /// The same, with the failure as a value.
    static result<std::unique_ptr<sqlite_store>> open(std::string const& path,
                                                      sqlite_store_options options = {}) {
        std::unique_ptr<sqlite_store> store{new sqlite_store{std::move(options)}};
        if (auto opened = store->start(path); !opened.has_value()) return opened.error();
        return store;
    }

    sqlite_store(sqlite_store const&) = delete;
    sqlite_store& operator=(sqlite_store const&) = delete;
    ~sqlite_store() {
        // A child's copy of the connection is not its own to close: that could touch the parent's file.
        if (file_->guard.in_another_process())
            static_cast<void>(file_.release());
        else
            inbox_.close();
    }

    [[nodiscard]] result<std::optional<record>> load(operation_ref id,
                                                     duration at_most = unlimited) {
        return look<std::optional<record>>(at_most, [&] { return file_->records.load(id); });
    }

    [[nodiscard]] result<std::uint64_t> save(record const& what, duration at_most = unlimited) {
        auto const bytes = detail::encoded_size(what);
        auto const most = std::min(options_.record_bytes_max, detail::record_bytes_limit);
        if (bytes > most) return detail::too_large(what.id, bytes, most);
        auto saved = change<std::uint64_t>(
            at_most, [&](detail::sqlite_change& change) -> result<std::uint64_t> {
                if (what.revision == 0)
                    if (auto room = room_for_record(change); !room.has_value()) return room.error();
                return file_->records.save(what, change);
            });
        if (saved.has_value()) clean_up_now_and_then();
        return saved;
    }

    [[nodiscard]] result<void> erase(operation_ref id, std::uint64_t revision,
                                     duration at_most = unlimited) {
        return change<void>(at_most, [&](detail::sqlite_change& change) {
            return file_->records.erase(id, revision, change);
        });
    }

    [[nodiscard]] result<std::vector<record>> list(record_filter const& filter = {}) {
        std::vector<record> page;
        auto after = filter.after.value_or(operation_id{});
        for (bool more = page.size() < filter.limit; more;) {
            // Some at a time, so that a long list does not keep others waiting.
            auto scanned = use<bool>(unlimited, [&] {
                return file_->records.scan(after, scanned_at_once,
                                           [&](detail::sqlite_statement const& row) {
                                               take(row, filter, page);
                                               return page.size() < filter.limit;
                                           });
            });
            if (!scanned.has_value()) return scanned.error();
            more = scanned.value() && page.size() < filter.limit;
        }
        return page;
    }

    [[nodiscard]] result<std::size_t> clean_up(system_time now, std::size_t most) {
        std::size_t removed = 0;
        for (bool more = most != 0; more;) {
            auto const wanted = std::min(most - removed, cleaned_at_once);
            auto cleaned = change<std::size_t>(unlimited, [&](detail::sqlite_change& change) {
                return clean(now, wanted, change);
            });
            if (!cleaned.has_value()) return cleaned.error();
            removed += cleaned.value();
            more = cleaned.value() == wanted && removed != most;
        }
        return removed;
    }

    /// Whether `load` may give something other than nothing: where it says no, there is no record. Takes no
    /// lock and some ns; exact up to some thousands of records.
    [[nodiscard]] bool may_contain(operation_ref id) const noexcept {
        return file_->ledger.may_contain(id) || file_->guard.forked();
    }

    [[nodiscard]] recoup::durability durability() const noexcept { return options_.durability; }

    /// The namespace that was given for operations that name none.
    [[nodiscard]] std::string const& space() const noexcept { return options_.space; }

    /// The file, absolute and without links.
    [[nodiscard]] std::string path() const { return file_->guard.path(); }

    /// How many records and operations there are. Complexity: constant; linear in them where `read_only`.
    [[nodiscard]] result<std::uint64_t> size() {
        return look<std::uint64_t>(unlimited, [&]() -> result<std::uint64_t> {
            if (!options_.read_only) {
                auto const account = file_->ledger.current();
                if (!account.has_value()) return account.error();
                return account.value().records + account.value().operations;
            }
            auto counted = file_->ledger.count(nullptr);
            if (!counted.has_value()) return counted.error();
            if (auto done = file_->ledger.count_operations(counted.value()); !done.has_value())
                return done.error();
            return counted.value().records + counted.value().operations;
        });
    }

    /// SQLite's settings as they are in force, read from it now.
    [[nodiscard]] result<std::vector<std::pair<std::string, std::string>>> settings() {
        return use<std::vector<std::pair<std::string, std::string>>>(
            unlimited, [&] { return detail::read_settings(file_->connection); });
    }

    /// The damaged records that were met since opening; at most 64.
    [[nodiscard]] result<std::vector<damaged_record>> damaged() {
        return use<std::vector<damaged_record>>(
            unlimited,
            [&]() -> result<std::vector<damaged_record>> { return file_->records.damaged(); });
    }

    /// Reads everything and says what is wrong. Changes nothing.
    ///
    /// Complexity: linear in the file's size; others are let in between.
    [[nodiscard]] result<sqlite_verification> verify() {
        sqlite_verification found;
        std::int64_t after = INT64_MIN;
        for (bool more = true; more;) {
            auto const checked = use<bool>(unlimited, [&] {
                return detail::verify_rows(*file_, after, scanned_at_once, found);
            });
            if (!checked.has_value()) return checked.error();
            more = checked.value();
        }
        std::uint64_t behind = 0;
        for (bool more = true; more;) {
            auto const checked = look<bool>(unlimited, [&] {
                return detail::verify_operations(*file_, behind, scanned_at_once, found);
            });
            if (!checked.has_value()) return checked.error();
            more = checked.value();
        }
        auto const whole = use<void>(unlimited, [&] { return detail::verify_file(*file_, found); });
        if (!whole.has_value()) return whole.error();
        return found;
    }

    /// Removes one of those that `damaged()` or `verify()` told of: a record, an operation with its steps, or
    /// a step. From then on its identity counts as never recorded, and can be used anew: what it did before
    /// it may do again.
    ///
    /// Returns: `conflict` where that is not damaged, or no longer; then nothing has changed. `stopped` where the
    /// disk refused it: opened anew, the store shows whether it is done.
    [[nodiscard]] result<void> discard(damaged_record const& what) {
        auto gone = change<void>(unlimited, [&](detail::sqlite_change& change) {
            switch (what.kind) {
                case damaged_kind::operation:
                    return detail::discard_operation(*file_, what, change);
                case damaged_kind::step: return detail::discard_step(*file_, what);
                case damaged_kind::record: break;
            }
            return file_->records.discard(what, change);
        });
        if (!gone.has_value()) return gone;
        return use<void>(unlimited, [&] {
            file_->records.forget_damage(what);
            return file_->ledger.take_stock();
        });
    }

    /// Goes on with what is there where the file lacks records, operations or steps. Until then what is not
    /// found is `corrupt`: it may have been there; from then on it counts as never recorded. Read `verify()`
    /// first, and keep a `backup`: there is no way back. What is damaged stays so, see `discard`. Where
    /// nothing is missing it changes nothing.
    [[nodiscard]] result<void> accept_loss() {
        return use<void>(unlimited, [&]() -> result<void> {
            if (auto fit = writable(); !fit.has_value()) return fit;
            auto taken = writer_.alone([&](detail::sqlite_change& change) -> result<void> {
                if (auto done = detail::accept_all_steps(*file_); !done.has_value()) return done;
                if (auto done = file_->ledger.accept_what_is_there(); !done.has_value())
                    return done;
                auto const account = file_->ledger.read();
                if (!account.has_value()) return account.error();
                if (account.value()) change.account = *account.value();
                return success();
            });
            if (!taken.has_value()) return taken;
            return file_->ledger.take_stock();
        });
    }

    /// Copies the store, live, into a new file at `path`; there must be none. Durable when it returns.
    [[nodiscard]] result<void> backup(std::string const& path) {
        detail::sqlite_copy copy;
        if (auto begun = use<void>(unlimited, [&] { return copy.begin(file_->connection, path); });
            !begun.has_value())
            return begun;
        for (bool more = true; more;) {
            auto const copied = use<bool>(unlimited, [&] { return copy.step(options_.busy_wait); });
            if (!copied.has_value()) return copied.error();
            more = copied.value();
        }
        return use<void>(unlimited, [&] { return copy.finish(); });
    }

    // ---- durable operations: see `durable_store`

    /// The user's own rows, in the transaction of a step.
    using transaction = sqlite_transaction;

    [[nodiscard]] result<std::uint64_t> enter(std::string const& who, duration lease) {
        if (auto begun = begin_operations(); !begun.has_value()) return begun.error();
        return claimed<std::uint64_t>([&] { return file_->operations.owners().enter(who, lease); });
    }

    [[nodiscard]] result<std::vector<std::uint64_t>> renew(std::uint64_t owner, duration lease) {
        return claimed<std::vector<std::uint64_t>>(
            [&] { return file_->operations.renew(owner, lease); });
    }

    [[nodiscard]] result<void> leave(std::uint64_t owner) {
        return claimed<void>([&] { return file_->operations.leave(owner); });
    }

    [[nodiscard]] result<started_operation> start(operation_record const& head, std::uint64_t owner,
                                                  duration at_most = unlimited) {
        if (auto const bytes = detail::encoded_size(head); bytes > bytes_max())
            return detail::too_large(head.id, bytes, bytes_max());
        auto started = change<started_operation>(
            at_most, [&](detail::sqlite_change& change) -> result<started_operation> {
                if (change.account.operations >= options_.operations_max)
                    if (auto room = room_for_operation(head.id, change); !room.has_value())
                        return room.error();
                return file_->operations.start(head, owner, change);
            });
        if (started.has_value() && started.value().made) clean_up_now_and_then();
        return started;
    }

    [[nodiscard]] result<std::vector<operation_record>> claim(claim_request const& request) {
        if (auto begun = begin_operations(); !begun.has_value()) return begun.error();
        return claimed<std::vector<operation_record>>(
            [&] { return file_->operations.claim(request); });
    }

    [[nodiscard]] result<operation_record> take(std::uint64_t number, std::uint64_t epoch,
                                                std::uint64_t owner) {
        if (auto begun = begin_operations(); !begun.has_value()) return begun.error();
        return claimed<operation_record>(
            [&] { return file_->operations.take(number, epoch, owner); });
    }

    [[nodiscard]] result<write_receipt> write(operation_write const& what,
                                              duration at_most = unlimited) {
        auto bytes = what.head != nullptr ? detail::encoded_size(*what.head) : 0;
        for (auto const& step : what.steps) bytes = std::max(bytes, detail::encoded_size(step));
        if (bytes > bytes_max())
            return detail::too_large({"", "operation", std::to_string(what.number)}, bytes,
                                     bytes_max());
        return change<write_receipt>(at_most, [&](detail::sqlite_change& change) {
            return file_->operations.write(what, change);
        });
    }

    /// Runs `body(sqlite_transaction&) -> result<step_record>` in a transaction, and records the step that
    /// it returns in that: the rows that it wrote and the step are there both or neither.
    ///
    /// `body` runs under the store's lock, once, and must not call the store. It shares its commit with
    /// nobody. Where it fails or throws, all is taken back.
    template <class Body>
    [[nodiscard]] result<write_receipt> transact(std::uint64_t number, std::uint64_t epoch,
                                                 Body&& body, duration at_most = unlimited) {
        return use<write_receipt>(at_most, [&]() -> result<write_receipt> {
            if (auto fit = writable(); !fit.has_value()) return fit.error();
            auto done = writer_.alone([&](detail::sqlite_change& change) -> result<write_receipt> {
                // First, so that a late writer's body does not run at all.
                if (auto mine = file_->operations.may_write(number, epoch); !mine.has_value())
                    return mine.error();
                auto const step = run_body(body);
                if (!step.has_value()) return step.error();
                if (auto const bytes = detail::encoded_size(step.value()); bytes > bytes_max())
                    return detail::too_large({"", "operation", std::to_string(number)}, bytes,
                                             bytes_max());
                operation_write what;
                what.number = number;
                what.epoch = epoch;
                what.steps = {&step.value(), 1};
                return file_->operations.write(what, change);
            });
            if (!done.has_value()) return done;
            if (auto kept = writer_.finish(); !kept.has_value()) return kept.error();
            return done;
        });
    }

    [[nodiscard]] result<void> request_cancel(std::uint64_t number) {
        return change<void>(unlimited, [&](detail::sqlite_change& change) {
            return file_->operations.request_cancel(number, change);
        });
    }

    /// What others want of the operations here, and left beside the file because it has one writer, this
    /// one: to be applied with `apply_request`. A request is given once, and once more after a crash.
    [[nodiscard]] result<std::vector<operation_request>> requests() {
        if (options_.read_only || file_->guard.in_another_process())
            return detail::store_failure(
                options_.read_only ? store_errc::read_only : store_errc::forked,
                file_->guard.path() + " has another owner to ask");
        return inbox_.take(file_->guard.path());
    }

    [[nodiscard]] result<void> remove(std::uint64_t number, std::uint64_t epoch) {
        return change<void>(unlimited, [&](detail::sqlite_change& change) {
            return file_->operations.remove(number, epoch, change);
        });
    }

    [[nodiscard]] result<std::optional<operation_record>> find(operation_ref id,
                                                               duration at_most = unlimited) {
        return look<std::optional<operation_record>>(at_most,
                                                     [&] { return file_->operations.find(id); });
    }

    [[nodiscard]] result<std::vector<operation_record>> operations(
        operation_filter const& filter = {}) {
        std::vector<operation_record> page;
        auto after = filter.after;
        for (bool more = filter.limit != 0; more;) {
            auto const scanned = use<bool>(unlimited, [&] {
                return file_->operations.list(filter, after, operations_scanned_at_once, page);
            });
            if (!scanned.has_value()) return scanned.error();
            more = scanned.value();
        }
        return page;
    }

    [[nodiscard]] result<std::vector<step_record>> steps(std::uint64_t number,
                                                         duration at_most = unlimited) {
        return look<std::vector<step_record>>(at_most,
                                              [&] { return file_->operations.steps(number); });
    }

  private:
    explicit sqlite_store(sqlite_store_options&& options)
        : detail::sqlite_engine{std::move(options)} {}

    result<void> start(std::string const& path) {
        if (auto opened = file_->open(path, options_); !opened.has_value()) return opened;
        if (!options_.read_only) clean_up_by_itself();
        return success();
    }

    void take(detail::sqlite_statement const& row, record_filter const& filter,
              std::vector<record>& page) {
        if (filter.name && row.text(2) != *filter.name) return;
        if (filter.status && row.integer(5) != static_cast<std::int64_t>(*filter.status)) return;
        auto read = detail::read_row(row);
        if (read.content.wrong == nullptr)
            page.push_back(std::move(*read.content.value));
        else if (!read.content.newer)
            file_->records.note_damage(detail::describe_damage(row, read));
    }

    static constexpr std::size_t scanned_at_once = 256;
    static constexpr std::size_t cleaned_at_once = 256;
    static constexpr std::size_t operations_scanned_at_once = 1000;
    detail::request_inbox inbox_;
};

static_assert(durable_store<sqlite_store>);

}  // namespace recoup::inline v1
