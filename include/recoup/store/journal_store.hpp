// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/clock.hpp>
#include <recoup/store/detail/journal_engine.hpp>
#include <recoup/store/detail/request_box.hpp>
#include <recoup/store/durable_store.hpp>
#include <recoup/store/journal_options.hpp>
#include <recoup/store/operation_request.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace recoup::inline v1 {

/// Keeps records and durable operations in a journal: a file of its own format, with no dependency.
///
/// What is saved is in mapped memory that outlives the process when the call returns, after some stores and
/// no system call; a thread writes it to the disk behind the caller, within `flush_every`; or the call
/// returns after that, with `durability::power_loss`. docs/journal-format.md describes the files: beside the
/// one at `path` there are `.live-a` or `.live-b`, `.slots` and `.lock`.
///
/// - One process, and in it one object, owns the files; another gets `store_errc::locked` with the owner's
///   name, or opens them `read_only`.
/// - After a failed write or sync nothing is acknowledged any more (`stopped`). Reading goes on;
///   with `power_loss` only where all that was written before had been synced, for nobody shall act on what
///   may not be there after a restart.
/// - A full disk is `full`, where the files grow; saving works again once there is room.
/// - What is damaged is `corrupt` and left as it is; the rest goes on. `damaged()` tells what was found at
///   the opening, `discard()` takes one out, and `accept_loss()` goes on without what nobody can name.
/// - In a forked child every call is `forked`.
/// - With `persist(store, {.when = persist_when::start, …}, key)` an operation that succeeds at once is
///   kept in a slot of mapped memory and never becomes a record, unless the process ends: then the next
///   opening makes one of it. Slots do not survive a power cut.
/// - What has ended and expired is removed at the opening and at every 256th save, some at a time, and
///   where room is needed.
/// - Where an exception of the library itself, such as std::bad_alloc, or the cancellation of the thread
///   ends a first attempt that is kept in a slot, it becomes a record at once; where none can be made it
///   stays in the slot, and is one after the next call of it or the next opening.
///
/// Thread safety: all members may be called concurrently. `at_most` bounds the wait for other calls and
/// for a compaction, after a millisecond at least (`unavailable`: nothing was changed); what a call itself
/// has written it waits for as long as the disk takes for a sync.
/// `Calls`: see `platform::file_calls`.
template <class Calls>
class basic_journal_store {
  public:
    /// Opens or makes the journal at `path`, and its folder where only that is missing.
    ///
    /// Throws: recovery_error with a `store_errc`; std::bad_alloc.
    explicit basic_journal_store(std::string path, journal_store_options options = {},
                                 Calls calls = {})
        : engine_{std::make_unique<engine>(std::move(options), std::move(calls))} {
        if (auto opened = start(path); !opened.has_value()) throw recovery_error{opened.error()};
    }

    /// The same, with the failure as a value.
    static result<std::unique_ptr<basic_journal_store>> open(std::string const& path,
                                                             journal_store_options options = {},
                                                             Calls calls = {}) {
        std::unique_ptr<basic_journal_store> store{new basic_journal_store{
            unopened{}, std::make_unique<engine>(std::move(options), std::move(calls))}};
        if (auto opened = store->start(path); !opened.has_value()) return opened.error();
        return store;
    }

    basic_journal_store(basic_journal_store const&) = delete;
    basic_journal_store& operator=(basic_journal_store const&) = delete;
    ~basic_journal_store() {
        // A child's copy may be in the middle of anything: its memory goes with the process.
        if (on().guard.in_another_process())
            static_cast<void>(engine_.release());
        else
            inbox_.close();
    }

    // ---- records

    [[nodiscard]] result<std::optional<record>> load(operation_ref id,
                                                     duration at_most = unlimited) {
        return look<std::optional<record>>([&] { return on().records.load(on(), id); }, at_most);
    }

    [[nodiscard]] result<std::uint64_t> save(record const& what, duration at_most = unlimited) {
        auto const bytes = detail::encoded_size(what);
        if (bytes > on().records.bytes_max())
            return detail::too_large(what.id, bytes, on().records.bytes_max());
        return change<std::uint64_t>(
            [&]() -> result<std::uint64_t> {
                if (what.revision == 0 && on().records.full()) clean_up_by_itself();
                auto saved = on().records.save(on(), what);
                if (!saved.has_value()) return saved.error();
                if (++saves_ % clean_up_every == 0) clean_up_by_itself();
                return saved.assume_value().sequence;
            },
            at_most);
    }

