// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/attempt.hpp>
#include <recoup/core/encoding.hpp>
#include <recoup/core/engine.hpp>
#include <recoup/core/errc.hpp>
#include <recoup/core/event.hpp>
#include <recoup/core/result.hpp>
#include <recoup/core/returns.hpp>
#include <recoup/store/detail/record_keeper.hpp>
#include <recoup/store/detail/recorded_failure.hpp>
#include <recoup/store/detail/running.hpp>
#include <recoup/store/persist_options.hpp>
#include <recoup/store/persistence_policy.hpp>
#include <recoup/store/record.hpp>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace recoup::inline v1::detail {

/// One operation's side of its record: finds it, continues it, keeps it up to date, ends it.
///
/// The driver is the operation that is called; it owns the session and tells it what happens.
template <class Persistence, class Driver, class Result>
class session final : public record_keeper<Persistence, Driver, Result>, public progress_sink {
    using keeper = record_keeper<Persistence, Driver, Result>;
    using keeper::active_before_;
    using keeper::claim_;
    using keeper::driver_;
    using keeper::end_success;
    using keeper::ensure_record;
    using keeper::fenced_;
    using keeper::fingerprint_;
    using keeper::fresh_record;
    using keeper::has_slots;
    using keeper::id_;
    using keeper::key_is_valid;
    using keeper::policy_;
    using keeper::put;
    using keeper::read_input;
    using keeper::reason;
    using keeper::record_;
    using keeper::refused;
    using keeper::save;
    using keeper::stores_result;
    using keeper::trouble_;
    using keeper::unprotected_;
    using keeper::unseen_;
    using typename keeper::value_type;
    using typename keeper::writing;

  public:
    session(Driver& driver, Persistence const& policy) : keeper{driver, policy} {}

    /// Looks for a record and continues where it stands.
    ///
    /// Returns: the end, where the callable need not or must not be called.
    std::optional<Result> open() {
        if (open_at_once()) return std::nullopt;
        return open_and_wait();
    }

    // ---- the same step by step, for drivers that must not block: none of the steps waits, other than for the store

    /// What follows a step of opening.
    struct opening {
        enum {
            go,       ///< make an attempt
            end,      ///< with `outcome`
            join,     ///< wait for `other`, then tell `joined`
            wait,     ///< for `delay`, then tell `waited`
            again,    ///< the record has changed since
            claimed,  ///< look once more, for nobody else in this process can change it now
        } next = go;
        std::optional<Result> outcome{};
        std::shared_ptr<running_operation> other{};
        duration delay{};
    };

    /// Opens where that takes no call of the store. Returns: whether it did; else `open_record` does.
    bool open_at_once() {
        if constexpr (has_slots)
            if (begin_in_slot()) return true;
        if (policy_.options().when != persist_when::failure || !may_keep_result() ||
            !key_is_valid() || may_exist())
            return false;
        driver_.state().sink = this;
        return true;
    }

    [[gnu::noinline]] opening open_record() {
        if (!key_is_valid())
            return end_with(failure{category::invalid_input, errc::key_invalid},
                            stop_reason::not_retryable);
        if (!may_keep_result())
            return end_with(failure{category::configuration, errc::result_unstorable},
                            stop_reason::not_retryable);
        driver_.state().sink = this;
        return settle(look());
    }

    /// Goes on where the call that runs the operation has ended, or the wait for that.
    opening joined(running_operation const& other, join_end how) {
        switch (how) {
            case join_end::stopped:
                return end_with(failure{category::cancelled, errc::cancelled},
                                stop_reason::cancelled);
            case join_end::timed_out:
                return end_with(failure{category::unknown, errc::deadline_exceeded},
                                stop_reason::deadline);
            case join_end::done: break;
        }
        if constexpr (std::is_copy_constructible_v<Result>) {
            if (other.result && other.result_type == &type_mark<Result>)
                return {.next = opening::end,
                        .outcome = *static_cast<Result const*>(other.result.get())};
        }
        if (other.result || !std::is_copy_constructible_v<Result>)
            return end_with(failure{category::defect, errc::already_running}, stop_reason::busy);
        return settle({.next = opening::again});  // its runner left without a result
    }

