// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/result.hpp>
#include <recoup/store/detail/identity_order.hpp>
#include <recoup/store/detail/store_failure.hpp>
#include <recoup/store/detail/write_behind_log_keeper.hpp>
#include <recoup/store/detail/write_behind_queue.hpp>
#include <recoup/store/detail/write_behind_slots.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// The records of a `write_behind`: their revisions, what of them waits, and how it comes to the store.
///
/// Thread safety: what takes a lock is called with the queue's mutex held by it, all else without.
template <class Store, class Log, class Clock>
class write_behind_records {
    using map = std::map<operation_id, known_record, identity_order>;
    using queue_type = write_behind_queue<Clock>;
    using lock_type = typename queue_type::lock_type;

  public:
    write_behind_records(Store& store, queue_type& queue,
                         write_behind_log_keeper<Log>& log) noexcept
        : store_{&store}, queue_{&queue}, log_{&log} {}

    // ---- reading

    result<std::optional<record>> load(operation_ref id, duration at_most) {
        lock_type lock{queue_->mutex()};
        for (std::size_t looked = 0; looked != looks_max; ++looked) {
            if (auto visible = queue_->check_visible(); !visible.has_value())
                return visible.error();
            auto given_before = UINT64_MAX;  // not known
            if (auto const found = known_.find(id); found != known_.end()) {
                if (found->second.lost) return forget_lost(found);
                if (auto what = waiting_of(found->second)) return *std::move(what);
                given_before = found->second.given;
            }
            lock.unlock();
            auto loaded = store_->load(id, at_most);
            if (!loaded.has_value()) return loaded;
            lock.lock();
            if (auto visible = queue_->check_visible(); !visible.has_value())
                return visible.error();
            auto const found = known_.find(id);
            if (found == known_.end()) return loaded;
            auto& known = found->second;
            // Changed meanwhile: what waits, or went to the store, is newer than what was read.
            if (known.waiting.value || known.under_way.value || known.given != given_before)
                continue;
            adopt_stored(known, loaded.value() ? loaded.value()->revision : 0);
            if (loaded.value()) loaded.value()->revision = known.given;
            return loaded;
        }
        return store_failure(store_errc::unavailable, "record " + display(id) + " changed " +
                                                          std::to_string(looks_max) +
                                                          " times while it was read");
    }

    [[nodiscard]] bool knows(operation_ref id) const {
        std::lock_guard const lock{queue_->mutex()};
        return known_.contains(id);
    }

    /// Puts the revisions that callers have in place of the store's.
    void show_given(std::vector<record>& listed) const {
        std::lock_guard const lock{queue_->mutex()};
        for (auto& one : listed)
            if (auto const found = known_.find(one.id);
                found != known_.end() && found->second.stored == one.revision)
                one.revision = found->second.given;
    }

    /// The store may have removed any of them.
    void doubt_all() {
        std::lock_guard const lock{queue_->mutex()};
        for (auto& [id, known] : known_) known.unsure = true;
        ++forgotten_;
    }

    // ---- writing

    result<std::uint64_t> save(record const& what, duration at_most) {
        auto const bytes = encoded_size(what);
        auto const most = std::min(queue_->options().record_bytes_max, record_bytes_limit);
        if (bytes > most) return too_large(what.id, bytes, most);
        waiting_record change{std::make_shared<record>(what), false};
        return accept(what.id, what.revision, std::move(change), bytes, at_most);
    }

    result<void> erase(operation_ref id, std::uint64_t revision, duration at_most) {
        auto gone = std::make_shared<record>();
        gone->id = operation_id{id};
        auto const bytes = encoded_size(*gone);
        auto erased = accept(id, revision, {std::move(gone), true}, bytes, at_most);
        if (!erased.has_value()) return erased.error();
        return success();
    }

    // ---- for the writer

