// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/result.hpp>
#include <recoup/core/time.hpp>
#include <recoup/platform/file.hpp>
#include <recoup/store/detail/file_guard.hpp>
#include <recoup/store/detail/journal_check.hpp>
#include <recoup/store/detail/journal_compactor.hpp>
#include <recoup/store/detail/journal_contents.hpp>
#include <recoup/store/detail/journal_flusher.hpp>
#include <recoup/store/detail/journal_opener.hpp>
#include <recoup/store/detail/journal_sync.hpp>
#include <recoup/store/detail/store_failure.hpp>
#include <recoup/store/journal_options.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <system_error>
#include <utility>

namespace recoup::inline v1::detail {

/// A journal at work: what it holds, and who may use it, syncs it and compacts it.
template <class Calls>
class journal_engine {
  public:
    journal_engine(journal_store_options chosen, Calls calls)
        : contents{std::move(chosen), std::move(calls)} {}
    journal_engine(journal_engine const&) = delete;
    journal_engine& operator=(journal_engine const&) = delete;
    ~journal_engine() { close(); }

    journal_contents<Calls> contents;

    result<void> open(std::string const& path) {
        auto opened = journal_opener<Calls>{contents}.open(path);
        if (!opened.has_value() || contents.options.read_only) return opened;
        // What the opening wrote behind that is synced like all that comes.
        journal_sync::turn{sync_}.mark_synced(contents.pair->synced_sequence());
        if (contents.options.durability == durability::power_loss)
            if (auto synced = sync(); !synced.has_value()) return synced;
        if (contents.options.flush_every != unlimited)
            flusher_.start(
                contents.options.flush_every, contents.mutex, [this] { return all_synced(); },
                [this]() noexcept { return flush_by_itself(); });
        return success();
    }

    /// Takes the mutex of the contents, waiting `at_most` for those who have it; a little at least, for most
    /// have it for some microseconds. Null where that was too short.
    [[nodiscard]] std::unique_lock<std::timed_mutex> lock_within(duration at_most) {
        std::unique_lock lock{contents.mutex, std::try_to_lock};
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
                             "the journal " + contents.guard.path() +
                                 " was busy for longer than the " +
                                 std::to_string(std::max(at_most, duration{}).count() / 1'000'000) +
                                 " ms that the call had");
    }

    // ---- syncing

    /// Waits until all that has been written is synced.
    result<void> sync() {
        auto last = std::uint64_t{0};
        {
            std::lock_guard const lock{contents.mutex};
            last = contents.next() - 1;
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

    [[nodiscard]] std::uint64_t synced() const noexcept { return sync_.synced(); }
    [[nodiscard]] bool stopped() const noexcept { return sync_.stopped(); }
    [[nodiscard]] failure stopped_failure() const {
        return sync_.stopped_failure(contents.guard.path());
    }
    [[nodiscard]] journal_window window() const {
        std::lock_guard const lock{contents.mutex};
        auto const& pair = *contents.pair;
        return {pair.end(), all_synced() ? pair.end() : pair.synced_bytes()};
    }

    /// Whether who has written must `wake` the flusher. Pre: the mutex of the contents is held.
    [[nodiscard]] bool must_wake() noexcept { return flusher_.must_wake(); }
    void wake() { flusher_.wake(); }

    // ---- the files as a whole

    [[nodiscard]] bool is_worth_compacting(std::uint64_t bytes_min) const {
        return compactor_.is_worth_it(bytes_min);
    }
    result<void> compact() { return compactor_.compact(); }

    /// Copies what has been written into a new file, and syncs that.
    result<void> backup(std::string const& path) {
        file_guard to;
        if (auto found = to.locate(path, true); !found.has_value()) return found;
        auto const there = to.check_files();
        if (!there.has_value()) return there.error();
        if (there.value())
            return store_failure(store_errc::unavailable,
                                 to.path() + " is there already; expected a new file for a backup");
        std::unique_lock lock{contents.mutex};
        auto const from = contents.pair;  // as it is now, whatever is compacted meanwhile
        auto const end = from->end();
        lock.unlock();
        auto& calls = contents.calls;
        std::error_code error;
        auto file = calls.create(to.folder(), to.name(), error);
        if (!error) error = platform::write_all(calls, file.get(), from->data(), end, 0);
        if (!error && calls.sync(file.get()) != 0) error = platform::last_error();
        if (!error && calls.sync_folder(to.folder()) != 0) error = platform::last_error();
        if (!error) return success();
        if (file) calls.remove(to.folder(), to.name());
        return system_failure("the backup " + to.path(), error);
    }

    /// Reads all frames of both files again.
    result<journal_verification> verify() {
        journal_verification seen;
        std::unique_lock lock{contents.mutex};
        auto const from = contents.pair;
        auto const live = from->bytes();
        auto const synced_to = from->synced_bytes();
        contents.records.damages(seen.damaged);
        contents.operations.damages(seen.damaged);
        seen.complete = !contents.records.in_doubt();
        lock.unlock();
        auto log = std::string(synced_to, '\0');
        for (std::uint64_t at = 0; at < synced_to;) {
            auto const got =
                platform::read_at(from->log_file(), log.data() + at, synced_to - at, at);
            if (got <= 0)
                return system_failure("reading " + contents.guard.path(), platform::last_error());
            at += static_cast<std::uint64_t>(got);
        }
        check_journal(seen, live, log, from->header(), !contents.options.read_only);
        return seen;
    }

  private:
    static constexpr duration wait_least = std::chrono::milliseconds{1};
    static constexpr duration wait_most = std::chrono::hours{24};

    /// Pre: the mutex of the contents is held.
    [[nodiscard]] bool all_synced() const noexcept { return contents.next() - 1 == synced(); }

    /// Brings all that is written to the disk. Pre: it is the caller's turn to sync, and so nobody else
    /// exchanges the pair.
    journal_sync::drained drain() noexcept {
        std::unique_lock lock{contents.mutex};
        auto& pair = *contents.pair;
        auto const end = pair.end();
        auto const last = pair.next() - 1;
        lock.unlock();
        auto const error = pair.drain(end);
        if (!error) pair.mark_synced(last);
        return {error, last};
    }

    /// What the flusher does each time; whether it shall go on.
    bool flush_by_itself() noexcept {
        try {
            static_cast<void>(sync());  // a failure stops the store, and the next call says so
            if (is_worth_compacting(contents.options.compact_bytes_min))
                static_cast<void>(compact());
        } catch (...) {}  // no memory: later
        return !stopped();
    }

    void close() noexcept {
        if (contents.guard.in_another_process()) {
            // A child has neither the thread nor the files; only memory, which it gives back.
            flusher_.forget();
            return;
        }
        flusher_.end();
        // Until here the flusher may have been changing to another pair.
        if (!contents.pair || contents.options.read_only || stopped() || contents.session() == 0)
            return;
        try {
            if (!sync().has_value()) return;
            std::unique_lock lock{contents.mutex};
            auto const put = contents.append(frame_kind::closed, 0, {});
            lock.unlock();
            // Where this fails the next opening looks closer, and finds the same.
            if (put.has_value()) static_cast<void>(sync());
        } catch (...) {}
    }

    journal_sync sync_;
    journal_compactor<Calls> compactor_{contents, sync_};
    journal_flusher flusher_;
};

}  // namespace recoup::inline v1::detail