    [[nodiscard]] result<void> erase(operation_ref id, std::uint64_t revision,
                                     duration at_most = unlimited) {
        return change<void>(
            [&]() -> result<void> {
                auto gone = on().records.erase(on(), id, revision);
                if (!gone.has_value()) return gone.error();
                return success();
            },
            at_most);
    }

    [[nodiscard]] result<std::vector<record>> list(record_filter const& filter = {}) {
        return look<std::vector<record>>([&]() -> result<std::vector<record>> {
            std::vector<record> page;
            on().records.list(on(), filter, page);
            return page;
        });
    }

    [[nodiscard]] result<std::size_t> clean_up(system_time now, std::size_t most) {
        std::size_t removed = 0;
        for (bool more = most != 0; more;) {
            auto const wanted = std::min(most - removed, cleaned_at_once);
            auto cleaned = change<std::size_t>([&]() -> result<std::size_t> {
                auto records = on().records.clean_up(on(), now, wanted);
                if (!records.has_value() || records.value() == wanted) return records;
                auto others = on().operations.clean_up(on(), now, wanted - records.value());
                if (!others.has_value()) return others;
                return records.value() + others.value();
            });
            if (!cleaned.has_value()) return cleaned.error();
            removed += cleaned.value();
            more = cleaned.value() == wanted && removed != most;
        }
        return removed;
    }

    /// Whether `load` may give something other than nothing. Takes no lock and some ns.
    [[nodiscard]] bool may_contain(operation_ref id) const noexcept {
        return on().records.may_contain(id) || on().damaged() || on().guard.forked();
    }

    [[nodiscard]] recoup::durability durability() const noexcept { return on().options.durability; }

    // ---- durable operations

    /// An owner is alive until `leave` or the end of the process, whatever its lease.
    [[nodiscard]] result<std::uint64_t> enter(std::string const& /*who*/, duration /*lease*/) {
        return change<std::uint64_t>(
            [&]() -> result<std::uint64_t> { return on().operations.enter(on().session()); });
    }
    [[nodiscard]] result<std::vector<std::uint64_t>> renew(std::uint64_t owner,
                                                           duration /*lease*/) {
        return look<std::vector<std::uint64_t>>([&] { return on().operations.renew(owner); });
    }
    [[nodiscard]] result<void> leave(std::uint64_t owner) {
        return look<void>([&]() -> result<void> {
            on().operations.leave(owner);
            return success();
        });
    }
    [[nodiscard]] result<started_operation> start(operation_record const& head, std::uint64_t owner,
                                                  duration at_most = unlimited) {
        return change<started_operation>(
            [&] {
                if (on().operations.full()) clean_up_by_itself();
                return on().operations.start(on(), head, owner);
            },
            at_most);
    }
    [[nodiscard]] result<std::vector<operation_record>> claim(claim_request const& request) {
        return change<std::vector<operation_record>>(
            [&] { return on().operations.claim(on(), request); });
    }
    [[nodiscard]] result<operation_record> take(std::uint64_t number, std::uint64_t epoch,
                                                std::uint64_t owner) {
        return change<operation_record>(
            [&] { return on().operations.take(on(), number, epoch, owner); });
    }
    [[nodiscard]] result<write_receipt> write(operation_write const& what,
                                              duration at_most = unlimited) {
        return change<write_receipt>([&] { return on().operations.write(on(), what); }, at_most);
    }
    [[nodiscard]] result<void> request_cancel(std::uint64_t number) {
        return change<void>([&] { return on().operations.request_cancel(on(), number); });
    }
    [[nodiscard]] result<void> remove(std::uint64_t number, std::uint64_t epoch) {
        return change<void>([&] { return on().operations.remove(on(), number, epoch); });
    }
    [[nodiscard]] result<std::optional<operation_record>> find(operation_ref id,
                                                               duration at_most = unlimited) {
        return look<std::optional<operation_record>>([&] { return on().operations.find(on(), id); },
                                                     at_most);
    }
    [[nodiscard]] result<std::vector<operation_record>> operations(
        operation_filter const& filter = {}) {
        return look<std::vector<operation_record>>([&]() -> result<std::vector<operation_record>> {
            return on().operations.list_page(on(), filter);
        });
    }
    [[nodiscard]] result<std::vector<step_record>> steps(std::uint64_t number,
                                                         duration at_most = unlimited) {
        return look<std::vector<step_record>>([&] { return on().operations.steps(on(), number); },
                                              at_most);
    }