    /// Hands over what waits of `known`. False: it failed, and may pass.
    bool deliver(lock_type& lock, known_record& known, std::vector<write_loss>& losses) {
        auto const since = queue_->begin(known);
        if (!known.waiting.value) {  // it was taken back, or went with a later place
            queue_->forget_bytes(known);
            forget_absent(known);
            return true;
        }
        known.under_way = std::exchange(known.waiting, {});
        auto const bytes = std::exchange(known.bytes, 0);
        known.writing = true;
        auto const change = known.under_way;
        auto const revision = known.stored;
        auto const in_doubt = known.doubtful;
        lock.unlock();
        auto written = hand_over(change, revision, in_doubt);
        lock.lock();
        known.writing = false;
        if (!written.has_value() && may_pass(written.error()) && !queue_->stopped()) {
            known.doubtful = true;
            if (!known.waiting.value) known.waiting = known.under_way;
            known.under_way = {};
            queue_->put_back(known, since, bytes);
            return false;
        }
        queue_->settle(bytes);
        known.doubtful = false;
        known.under_way = {};
        if (written.has_value()) {
            known.stored = written.value();
            next_given_ = std::max(next_given_, known.stored + 1);
            queue_->note_written(since);
            // A stop takes away what waited: then only the log still has it.
            if (known.waiting.value || queue_->stopped()) return true;
            log_->drop(known);
            forget_absent(known);
            return true;
        }
        give_up(known, change.value->id, written.error(), losses);
        return true;
    }

  private:
    /// What is newer than the store's; the inner one is empty where that is an erase.
    static std::optional<std::optional<record>> waiting_of(known_record const& known) {
        auto const& newest = known.waiting.value ? known.waiting : known.under_way;
        if (!newest.value) return std::nullopt;
        if (newest.erases) return std::optional<record>{};
        auto what = std::optional<record>{*newest.value};
        what->revision = known.given;
        return what;
    }

    void adopt_stored(known_record& known, std::uint64_t revision) {
        known.unsure = false;
        if (revision == known.stored) return;
        known.stored = revision;  // somebody else wrote or removed it
        known.given = revision == 0 ? 0 : std::max(revision, next_given_);
        next_given_ = std::max(next_given_, known.given + 1);
    }

    /// Gives the failure that took the record's writes to the caller, once; then asks the store anew.
    failure forget_lost(typename map::iterator found) {
        auto why = *found->second.lost;
        found->second.lost.reset();
        if (found->second.is_idle()) {
            known_.erase(found);
            ++forgotten_;
        }
        return why;
    }

    result<std::uint64_t> accept(operation_ref id, std::uint64_t revision, waiting_record change,
                                 std::size_t bytes, duration at_most) {
        lock_type lock{queue_->mutex()};
        auto const until = queue_->patience(at_most);
        while (true) {
            if (auto usable = queue_->check_open(); !usable.has_value()) return usable.error();
            auto found = known_.find(id);
            if (found == known_.end() || found->second.unsure) {
                if (found == known_.end() && known_.size() >= queue_->options().known_max &&
                    !forget())
                    return at_once(lock, id, revision, change, at_most);
                if (auto learnt = learn(lock, id, at_most); !learnt.has_value())
                    return learnt.error();
                continue;
            }
            auto& known = found->second;
            if (known.lost) return forget_lost(found);
            if (change.erases && known.given == 0) return std::uint64_t{0};
            if (known.given != revision) return conflict(id, revision, known.given);
            if (queue_->has_room(known.queued != 0, bytes))
                return accept(known, std::move(change), bytes);
            if (auto waited = queue_->wait_for_room(lock, until); !waited.has_value())
                return waited.error();
        }
    }

    result<std::uint64_t> accept(known_record& known, waiting_record change, std::size_t bytes) {
        // What the store never had need not be taken from it.
        if (change.erases && known.stored == 0 && !known.writing && !known.doubtful) {
            queue_->count_accepted();
            known.given = 0;
            known.waiting = {};
            log_->drop(known);
            return std::uint64_t{0};
        }
        if constexpr (write_behind_log_keeper<Log>::has_log)
            if (auto kept = log_->keep(known, logged(change, known.stored, known.under_way));
                !kept.has_value())
                return kept.error();
        known.given = change.erases ? 0 : known.given == 0 ? next_given_ : known.given + 1;
        next_given_ = std::max(next_given_, known.given + 1);
        known.waiting = std::move(change);
        queue_->forget_bytes(known);  // of what this one replaces
        queue_->enqueue(known, {&known, nullptr, 0}, bytes);
        return known.given;
    }