    /// Goes on where the wait for the attempt that was due has ended. `over`: whether it was not cut short.
    opening waited(bool over) {
        if (over) return {};
        return finish_resumed(failure{category::cancelled, errc::cancelled},
                              stop_reason::cancelled);
    }

  private:
    std::optional<Result> open_and_wait() {
        auto at = open_record();
        while (true) {
            switch (at.next) {
                case opening::end: return std::move(at.outcome);
                case opening::join:
                    at = joined(*at.other, await(*at.other, driver_.stop_token(), driver_.left()));
                    break;
                case opening::wait: at = waited(driver_.wait(at.delay)); break;
                default: return std::nullopt;
            }
        }
    }

    /// Looks again until nothing has changed in between: each round ends, or has seen another call change the record.
    opening settle(opening at) {
        for (; at.next == opening::again || at.next == opening::claimed; at = look()) {
            if (++rounds_ == rounds_max)
                return end_with(failure{category::service_unavailable, errc::already_running},
                                stop_reason::busy);
            if (at.next == opening::again) start_over();
        }
        return at;
    }

    bool may_keep_result() const noexcept {
        return stores_result || policy_.options().retain <= duration{};
    }

    /// Records the intent of an operation of which nothing is known in a slot: as durable as a record
    /// would be, and one is made when it is needed. The path of nearly all calls, and so a short one.
    bool begin_in_slot() {
        if (policy_.options().when != persist_when::start ||
            policy_.options().retain > duration{} || !fingerprint_ || !key_is_valid())
            return false;
        auto const hash = slot_hash(policy_.hash_of_name(), id_.key);
        if (!claim_.begin(policy_.store(), id_, hash, *fingerprint_)) return false;
        driver_.state().sink = this;
        driver_.emit(event_kind::recorded);
        return true;
    }

  public:
    /// Records what the next attempt must know.
    ///
    /// Returns: why it must not be made, or `none`.
    stop_reason before_retry(budget_spent const& spent, failure const& last, duration delay) {
        if (auto const had = ensure_record(); had != writing::done) return reason(had);
        auto& kept = *record_;
        put(spent);
        kept.delay = delay;
        kept.due = delay > duration{} ? saturating_add(driver_.clock().system_now(), delay)
                                      : system_time{};
        kept.last_failure = to_record(last);
        return reason(save());
    }

    /// Keeps the checkpoint and the token of the running attempt.
    failure const* save_progress() override {
        if (auto const had = ensure_record(); had != writing::done) return refused(had);
        auto const& state = driver_.state();
        auto& kept = *record_;
        kept.attempts = state.attempt;
        kept.delay = {};
        kept.due = {};
        auto const moved_on = kept.checkpoint != state.checkpoint;
        kept.checkpoint = state.checkpoint;
        kept.token = state.token;
        if constexpr (requires { driver_.retry().refill_on_progress; }) {
            if (state.progressed && driver_.retry().refill_on_progress) {
                kept.spent = 0;
                kept.spent_by_category = {};
            }
        }
        auto const end = save();
        if (end == writing::done && moved_on) driver_.emit(event_kind::checkpoint_saved);
        return refused(end);
    }
    void leaves() noexcept override { driver_.tell_later(); }
    void returns() noexcept override { driver_.tell_now(); }

    /// A success that must not be given to the caller, and why.
    struct lost_success {
        failure cause;
        stop_reason why;
    };

    /// Ends the record of a success.
    ///
    /// Returns: a failure, where the record could not be ended and no work is wanted without one.
    std::optional<lost_success> succeeded(Result const& outcome) {
        if constexpr (has_slots) {
            if (!record_ && claim_.in_slot()) {
                claim_.publish(outcome);
                return std::nullopt;
            }
        }
        if (!record_ && !claim_.held() && !fenced_) return std::nullopt;
        return record_succeeded(outcome);
    }

    /// Whether the end of a success is written.
    bool writes_success() const noexcept {
        return record_ && record_->revision != 0 && !unprotected_ && !fenced_;
    }

    /// Whether the end of `last` is written.
    bool writes_failure(failure const& last) const noexcept {
        return !left_ && (record_ || last.attempts() != 0);
    }

