// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/clock.hpp>
#include <recoup/core/random.hpp>
#include <recoup/platform/time.hpp>
#include <recoup/store/detail/file_guard.hpp>
#include <recoup/store/detail/journal_check.hpp>
#include <recoup/store/detail/journal_flusher.hpp>
#include <recoup/store/detail/journal_indices.hpp>
#include <recoup/store/detail/journal_operations.hpp>
#include <recoup/store/detail/journal_pair.hpp>
#include <recoup/store/detail/journal_records.hpp>
#include <recoup/store/detail/journal_slots.hpp>
#include <recoup/store/detail/journal_sync.hpp>
#include <recoup/store/detail/request_box.hpp>
#include <recoup/store/journal_options.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// A journal's files and what is in them, opening and compaction.
///
/// Locks: `mutex` guards files and index. Whoever needs the turn to sync as well has that first.
template <class Calls>
class journal_engine {
  public:
    journal_engine(journal_store_options chosen, Calls calls)
        : options{std::move(chosen)},
          records{options.records_max, options.record_bytes_max},
          operations{options.operations_max, options.record_bytes_max},
          calls_{std::move(calls)} {}
    journal_engine(journal_engine const&) = delete;
    journal_engine& operator=(journal_engine const&) = delete;
    ~journal_engine() { close(); }

    journal_store_options const options;
    file_guard guard;
    mutable std::timed_mutex mutex;
    journal_records records;
    journal_operations operations;
    journal_slots slots;
    std::vector<slot_content> in_flight;  ///< seen by one who only looks
    journal_recovery recovery;

    // ---- what the indices need of a log

