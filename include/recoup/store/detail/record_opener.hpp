// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/attempt.hpp>
#include <recoup/core/engine.hpp>
#include <recoup/core/errc.hpp>
#include <recoup/core/event.hpp>
#include <recoup/core/failure.hpp>
#include <recoup/core/stop_reason.hpp>
#include <recoup/core/thread_mark.hpp>
#include <recoup/core/time.hpp>
#include <recoup/store/detail/opening.hpp>
#include <recoup/store/detail/record_keeper.hpp>
#include <recoup/store/detail/record_settings.hpp>
#include <recoup/store/detail/recorded_failure.hpp>
#include <recoup/store/detail/running.hpp>
#include <recoup/store/detail/slot_hash.hpp>
#include <recoup/store/persist_options.hpp>
#include <recoup/store/record.hpp>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

namespace recoup::inline v1::detail {

/// Finds the record of an operation and continues where it stands, step by step: none of the steps waits, other
/// than for the store.
template <class Store, runs_as Runs>
class record_opener : public record_keeper<Store, Runs> {
  protected:
    using keeper = record_keeper<Store, Runs>;
    using keeper::active_before_;
    using keeper::begin_fresh_record;
    using keeper::claim_;
    using keeper::fingerprint_;
    using keeper::has_slots;
    using keeper::id_;
    using keeper::key_is_valid;
    using keeper::put;
    using keeper::read_input;
    using keeper::record_;
    using keeper::save;
    using keeper::settings_;
    using keeper::trouble_;
    using keeper::unseen_;
    using typename keeper::writing;

    template <class Key>
    [[gnu::always_inline]] inline record_opener(record_settings<Store> const& settings,
                                                Key const& key)
        : keeper{settings, key} {}
    ~record_opener() = default;

    /// Records the intent of an operation of which nothing is known in a slot: as durable as a record
    /// would be, and one is made when it is needed. The path of nearly all calls, and so a short one.
    bool begin_in_slot()
        requires has_slots
    {
        if (settings_.options().when != persist_when::start ||
            settings_.options().retain > duration{} || !fingerprint_ || !key_is_valid())
            return false;
        auto const hash = slot_hash(settings_.hash_of_name(), id_.key);
        return claim_.begin(settings_.store(), id_, hash, *fingerprint_);
    }

    /// Whether there is nothing to look for, and nothing to write before an attempt has failed.
    bool begins_unrecorded() const noexcept {
        return settings_.options().when == persist_when::failure && key_is_valid() && !may_exist();
    }

    bool drops_results() const noexcept { return settings_.options().retain <= duration{}; }

    [[gnu::noinline]] opening open_record() {
        if (!key_is_valid())
            return end_with(failure{category::invalid_input, errc::key_invalid},
                            stop_reason::not_retryable);
        if (!drops_results() && this->results().encode == nullptr)
            return end_with(failure{category::configuration, errc::result_unstorable},
                            stop_reason::not_retryable);
        this->state().sink = this;
        return settle(look());
    }

    /// Goes on where the call that runs the operation has ended, or the wait for that.
    opening joined(std::shared_ptr<running_operation> other, join_end how) {
        switch (how) {
            case join_end::stopped:
                return end_with(failure{category::cancelled, errc::cancelled},
                                stop_reason::cancelled);
            case join_end::timed_out:
                return end_with(failure{category::unknown, errc::deadline_exceeded},
                                stop_reason::deadline);
            case join_end::done: break;
        }
        auto const& own = this->results();
        auto const shares = own.copy != nullptr;
        if (shares && other->result && other->kind == &own)
            return {.next = opening::shared, .other = std::move(other)};
        if (other->result || !shares)
            return end_with(failure{category::defect, errc::already_running}, stop_reason::busy);
        return settle({.next = opening::again});  // its runner left without a result
    }

    /// Goes on where the wait for the attempt that was due has ended. `over`: whether it was not cut short.
    opening waited(bool over) {
        if (over) return {};
        return finish_resumed(failure{category::cancelled, errc::cancelled},
                              stop_reason::cancelled);
    }