    // ---- the journal itself

    /// The file, absolute and without links.
    [[nodiscard]] std::string path() const { return on().guard.path(); }

    /// How many records there are.
    [[nodiscard]] std::size_t size() const {
        std::lock_guard const lock{on().mutex};
        return on().records.size();
    }

    /// What the opening found.
    [[nodiscard]] journal_recovery const& recovery() const noexcept { return on().recovery; }

    /// How much is written, and how much of it is synced.
    [[nodiscard]] journal_window window() const { return engine_->window(); }

    /// Waits until all that was acknowledged before is synced.
    [[nodiscard]] result<void> flush() {
        if (auto usable = check(); !usable.has_value()) return usable;
        if (on().options.read_only) return success();
        return engine_->sync();
    }

    /// The damaged records and operations that were found at the opening and are still there.
    [[nodiscard]] result<std::vector<journal_damage>> damaged() {
        return look<std::vector<journal_damage>>([&]() -> result<std::vector<journal_damage>> {
            std::vector<journal_damage> all;
            on().records.damages(all);
            on().operations.damages(all);
            return all;
        });
    }

    /// Reads everything again and says what is wrong. Changes nothing.
    [[nodiscard]] result<journal_verification> verify() {
        if (auto usable = check(); !usable.has_value()) return usable.error();
        return engine_->verify();
    }

    /// Forgets one of those that `damaged()` told of: a record or operation that cannot be read, with all
    /// that is older of it, and an operation's steps. From then on its identity counts as never recorded,
    /// and can be used anew: what it did before it may do again.
    ///
    /// Returns: `conflict` where that is not damaged, or no longer; then nothing has changed. `stopped` where the
    /// disk refused it: opened anew, the store shows whether it is done.
    [[nodiscard]] result<void> discard(journal_damage const& what) {
        return change<void>([&]() -> result<void> {
            auto found = false;
            if (what.number != 0) {
                auto gone = on().operations.discard(on(), what.number);
                if (!gone.has_value()) return gone.error();
                found = gone.value();
            } else {
                auto gone = on().records.discard(on(), what);
                if (!gone.has_value()) return gone.error();
                found = gone.value().has_value();
            }
            on().note_damage();
            if (found) return success();
            return detail::store_failure(store_errc::conflict,
                                         "nothing with that number is damaged in " + path());
        });
    }

    /// Goes on without frames that are missing and that nobody can name (`verify().complete` is false). Until
    /// then all that is older than they are, and every identity that is not found, is `corrupt`: it may have
    /// been written there. Afterwards what is there counts again, although it may be an older version, and
    /// what is not counts as never recorded. Read `verify()` first, and keep a `backup`: there is no way
    /// back. What `damaged()` names stays damaged, see `discard`. Where nothing is missing it changes nothing.
    [[nodiscard]] result<void> accept_loss() {
        return change<void>([&]() -> result<void> {
            auto put = on().append(detail::frame_kind::accepted, 0, {});
            if (!put.has_value()) return put.error();
            on().records.accept_loss();
            on().operations.doubt_all(false);
            on().note_damage();
            return success();
        });
    }

    /// Copies the store, live, into a new file at `path`; there must be none. Durable when it returns.
    [[nodiscard]] result<void> backup(std::string const& path) {
        if (auto usable = check(); !usable.has_value()) return usable;
        return engine_->backup(path);
    }

    /// Leaves out of the files what is out of date; done by itself where half of them is.
    [[nodiscard]] result<void> compact() {
        if (auto usable = check_writable(); !usable.has_value()) return usable;
        return engine_->compact();
    }

    /// What was in flight, without a record, when a `read_only` store was opened.
    [[nodiscard]] std::vector<operation_id> in_flight() const {
        std::vector<operation_id> ids;
        for (auto const& what : on().in_flight) ids.push_back(what.id);
        return ids;
    }

    /// What others want of the operations here, and left beside the file because it has one writer, this
    /// one: to be applied with `apply_request`. A request is given once, and once more after a crash.
    [[nodiscard]] result<std::vector<operation_request>> requests() {
        if (auto usable = check_writable(); !usable.has_value()) return usable.error();
        return inbox_.take(on().guard.path());
    }

