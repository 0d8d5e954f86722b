// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/result.hpp>
#include <recoup/platform/file.hpp>
#include <recoup/store/detail/journal_contents.hpp>
#include <recoup/store/detail/journal_frame.hpp>
#include <recoup/store/detail/journal_indices.hpp>
#include <recoup/store/detail/journal_sync.hpp>
#include <recoup/store/detail/store_failure.hpp>

#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

namespace recoup::inline v1::detail {

/// Copies what counts of a journal into a new generation, and goes on there.
///
/// Writers wait for some frames at a time, and at the end for one sync.
template <class Calls>
class journal_compactor {
  public:
    journal_compactor(journal_contents<Calls>& of, journal_sync& sync) noexcept
        : of_{of}, sync_{sync} {}

    /// Whether half or more of the journal is out of date.
    [[nodiscard]] bool is_worth_it(std::uint64_t bytes_min) const {
        std::lock_guard const lock{of_.mutex};
        auto const needed = of_.records.live_bytes() + of_.operations.live_bytes() + journal_begin;
        return of_.pair->end() > bytes_min && of_.pair->end() / 2 > needed && !of_.any_damage();
    }

    /// `unavailable`: another one is at it.
    result<void> compact() {
        std::unique_lock const alone{compacting_, std::try_to_lock};
        if (!alone.owns_lock())
            return store_failure(store_errc::unavailable,
                                 "the journal " + of_.guard.path() + " is being compacted");
        return compact_alone();
    }

  private:
    using pair = journal_pair<Calls>;
    static constexpr std::uint64_t copied_at_once = std::uint64_t{64} << 10U;

    result<void> compact_alone() {
        std::unique_lock lock{of_.mutex};
        if (sync_.stopped()) return stopped_failure();
        if (of_.any_damage())
            return store_failure(store_errc::corrupt,
                                 of_.guard.path() +
                                     " has damaged records, which a compaction would "
                                     "lose: see damaged(), discard() and accept_loss()");
        auto const from = of_.pair;
        auto const snapshot = from->end();
        auto const from_side = of_.side();
        lock.unlock();

        auto const generation = from->header().generation + 1;
        auto to = std::make_shared<pair>(of_.calls, of_.guard);
        auto copier = journal_copier<pair>{*from, *to, snapshot, from_side, of_.had_damage};
        auto done = of_.make_next(*to, generation);
        to->continue_session(from->session());
        if (done.has_value()) done = to->begin_session_at(to->next());
        while (done.has_value()) {
            lock.lock();
            auto const rest = from->end() - copier.at;
            if (rest <= copied_at_once) {
                lock.unlock();
                break;
            }
            done = copier.copy(copier.at + copied_at_once, of_.records, of_.operations);
            lock.unlock();
        }
        if (done.has_value()) done = change_over(to, copier);
        if (!done.has_value() && !sync_.stopped()) of_.drop_next(generation);
        return done;
    }

    result<void> change_over(std::shared_ptr<pair> const& to, journal_copier<pair>& copier) {
        // What was copied until now is brought to the disk first, while writers go on.
        if (auto const error = to->drain(to->end()))
            return system_failure("writing " + of_.guard.path_of(of_.next_name()), error);
        journal_sync::turn turn{sync_};
        if (sync_.stopped()) return stopped_failure();
        std::lock_guard const lock{of_.mutex};
        if (auto rest = copier.copy(of_.pair->end(), of_.records, of_.operations);
            !rest.has_value())
            return rest;
        if (auto begun = to->begin_session_at(of_.pair->next()); !begun.has_value()) return begun;
        if (auto renamed = of_.rename_next(); !renamed.has_value()) return renamed;
        // From here on the new one is what the next process finds, and so we must go on with it.
        auto const old = std::exchange(of_.pair, to);
        if (of_.calls.sync_folder(of_.guard.folder()) != 0) {
            turn.stop("syncing the folder of ", platform::last_error());
            return stopped_failure();
        }
        turn.mark_synced(to->next() - 1);
        of_.calls.remove(of_.guard.folder(), pair::live_name(of_.guard, old->header().generation));
        return success();
    }

    [[nodiscard]] failure stopped_failure() const {
        return sync_.stopped_failure(of_.guard.path());
    }

    journal_contents<Calls>& of_;
    journal_sync& sync_;
    std::mutex compacting_;
};

}  // namespace recoup::inline v1::detail