    result<appended_frame> append(frame_kind kind, std::uint64_t subject,
                                  std::string_view payload) {
        return pair_->append(kind, subject, payload);
    }
    [[nodiscard]] std::uint64_t next() const noexcept { return pair_->next(); }
    [[nodiscard]] char const* data() const noexcept { return pair_->data(); }
    [[nodiscard]] std::size_t side() const noexcept {
        return static_cast<std::size_t>(pair_->header().generation % 2);
    }
    [[nodiscard]] std::uint32_t session() const noexcept { return pair_->session(); }
    [[nodiscard]] std::uint64_t end() const noexcept { return pair_->end(); }
    [[nodiscard]] bool stopped() const noexcept { return sync_.stopped(); }
    [[nodiscard]] bool damaged() const noexcept { return damaged_.load(std::memory_order_relaxed); }
    void note_damage() noexcept {
        damaged_.store(records.any_damage() || operations.any_damage(), std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t synced() const noexcept { return sync_.synced(); }
    [[nodiscard]] journal_window window() const {
        std::lock_guard const lock{mutex};
        return {pair_->end(), pair_->next() - 1 == synced() ? pair_->end() : pair_->synced_bytes()};
    }

    // ---- opening and closing

    result<void> open(std::string const& path) {
        if (auto found = guard.locate(path, !options.read_only); !found.has_value()) return found;
        if (options.read_only) return open_to_look();
        if (options.durability == durability::power_loss)
            if (auto fit = guard.check_file_system(options.accepted_file_systems); !fit.has_value())
                return fit;
        if (auto locked = guard.lock(options.lock_wait); !locked.has_value()) return locked;
        auto const there = guard.check_files();
        if (!there.has_value()) return there.error();
        if (!there.value()) {
            if (auto made = make(); !made.has_value()) return made;
            // What was asked of an earlier file must not reach this one. A box that is not safe is never read.
            static_cast<void>(request_box{guard.path()}.clear());
        }
        if (auto taken = recover(); !taken.has_value()) return taken;
        if (options.flush_every != unlimited)
            flusher_.start(
                options.flush_every, mutex, [this] { return pair_->next() - 1 == synced(); },
                [this]() noexcept { return flush_by_itself(); });
        return success();
    }

    /// Waits until all that has been written is synced.
    result<void> sync() {
        auto last = std::uint64_t{0};
        {
            std::lock_guard const lock{mutex};
            last = pair_->next() - 1;
        }
        return sync_to(last);
    }

    /// Waits until the frame of that number is synced. Whoever waits `at_most` for others who sync gives up;
    /// `unlimited` for who has written that frame, and cannot take it back.
    result<void> sync_to(std::uint64_t sequence, duration at_most = unlimited) {
        switch (sync_.wait_for(sequence, at_most, [this]() noexcept { return drain(); })) {
            case journal_sync::outcome::synced: break;
            case journal_sync::outcome::stopped: return stopped_failure();
            case journal_sync::outcome::too_long: return busy(at_most);
        }
        return success();
    }

    /// Pre: `mutex` is held.
    [[nodiscard]] bool must_wake() noexcept { return flusher_.must_wake(); }
    void wake() { flusher_.wake(); }

    /// Takes `mutex`, waiting `at_most` for those who have it; a little at least, for most have it for
    /// some microseconds. Null where that was too short.
    [[nodiscard]] std::unique_lock<std::timed_mutex> lock_within(duration at_most) {
        std::unique_lock lock{mutex, std::try_to_lock};
        if (lock.owns_lock()) return lock;
        auto const wait = std::clamp(at_most, wait_least, wait_most);
        if (at_most == unlimited)
            lock.lock();
        else
#if defined(__SANITIZE_THREAD__)  // g++ 12's does not see that try_lock_for has locked
            static_cast<void>(lock.try_lock_until(std::chrono::system_clock::now() + wait));
#else
            static_cast<void>(lock.try_lock_for(wait));
#endif
        return lock;
    }

    [[nodiscard]] failure busy(duration at_most) const {
        return store_failure(store_errc::unavailable,
                             "the journal " + guard.path() + " was busy for longer than the " +
                                 std::to_string(std::max(at_most, duration{}).count() / 1'000'000) +
                                 " ms that the call had");
    }

    [[nodiscard]] failure stopped_failure() const { return sync_.stopped_failure(guard.path()); }

    /// Whether half or more of the journal is out of date.
    [[nodiscard]] bool worth_compacting(std::uint64_t bytes_min) const {
        std::lock_guard const lock{mutex};
        auto const needed = records.live_bytes() + operations.live_bytes() + journal_begin;
        return pair_->end() > bytes_min && pair_->end() / 2 > needed && !records.any_damage() &&
               !operations.any_damage();
    }

    /// Copies what counts into a new generation and goes on there. Writers wait for some frames at a time,
    /// and at the end for one sync. `unavailable`: another one is at it.
    result<void> compact() {
        if (compacting_.exchange(true))
            return store_failure(store_errc::unavailable,
                                 "the journal " + guard.path() + " is being compacted");
        auto done = compact_alone();
        compacting_.store(false);
        return done;
    }

    /// Copies what has been written into a new file, and syncs that.
    result<void> backup(std::string const& path) {
        file_guard to;
        if (auto found = to.locate(path, true); !found.has_value()) return found;
        auto const there = to.check_files();
        if (!there.has_value()) return there.error();
        if (there.value())
            return store_failure(store_errc::unavailable,
                                 to.path() + " is there already; expected a new file for a backup");
        std::unique_lock lock{mutex};
        auto const from = pair_;  // as it is now, whatever is compacted meanwhile
        auto const end = from->end();
        lock.unlock();
        std::error_code error;
        auto file = calls_.create(to.folder(), to.name(), error);
        if (!error) error = platform::write_all(calls_, file.get(), from->data(), end, 0);
        if (!error && calls_.sync(file.get()) != 0) error = platform::last_error();
        if (!error && calls_.sync_folder(to.folder()) != 0) error = platform::last_error();
        if (!error) return success();
        if (file) calls_.remove(to.folder(), to.name());
        return system_failure("the backup " + to.path(), error);
    }

    /// Reads all frames of both files again.
    result<journal_verification> verify() {
        journal_verification seen;
        std::unique_lock lock{mutex};
        auto const from = pair_;
        auto const live = from->bytes();
        auto const synced_to = from->synced_bytes();
        records.damages(seen.damaged);
        operations.damages(seen.damaged);
        seen.complete = !records.in_doubt();
        lock.unlock();
        auto log = std::string(synced_to, '\0');
        for (std::uint64_t at = 0; at < synced_to;) {
            auto const got =
                platform::read_at(from->log_file(), log.data() + at, synced_to - at, at);
            if (got <= 0) return system_failure("reading " + guard.path(), platform::last_error());
            at += static_cast<std::uint64_t>(got);
        }
        check_journal(seen, live, log, from->header(), !options.read_only);
        return seen;
    }

  private:
    using pair = journal_pair<Calls>;
    static constexpr int looks_max = 20;
    static constexpr duration wait_least = std::chrono::milliseconds{1};
    static constexpr duration wait_most = std::chrono::hours{24};
    static constexpr std::uint64_t copied_at_once = std::uint64_t{64} << 10U;

    journal_reader reader_of(journal_header const& front) noexcept {
        return {records, operations, static_cast<std::size_t>(front.generation % 2), had_damage_};
    }

    static std::uint64_t fresh_nonce() noexcept {
        std::uint64_t nonce = 0;
        while (!platform::fill_random(&nonce, sizeof nonce)) nonce = thread_random();
        return nonce;
    }

    [[nodiscard]] std::string next_name() const { return guard.name() + ".next"; }

    /// Makes the first generation: whole under another name before it is there under its own.
    result<void> make() {
        for (std::uint64_t i = 0; i != 2; ++i) {
            auto const left = guard.check_beside(pair::live_name(guard, i));
            if (!left.has_value()) return left.error();
            if (left.value().exists && holds_frames(pair::live_name(guard, i)))
                return unsafe(guard.path_of(pair::live_name(guard, i)) + " is there without " +
                              guard.path() + "; put that file back, or move this one away");
        }
        calls_.remove(guard.folder(), next_name());
        pair first{calls_, guard};
        auto header = journal_header{};
        header.nonce = fresh_nonce();
        auto made = first.make(next_name(), header, options.file_bytes_max);
        if (made.has_value()) made = put_in_place();
        if (!made.has_value()) {
            calls_.remove(guard.folder(), next_name());
            calls_.remove(guard.folder(), pair::live_name(guard, header.generation));
        }
        return made;
    }

    [[nodiscard]] bool holds_frames(std::string const& name) const {
        std::error_code error;
        auto const file = platform::open_file(guard.folder(), name, false, error);
        if (error) return true;
        auto const front = platform::read_front(file.get(), journal_begin + 8);
        return front.size() == journal_begin + 8 &&
               number_at<std::uint64_t>(front.data() + journal_begin) != 0;
    }

    result<void> put_in_place() {
        if (calls_.rename(guard.folder(), next_name(), guard.name()) != 0)
            return system_failure("renaming " + guard.path_of(next_name()), platform::last_error());
        if (calls_.sync_folder(guard.folder()) != 0)
            return system_failure("syncing the folder of " + guard.path(), platform::last_error());
        return success();
    }

    result<void> recover() {
        std::vector<slot_content> found;
        auto same_boot = false;
        auto opened = slots.open(calls_, guard, recovery.torn_slots, same_boot,
                                 [&](slot_content what) { found.push_back(std::move(what)); });
        if (!opened.has_value()) return opened;
        auto front = journal_header{};
        if (auto read = read_front_of(front); !read.has_value()) return read;
        pair_ = std::make_shared<pair>(calls_, guard);
        auto const ended = pair_->open(options.file_bytes_max, true, same_boot, reader_of(front));
        if (!ended.has_value()) return ended.error();
        take_over(ended.value());
        if (auto begun = pair_->begin_session(ended.value().closed); !begun.has_value())
            return begun;
        journal_sync::turn{sync_}.mark_synced(pair_->next() - 1);
        for (auto const& what : found) {
            if (records.contains(what.id)) continue;  // it had got its record
            if (auto saved = records.save(*this, what.as_record()); !saved.has_value()) {
                if (saved.error().code() == make_error_code(store_errc::corrupt)) continue;
                return saved.error();
            }
            ++recovery.resumed;
        }
        // From here on they are records; if we die before this is done, they are seen to be there.
        slots.clear();
        calls_.remove(guard.folder(), next_name());
        calls_.remove(guard.folder(), pair::live_name(guard, pair_->header().generation + 1));
        if (options.durability == durability::power_loss) return sync();
        return success();
    }

    result<void> read_front_of(journal_header& into) {
        std::error_code error;
        auto const file = platform::open_file(guard.folder(), guard.name(), false, error);
        if (error) return system_failure("opening " + guard.path(), error);
        auto const front = platform::read_front(file.get(), journal_begin);
        // What is wrong with it is told where it is opened.
        if (front.size() == journal_begin) read_header(front.data(), into);
        return success();
    }

    void take_over(scan_end const& ended) {
        operations.finish_replay();
        recovery.frames = ended.frames;
        recovery.repaired = ended.repaired;
        recovery.torn_bytes = ended.torn_bytes;
        recovery.closed = ended.closed;
        note_damage();
        had_damage_ = had_damage_ || damaged();
    }

    result<void> open_to_look() {
        auto const there = guard.check_files();
        if (!there.has_value()) return there.error();
        if (!there.value())
            return store_failure(store_errc::unavailable,
                                 guard.path() + " is not there, and read_only makes none");
        // Its owner may put a new generation into place while we look.
        for (int look = 0; look != looks_max; ++look) {
            auto front = journal_header{};
            if (auto read = read_front_of(front); !read.has_value()) return read;
            pair_ = std::make_shared<pair>(calls_, guard);
            auto const live = guard.check_beside(pair::live_name(guard, front.generation));
            if (!live.has_value()) return live.error();
            auto const other = guard.check_beside(pair::live_name(guard, front.generation + 1));
            auto const moving = !live.value().exists && other.has_value() && other.value().exists;
            if (moving && look + 1 != looks_max) {
                platform::pause(duration{1'000'000});
                continue;
            }
            auto const ended = pair_->open(options.file_bytes_max, false, false, reader_of(front));
            if (!ended.has_value()) return ended.error();
            take_over(ended.value());
            break;
        }
        slots.look(guard, [&](slot_content what) {
            if (!records.contains(what.id)) in_flight.push_back(std::move(what));
        });
        return success();
    }

    void close() noexcept {
        if (guard.in_another_process()) {
            // A child has neither the thread nor the files; only memory, which it gives back.
            flusher_.forget();
            return;
        }
        flusher_.end();
        // Until here the flusher may have been changing to another pair.
        if (!pair_ || options.read_only || stopped() || pair_->session() == 0) return;
        try {
            if (!sync().has_value()) return;
            std::unique_lock lock{mutex};
            auto const put = pair_->append(frame_kind::closed, 0, {});
            lock.unlock();
            // Where this fails the next opening looks closer, and finds the same.
            if (put.has_value()) static_cast<void>(sync());
        } catch (...) {}
    }

    /// Brings all that is written to the disk. Pre: it is the caller's turn to sync, and so nobody else
    /// exchanges the pair.
    journal_sync::drained drain() noexcept {
        std::unique_lock lock{mutex};
        auto const end = pair_->end();
        auto const last = pair_->next() - 1;
        lock.unlock();
        auto const error = pair_->drain(end);
        if (!error) pair_->mark_synced(last);
        return {error, last};
    }

    /// Whether to go on with it.
    bool flush_by_itself() noexcept {
        try {
            static_cast<void>(sync());  // a failure stops the store, and the next call says so
            if (worth_compacting(options.compact_bytes_min)) static_cast<void>(compact());
        } catch (...) {}  // no memory: later
        return !stopped();
    }

    result<void> compact_alone() {
        std::unique_lock lock{mutex};
        if (stopped()) return stopped_failure();
        if (records.any_damage() || operations.any_damage())
            return store_failure(store_errc::corrupt,
                                 guard.path() +
                                     " has damaged records, which a compaction would "
                                     "lose: see damaged(), discard() and accept_loss()");
        auto header = journal_header{};
        header.generation = pair_->header().generation + 1;
        header.nonce = fresh_nonce();
        auto const from = pair_;
        auto const session = from->session();
        auto const snapshot = from->end();
        auto const from_side = side();
        lock.unlock();

        calls_.remove(guard.folder(), next_name());
        auto to = std::make_shared<pair>(calls_, guard);
        auto done = to->make(next_name(), header, options.file_bytes_max);
        to->continue_session(session);
        if (done.has_value()) done = to->begin_session_at(header.first);
        auto copier = journal_copier<pair>{*from, *to, snapshot, from_side, had_damage_};
        while (done.has_value()) {
            lock.lock();
            auto const rest = from->end() - copier.at;
            if (rest <= copied_at_once) {
                lock.unlock();
                break;
            }
            done = copier.copy(copier.at + copied_at_once, records, operations);
            lock.unlock();
        }
        if (done.has_value()) done = change_over(to, copier);
        if (!done.has_value() && !stopped()) {
            calls_.remove(guard.folder(), next_name());
            calls_.remove(guard.folder(), pair::live_name(guard, header.generation));
        }
        return done;
    }

    result<void> change_over(std::shared_ptr<pair> const& to, journal_copier<pair>& copier) {
        // What was copied until now is brought to the disk first, while writers go on.
        if (auto const error = to->drain(to->end()))
            return system_failure("writing " + guard.path_of(next_name()), error);
        journal_sync::turn turn{sync_};
        if (stopped()) return stopped_failure();
        std::lock_guard const lock{mutex};
        if (auto rest = copier.copy(pair_->end(), records, operations); !rest.has_value())
            return rest;
        if (auto begun = to->begin_session_at(pair_->next()); !begun.has_value()) return begun;
        if (calls_.rename(guard.folder(), next_name(), guard.name()) != 0)
            return system_failure("renaming " + guard.path_of(next_name()), platform::last_error());
        // From here on the new one is what the next process finds, and so we must go on with it.
        auto const old = std::exchange(pair_, to);
        if (calls_.sync_folder(guard.folder()) != 0) {
            turn.stop("syncing the folder of ", platform::last_error());
            return stopped_failure();
        }
        turn.mark_synced(pair_->next() - 1);
        calls_.remove(guard.folder(), pair::live_name(guard, old->header().generation));
        return success();
    }

    mutable Calls calls_;
    std::shared_ptr<pair> pair_;
    bool had_damage_ = false;  // the files hold frames that are not whole
    std::atomic<bool> damaged_{false};
    std::atomic<bool> compacting_{false};
    journal_sync sync_;
    journal_flusher flusher_;
};

}  // namespace recoup::inline v1::detail