  private:
    [[gnu::noinline]] std::optional<lost_success> record_succeeded(Result const& outcome) {
        auto const end = end_success(outcome);
        claim_.publish(outcome);
        auto const accepted = end == writing::done || end == writing::unprotected ||
                              policy_.when_store_fails() == on_store_failure::proceed;
        if (accepted) return std::nullopt;
        return lost_success{std::move(trouble_), reason(end)};
    }

  public:
    /// Ends the record of a failure.
    void failed(failure const& last) {
        if (!writes_failure(last)) return claim_.release();
        if (ensure_record() == writing::done) {
            auto& kept = *record_;
            kept.status = record_status::failed;
            kept.attempts = last.attempts();
            kept.due = {};
            kept.delay = {};
            kept.last_failure = to_record(last);
            kept.expires =
                saturating_add(driver_.clock().system_now(), policy_.options().retain_failed);
            save();  // the caller is told of the failure that ended it; an event tells of this one
        }
        claim_.publish(Result{in_place<failure>{}, last});
    }

    /// Ends without having looked at the record.
    void leave() noexcept { left_ = true; }

  private:
    static constexpr int rounds_max = 64;  ///< of looks at the record

    bool may_exist() const noexcept {
        if constexpr (requires {
                          { policy_.store().may_contain(id_) } -> std::convertible_to<bool>;
                      })
            return policy_.store().may_contain(id_);
        else
            return true;
    }

    // ---- opening

    std::optional<Result> refuse(failure what, stop_reason why) {
        leave();
        return driver_.end_unrecorded(std::move(what), why);
    }

    opening end_with(failure what, stop_reason why) {
        return {.next = opening::end, .outcome = refuse(std::move(what), why)};
    }

    /// One look at the record, and what follows from it.
    opening look() {
        if (!may_exist()) return begin_record();
        auto loaded = policy_.store().load(id_, driver_.left());
        if (!loaded.has_value()) return without_store(std::move(loaded).assume_error());
        return loaded.assume_value() ? continue_record(*std::move(loaded).assume_value())
                                     : begin_record();
    }

    /// Forgets what a record said that has changed since.
    void start_over() {
        record_.reset();
        claim_.release();
        driver_.shorten_deadline(-std::exchange(active_before_, duration{}));
        driver_.start_over();
    }

    /// The store does not answer.
    opening without_store(failure trouble) {
        driver_.emit(event_kind::store_failed, &trouble);
        if (policy_.when_store_fails() == on_store_failure::stop)
            return end_with(std::move(trouble), stop_reason::store_failed);
        unseen_ = true;
        return {};
    }

    opening begin_record() {
        if (policy_.options().when == persist_when::failure) {
            claim_.release();
            return {};
        }
        if (!read_input()) return end_with(std::move(trouble_), stop_reason::not_retryable);
        if constexpr (has_slots) {
            // The intent is in a slot, as durable as a record would be; one is made when it is needed.
            if (!claim_.held() && policy_.options().retain <= duration{} &&
                claim_.begin(policy_.store(), id_, slot_hash(id_), *fingerprint_)) {
                driver_.emit(event_kind::recorded);
                return {};
            }
        }
        if (!claim_.held())
            if (auto other = claim_.enter(&policy_.store(), id_)) return join(std::move(other));
        record_ = fresh_record();
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
            found.status != record_status::running && found.expires <= driver_.clock().system_now();
        auto const over = expired || found.status == record_status::failed;
        if (!over && found.fingerprint != *fingerprint_)
            return end_with(failure{category::invalid_input, errc::input_mismatch},
                            stop_reason::input_mismatch);
        if (!over && found.status == record_status::succeeded)
            return {.next = opening::end, .outcome = replay(found)};
        if (!claim_.held()) {
            if (auto other = claim_.enter(&policy_.store(), id_)) return join(std::move(other));
            return {.next = opening::claimed};  // it may have ended between our look and our claim
        }
        return over ? next_generation(std::move(found), expired) : resume(std::move(found));
    }

    std::optional<Result> replay(record const& found) {
        if constexpr (stores_result) {
            if constexpr (std::is_void_v<value_type>) {
                driver_.emit(event_kind::operation_replayed);
                return Result{in_place<void>{}};
            } else if (auto value =
                           encoding<value_type>::decode(found.result.value_or(std::string{}))) {
                driver_.emit(event_kind::operation_replayed);
                return Result{in_place<value_type>{}, *std::move(value)};
            }
        }
        return refuse(failure{category::corruption, errc::value_unreadable},
                      stop_reason::not_retryable);
    }