    /// The slots of operations in flight; null where they would not be as durable as `durability()`. For
    /// `persist`.
    [[nodiscard]] detail::journal_slots* flight() noexcept {
        auto const usable = on().options.durability == recoup::durability::process_crash &&
                            !on().options.read_only && !engine_->stopped() && !on().guard.forked();
        return usable ? &on().slots : nullptr;
    }

  private:
    using engine = detail::journal_engine<Calls>;
    struct unopened {};
    static constexpr std::size_t cleaned_at_once = 256;
    static constexpr std::size_t cleaned_by_itself = 64;
    static constexpr std::uint64_t clean_up_every = 256;

    basic_journal_store(unopened, std::unique_ptr<engine> made) : engine_{std::move(made)} {}

    detail::journal_contents<Calls>& on() const noexcept { return engine_->contents; }

    result<void> start(std::string const& path) {
        auto opened = engine_->open(path);
        if (!opened.has_value()) {
            engine_ = std::make_unique<engine>(on().options, Calls{});  // gives the lock back
            return opened;
        }
        if (!on().options.read_only) {
            std::lock_guard const lock{on().mutex};
            clean_up_by_itself();
        }
        return opened;
    }

    [[nodiscard]] result<void> check() const {
        if (!on().guard.in_another_process()) return success();
        return detail::store_failure(store_errc::forked,
                                     "the store " + on().guard.path() +
                                         " was opened by the process that forked this one; open it "
                                         "anew here when that has closed it");
    }

    [[nodiscard]] result<void> check_writable() const {
        if (auto usable = check(); !usable.has_value()) return usable;
        if (on().options.read_only)
            return detail::store_failure(store_errc::read_only,
                                         on().guard.path() + " was opened read_only");
        if (engine_->stopped()) return engine_->stopped_failure();
        return success();
    }

    template <class T, class Work>
    result<T> look(Work const& work, duration at_most = unlimited) {
        if (on().guard.forked())
            if (auto usable = check(); !usable.has_value()) return usable.error();
        auto lock = engine_->lock_within(at_most);
        if (!lock.owns_lock()) return engine_->busy(at_most);
        auto const last = on().next() - 1;
        result<T> seen = work();
        lock.unlock();
        // Nobody may act on what a power cut could still take back.
        if (durability() == recoup::durability::power_loss && !on().options.read_only &&
            engine_->synced() < last)
            if (auto synced = engine_->sync_to(last, at_most); !synced.has_value())
                return synced.error();
        return seen;
    }

    /// `at_most` is for what comes before the write: what is written cannot be taken back, and so is waited
    /// for.
    template <class T, class Work>
    result<T> change(Work const& work, duration at_most = unlimited) {
        if (on().guard.forked() || on().options.read_only || engine_->stopped())
            if (auto usable = check_writable(); !usable.has_value()) return usable.error();
        auto changed = change_once<T>(work, at_most);
        auto const full =
            !changed.has_value() && changed.error().code() == make_error_code(store_errc::full);
        if (!full || !engine_->is_worth_compacting(0)) return changed;
        if (auto room = engine_->compact(); !room.has_value()) return changed;
        return change_once<T>(work, at_most);
    }

    template <class T, class Work>
    result<T> change_once(Work const& work, duration at_most) {
        auto lock = engine_->lock_within(at_most);
        if (!lock.owns_lock()) return engine_->busy(at_most);
        result<T> changed = work();
        auto const last = on().next() - 1;
        auto const wake = engine_->must_wake();
        lock.unlock();
        if (durability() == recoup::durability::power_loss) {
            if (auto synced = engine_->sync_to(last); !synced.has_value()) return synced.error();
        } else if (wake) {
            engine_->wake();
        }
        return changed;
    }

    /// Pre: the engine's mutex is held.
    void clean_up_by_itself() {
        // What counts as now is the newest that was written, so that a clock that is wrong removes nothing.
        auto const now = std::min(std::max(on().records.latest(), on().operations.latest()),
                                  real_clock::system_now());
        // What fails here fails again where it matters, and is told there.
        static_cast<void>(on().records.clean_up(on(), now, cleaned_by_itself));
        static_cast<void>(on().operations.clean_up(on(), now, cleaned_by_itself));
    }

    std::unique_ptr<engine> engine_;
    detail::request_inbox inbox_;
    std::uint64_t saves_ = 0;
};

/// The journal of the machine's files.
using journal_store = basic_journal_store<platform::file_calls>;

static_assert(durable_store<journal_store>);

}  // namespace recoup::inline v1