    /// Ends without a word to the record.
    opening end_with(failure what, stop_reason why) {
        left_ = true;
        trouble_ = std::move(what);
        this->end_unrecorded(trouble_, why);
        return {.next = opening::failed};
    }

    /// Whether the end of `last` is written.
    bool writes_failure(failure const& last) const noexcept {
        return !left_ && (record_ || last.attempts() != 0);
    }

    /// Ends the record of a failure.
    void end_failed(failure const& last) {
        if (!writes_failure(last)) return claim_.release();
        if (this->ensure_record() == writing::done) {
            this->put_failure(last);
            save();  // the caller is told of the failure that ended it; an event tells of this one
        }
        claim_.publish_failure(this->results(), last);
    }

    bool left_ = false;  ///< the record is nobody's business

  private:
    static constexpr int rounds_max = 64;  ///< of looks at the record

    bool may_exist() const noexcept {
        if constexpr (requires {
                          { settings_.store().may_contain(id_) } -> std::convertible_to<bool>;
                      })
            return settings_.store().may_contain(id_);
        else
            return true;
    }

    /// Looks again until nothing has changed in between: each round ends, or has seen another call change the record.
    opening settle(opening at) {
        for (; at.next == opening::again || at.next == opening::claimed; at = look()) {
            if (++rounds_ == rounds_max)
                return end_with(failure{category::service_unavailable, errc::already_running},
                                stop_reason::busy);
            if (at.next == opening::again) forget_record();
        }
        return at;
    }

    /// One look at the record, and what follows from it.
    opening look() {
        if (!may_exist()) return begin_record();
        auto loaded = settings_.store().load(id_, this->left());
        if (!loaded.has_value()) return without_store(std::move(loaded).assume_error());
        return loaded.assume_value() ? continue_record(*std::move(loaded).assume_value())
                                     : begin_record();
    }

    /// Forgets what a record said that has changed since.
    void forget_record() {
        record_.reset();
        claim_.release();
        this->shorten_deadline(-std::exchange(active_before_, duration{}));
        this->start_over();
    }

    /// The store does not answer.
    opening without_store(failure trouble) {
        this->emit(event_kind::store_failed, &trouble);
        if (settings_.when_store_fails() == on_store_failure::stop)
            return end_with(std::move(trouble), stop_reason::store_failed);
        unseen_ = true;
        return {};
    }

    opening begin_record() {
        if (settings_.options().when == persist_when::failure) {
            claim_.release();
            return {};
        }
        if (!read_input()) return end_with(std::move(trouble_), stop_reason::not_retryable);
        if constexpr (has_slots) {
            // The intent is in a slot, as durable as a record would be; one is made when it is needed.
            if (!claim_.held() && settings_.options().retain <= duration{} &&
                claim_.begin(settings_.store(), id_, slot_hash(id_), *fingerprint_)) {
                this->emit(event_kind::recorded);
                return {};
            }
        }
        if (!claim_.held())
            if (auto other = claim_.enter(&settings_.store(), id_)) return join(std::move(other));
        begin_fresh_record();
        return save_first();
    }

    /// The first save of a call: another call may have been faster.
    opening save_first() {
        switch (save(/*first=*/true)) {
            case writing::done:
            case writing::unprotected: break;
            case writing::busy: return {.next = opening::again};
            case writing::refused: return end_with(std::move(trouble_), stop_reason::store_failed);
        }
        return {};
    }

    opening continue_record(record found) {
        if (!read_input()) return end_with(std::move(trouble_), stop_reason::not_retryable);
        // What has expired is as good as removed, whether the store has cleaned up or not.
        auto const expired =
            found.status != record_status::running && found.expires <= this->system_now();
        auto const over = expired || found.status == record_status::failed;
        if (!over && found.fingerprint != *fingerprint_)
            return end_with(failure{category::invalid_input, errc::input_mismatch},
                            stop_reason::input_mismatch);
        if (!over && found.status == record_status::succeeded) return replay(std::move(found));
        if (!claim_.held()) {
            if (auto other = claim_.enter(&settings_.store(), id_)) return join(std::move(other));
            return {.next = opening::claimed};  // it may have ended between our look and our claim
        }
        return over ? next_generation(std::move(found), expired) : resume(std::move(found));
    }