    /// The last call ended: this one gets a fresh budget, deadline and token, and the checkpoint.
    opening next_generation(record found, bool expired) {
        auto const inherits = !expired && found.checkpoint && found.fingerprint == *fingerprint_;
        auto next = fresh_record();
        next.revision = found.revision;
        next.generation = found.generation == UINT32_MAX ? UINT32_MAX : found.generation + 1;
        if (inherits) next.checkpoint = found.checkpoint;
        record_ = std::move(next);
        if (inherits) {
            driver_.state().checkpoint = std::move(found.checkpoint);
            driver_.state().resumed = true;
            driver_.emit(event_kind::operation_resumed);
        }
        return policy_.options().when == persist_when::start ? save_first() : opening{};
    }

    /// An earlier process left it behind.
    opening resume(record found) {
        // Records are input: a negative span would lengthen the deadline.
        found.active = std::max(found.active, duration{});
        found.delay = std::max(found.delay, duration{});
        auto& state = driver_.state();
        state.checkpoint = found.checkpoint;
        state.token = found.token;
        driver_.shorten_deadline(found.active);
        active_before_ = found.active;
        auto const now = driver_.clock().system_now();
        auto const until_due = saturating_between(now, found.due);
        auto const in_flight = found.due == system_time{} || until_due <= duration{};
        auto spent = budget_spent{.attempt = std::max<std::uint32_t>(found.attempts, 1),
                                  .shared = found.spent,
                                  .by_category = found.spent_by_category,
                                  .previous_delay = found.delay};
        auto next = step{.next = step::action::attempt};
        record_ = std::move(found);
        driver_.continue_from(spent);
        if (in_flight) {
            // The process ended inside the attempt that was due: it counts, so that a crash loop ends.
            auto charged = engine{driver_.retry(), spent};
            next = charged.crashed(failure{errc::process_ended}, driver_.left(),
                                   driver_.clock().random());
            spent = charged.spent();
            driver_.continue_from(spent);
            record_->delay = {};
            record_->due = {};
        } else {
            next.delay = std::min(until_due, record_->delay);
            // Seen from now on: were the wall clock set back, a crash in the attempt would look like
            // one in the wait until it has caught up, and a crash loop would not end.
            record_->due = saturating_add(now, next.delay);
        }
        driver_.emit(event_kind::operation_resumed);
        if (in_flight && next.next == step::action::attempt && !driver_.may_repeat())
            next = {.why = stop_reason::not_idempotent};
        if (next.next == step::action::finish) {
            driver_.continue_from(
                {.attempt = record_->attempts == UINT32_MAX ? UINT32_MAX : record_->attempts + 1});
            auto const code = next.why == stop_reason::not_idempotent ? errc::process_ended
                                                                      : errc::crash_budget_spent;
            return finish_resumed(failure{category::unknown, code}, next.why);
        }
        put(spent);
        if (auto opened = save_first(); opened.next != opening::go) return opened;
        if (driver_.left() <= next.delay)
            return finish_resumed(failure{category::unknown, errc::deadline_exceeded},
                                  stop_reason::deadline);
        return {.next = opening::wait, .delay = next.delay};
    }

    /// Ends before an attempt was made, with what the last one failed with, where that is known.
    opening finish_resumed(failure otherwise, stop_reason why) {
        auto const& last = record_->last_failure;
        return {.next = opening::end,
                .outcome = driver_.end_resumed(last ? restored(*last) : std::move(otherwise), why)};
    }

    /// Another call runs the operation.
    opening join(std::shared_ptr<running_operation> other) {
        if constexpr (Driver::runs == runs_as::call) {
            if (other->runner == this_thread_mark())
                return end_with(failure{category::defect, errc::joins_itself}, stop_reason::busy);
        }
        driver_.emit(event_kind::operation_joined);
        return {.next = opening::join, .other = std::move(other)};
    }

    int rounds_ = 0;
    bool left_ = false;  ///< the record is nobody's business
};

}  // namespace recoup::inline v1::detail