    /// Where no more revisions can be remembered: the store's own, and its time.
    result<std::uint64_t> at_once(lock_type& lock, operation_ref id, std::uint64_t revision,
                                  waiting_record const& change, duration at_most) {
        ++forgotten_;
        lock.unlock();
        if (!change.erases) return store_->save(*change.value, at_most);
        auto erased = store_->erase(id, revision, at_most);
        if (!erased.has_value()) return erased.error();
        return std::uint64_t{0};
    }

    /// Makes room among what is known: a record whose revision here is the store's can be asked for again.
    bool forget() {
        auto at = known_.upper_bound(hand_);
        for (std::size_t looked = 0; looked != forgotten_at_once && !known_.empty(); ++looked) {
            if (at == known_.end()) at = known_.begin();
            auto const& known = at->second;
            if (known.is_idle() && !known.lost && known.given == known.stored) {
                hand_ = at->first;
                known_.erase(at);
                ++forgotten_;
                return true;
            }
            ++at;
        }
        if (at != known_.end()) hand_ = at->first;
        return false;
    }

    /// A record that is not there, here or in the store, need not be remembered.
    void forget_absent(known_record& known) {
        if (known.given != 0 || known.stored != 0 || known.lost || !known.is_idle()) return;
        known_.erase(known.self);
        ++forgotten_;
    }

    /// Asks the store for the record's revision.
    result<void> learn(lock_type& lock, operation_ref id, duration at_most) {
        auto const before = forgotten_;
        std::uint64_t revision = 0;
        auto absent = false;
        if constexpr (requires { store_->may_contain(id); }) absent = !store_->may_contain(id);
        if (!absent) {
            lock.unlock();
            auto loaded = store_->load(id, at_most);
            lock.lock();
            if (!loaded.has_value()) return loaded.error();
            if (loaded.value()) revision = loaded.value()->revision;
            if (before != forgotten_) return success();  // it may have changed: ask again
        }
        auto const found = known_.find(id);
        if (found != known_.end()) {
            // Another caller asked meanwhile, and may have saved: what was read here may be older.
            if (!found->second.unsure) return success();
            if (found->second.is_idle()) adopt_stored(found->second, revision);
            found->second.unsure = false;
            return success();
        }
        auto const placed = known_.try_emplace(operation_id{id}).first;
        auto& known = placed->second;
        known.self = placed;
        known.stored = known.given = revision;
        next_given_ = std::max(next_given_, revision + 1);
        return success();
    }

    /// Gives the store a record's change; returns the revision that it has then.
    result<std::uint64_t> hand_over(waiting_record const& change, std::uint64_t revision,
                                    bool in_doubt) {
        auto const wait = queue_->options().store_wait;
        try {
            if (change.erases) {
                auto erased = store_->erase(change.value->id, revision, wait);
                if (!erased.has_value()) return erased.error();
                return std::uint64_t{0};
            }
            auto what = *change.value;
            what.revision = revision;
            auto saved = store_->save(what, wait);
            if (saved.has_value() || !in_doubt ||
                saved.error().code() != make_error_code(store_errc::conflict))
                return saved;
            // The call that failed before may have done its work.
            auto there = store_->load(what.id, wait);
            if (there.has_value() && there.value() && same_content(*there.value(), what))
                return there.value()->revision;
            return saved;
        } catch (std::bad_alloc const&) {
            return store_failure(store_errc::unavailable, "out of memory");
        }
    }

    /// The store will not take it: the loss of one, or the end of all.
    void give_up(known_record& known, operation_id const& id, failure const& why,
                 std::vector<write_loss>& losses) {
        if (!is_loss_of_one(why)) {
            if (!queue_->stopped()) queue_->stop(why, losses);
            if constexpr (!write_behind_log_keeper<Log>::has_log)
                queue_->lose({id, 0, why}, losses);
            return;
        }
        queue_->lose({id, 0, why}, losses);
        queue_->forget_bytes(known);
        known.waiting = {};
        known.lost = why;
        log_->drop(known);
    }

    static constexpr std::size_t forgotten_at_once = 64;
    static constexpr std::size_t looks_max = 64;

    Store* store_;
    queue_type* queue_;
    write_behind_log_keeper<Log>* log_;
    map known_;
    operation_id hand_{};
    std::uint64_t next_given_ = 1;
    std::uint64_t forgotten_ = 0;  ///< raised where something known is forgotten
};

}  // namespace recoup::inline v1::detail