    /// The last call succeeded, and its result is this one's.
    opening replay(record found) {
        record_ = std::move(found);
        return {.next = opening::replayed};
    }

    /// The last call ended: this one gets a fresh budget, deadline and token, and the checkpoint.
    opening next_generation(record found, bool expired) {
        auto const inherits = !expired && found.checkpoint && found.fingerprint == *fingerprint_;
        auto& next = begin_fresh_record();
        next.revision = found.revision;
        next.generation = found.generation == UINT32_MAX ? UINT32_MAX : found.generation + 1;
        if (inherits) {
            next.checkpoint = found.checkpoint;
            this->state().checkpoint = std::move(found.checkpoint);
            this->state().resumed = true;
            this->emit(event_kind::operation_resumed);
        }
        return settings_.options().when == persist_when::start ? save_first() : opening{};
    }

    /// An earlier process left it behind.
    opening resume(record found) {
        // Records are input: a negative span would lengthen the deadline.
        found.active = std::max(found.active, duration{});
        found.delay = std::max(found.delay, duration{});
        auto& state = this->state();
        state.checkpoint = found.checkpoint;
        state.token = found.token;
        this->shorten_deadline(found.active);
        active_before_ = found.active;
        auto const now = this->system_now();
        auto const until_due = saturating_between(now, found.due);
        auto const in_flight = found.due == system_time{} || until_due <= duration{};
        auto spent = budget_spent{.attempt = std::max<std::uint32_t>(found.attempts, 1),
                                  .shared = found.spent,
                                  .by_category = found.spent_by_category,
                                  .previous_delay = found.delay};
        auto next = step{.next = step::action::attempt};
        record_ = std::move(found);
        this->continue_from(spent);
        if (in_flight) {
            // The process ended inside the attempt that was due: it counts, so that a crash loop ends.
            next = this->crashed(spent);
            this->continue_from(spent);
            record_->delay = {};
            record_->due = {};
        } else {
            next.delay = std::min(until_due, record_->delay);
            // Seen from now on: were the wall clock set back, a crash in the attempt would look like
            // one in the wait until it has caught up, and a crash loop would not end.
            record_->due = saturating_add(now, next.delay);
        }
        this->emit(event_kind::operation_resumed);
        if (in_flight && next.next == step::action::attempt && !this->may_repeat())
            next = {.why = stop_reason::not_idempotent};
        if (next.next == step::action::finish) {
            this->continue_from(
                {.attempt = record_->attempts == UINT32_MAX ? UINT32_MAX : record_->attempts + 1});
            auto const code = next.why == stop_reason::not_idempotent ? errc::process_ended
                                                                      : errc::crash_budget_spent;
            return finish_resumed(failure{category::unknown, code}, next.why);
        }
        put(spent);
        if (auto opened = save_first(); opened.next != opening::go) return opened;
        if (this->left() <= next.delay)
            return finish_resumed(failure{category::unknown, errc::deadline_exceeded},
                                  stop_reason::deadline);
        return {.next = opening::wait, .delay = next.delay};
    }

    /// Ends before an attempt was made, with what the last one failed with, where that is known.
    opening finish_resumed(failure otherwise, stop_reason why) {
        auto const& known = record_->last_failure;
        auto last = known ? restored(*known) : std::move(otherwise);
        this->end_recorded(last, why);
        end_failed(last);
        trouble_ = std::move(last);
        return {.next = opening::failed};
    }

    /// Another call runs the operation.
    opening join(std::shared_ptr<running_operation> other) {
        if constexpr (Runs == runs_as::call) {
            if (other->runner == this_thread_mark())
                return end_with(failure{category::defect, errc::joins_itself}, stop_reason::busy);
        }
        this->emit(event_kind::operation_joined);
        return {.next = opening::join, .other = std::move(other)};
    }

    int rounds_ = 0;
};

}  // namespace recoup::inline v1::detail
