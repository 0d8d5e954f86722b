// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/engine.hpp>
#include <recoup/core/errc.hpp>
#include <recoup/core/event.hpp>
#include <recoup/core/failure.hpp>
#include <recoup/core/identity.hpp>
#include <recoup/core/stop_reason.hpp>
#include <recoup/core/time.hpp>
#include <recoup/store/detail/key_text.hpp>
#include <recoup/store/detail/record_settings.hpp>
#include <recoup/store/detail/recorded_call.hpp>
#include <recoup/store/detail/recorded_failure.hpp>
#include <recoup/store/detail/slotted_claim.hpp>
#include <recoup/store/persist_options.hpp>
#include <recoup/store/record.hpp>
#include <recoup/store/store_errc.hpp>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <new>
#include <optional>
#include <utility>

namespace recoup::inline v1::detail {

/// A success that must not be given to the caller, and why.
struct lost_success {
    failure cause;
    stop_reason why;
};

/// The record of one operation and how it is written: what becomes of the operation where it cannot be.
template <class Store, runs_as Runs>
class record_keeper : public recorded_call {
  public:
    record_keeper(record_keeper const&) = delete;
    record_keeper& operator=(record_keeper const&) = delete;

    [[nodiscard]] operation_ref const& id() const noexcept { return id_; }

    /// Records what the next attempt must know.
    ///
    /// Returns: why it must not be made, or `none`.
    stop_reason before_retry(budget_spent const& spent, failure const& last, duration delay) {
        if (auto const had = ensure_record(); had != writing::done) return reason(had);
        auto& kept = *record_;
        put(spent);
        kept.delay = delay;
        kept.due = delay > duration{} ? saturating_add(this->system_now(), delay) : system_time{};
        kept.last_failure = to_record(last);
        return reason(save());
    }

    /// Keeps the checkpoint and the token of the running attempt.
    failure const* save_progress() final {
        if (auto const had = ensure_record(); had != writing::done) return refused(had);
        auto const& state = this->state();
        auto& kept = *record_;
        kept.attempts = state.attempt;
        kept.delay = {};
        kept.due = {};
        auto const moved_on = kept.checkpoint != state.checkpoint;
        kept.checkpoint = state.checkpoint;
        kept.token = state.token;
        if (state.progressed && this->refills_on_progress()) {
            kept.spent = 0;
            kept.spent_by_category = {};
        }
        auto const end = save();
        if (end == writing::done && moved_on) this->emit(event_kind::checkpoint_saved);
        return refused(end);
    }

    /// Whether the end of a success is written.
    bool writes_success() const noexcept {
        return record_ && record_->revision != 0 && !unprotected_ && !fenced_;
    }

  protected:
    using settings_type = record_settings<Store>;
    /// Whether the store keeps an operation that needs no record in a slot.
    static constexpr bool has_slots = slotted<Store>;

    /// In place: the way of each call, also of one that will not have a record.
    template <class Key>
    [[gnu::always_inline]] inline record_keeper(settings_type const& settings, Key const& key)
        : settings_{settings},
          key_{key},
          id_{settings.options().space, settings.options().name, key_.view()} {}
    ~record_keeper() = default;

    /// How writing to the record ended.
    enum class writing : std::uint8_t {
        done,         ///< the store has acknowledged it
        unprotected,  ///< it has not, and the operation goes on without
        refused,      ///< it has not, and the operation must not go on
        busy,         ///< another one has written: the operation is no longer ours
    };

    static constexpr stop_reason reason(writing end) noexcept {
        switch (end) {
            case writing::refused: return stop_reason::store_failed;
            case writing::busy: return stop_reason::busy;
            case writing::done:
            case writing::unprotected: break;
        }
        return stop_reason::none;
    }

    failure const* refused(writing end) const noexcept {
        return reason(end) == stop_reason::none ? nullptr : &trouble_;
    }

    /// Space and name are known to be valid; the digits of a number are.
    [[nodiscard]] bool key_is_valid() const noexcept {
        return key_.is_number() || (!id_.key.empty() && valid_identifier(id_.key));
    }

    /// Returns: false where an argument cannot be encoded; `trouble_` says why.
    template <class Read>
    bool read_input(Read const& fingerprint_of_arguments) {
        try {
            fingerprint_ = fingerprint_of_arguments();
            return true;
        } catch (std::bad_alloc const&) {
            throw;
        } catch (...) {  // a text that is not UTF-8 is no JSON, say
            trouble_ = failure{std::current_exception()}.as(category::invalid_input);
            return false;
        }
    }
    bool read_input() {
        return fingerprint_ || read_input([this] { return this->fingerprint(); });
    }

    /// Pre: the input has been read.
    record& begin_fresh_record() {
        auto id = operation_id{id_};  // before there is a record: what throws leaves none
        auto& made = record_.emplace();
        made.id = std::move(id);
        made.fingerprint = *fingerprint_;
        made.attempts = this->state().attempt;
        made.created = this->system_now();
        return made;
    }

    /// Makes sure that there is something to write, and that writing it is our business.
    writing ensure_record() {
        if (fenced_) return writing::busy;
        if (unprotected_) return writing::unprotected;
        if (!claim_.held()) {
            if (claim_.enter(&settings_.store(), id_)) {
                trouble_ = failure{category::service_unavailable, errc::already_running};
                this->emit(event_kind::store_failed, &trouble_);
                fenced_ = true;
                return writing::busy;
            }
        }
        if (record_) return writing::done;
        if (!read_input()) return without_record();
        begin_fresh_record();
        return writing::done;
    }

    /// It cannot be recorded, for the reason in `trouble_`.
    writing without_record() {
        this->emit(event_kind::store_failed, &trouble_);
        return settings_.when_store_fails() == on_store_failure::stop ? writing::refused
                                                                      : writing::unprotected;
    }

    void put(budget_spent const& spent) {
        record_->status = record_status::running;
        record_->attempts = spent.attempt;
        record_->spent = spent.shared;
        record_->spent_by_category = spent.by_category;
        record_->checkpoint = this->state().checkpoint;
        record_->token = this->state().token;
    }

    /// Writes the record. `first`: nothing rests on it yet, so that a conflict is no more than news.
    writing save(bool first = false) {
        auto& kept = *record_;
        kept.updated = this->system_now();
        kept.active = saturating_add(active_before_, this->active());
        auto saved = settings_.store().save(kept, time_for_store());
        if (saved.has_value()) {
            kept.revision = saved.assume_value();
            if constexpr (has_slots) claim_.settle();
            this->emit(event_kind::recorded);
            return writing::done;
        }
        trouble_ = std::move(saved).assume_error();
        return trouble_.code() == store_errc::conflict ? lose(first) : without_record();
    }

    /// Another one has written the record since we saw it.
    writing lose(bool first) {
        if (first) return writing::busy;
        this->emit(event_kind::store_failed, &trouble_);
        if (unseen_) {
            // It was there before us, and could not be read: it is not ours, and nobody took over.
            unprotected_ = true;
            return writing::unprotected;
        }
        // Whoever changed the record owns the operation now: going on would run it twice.
        fenced_ = true;
        return writing::busy;
    }

    /// A store call takes at most what remains; ending a record is tried even when nothing does.
    duration time_for_store() const noexcept { return std::max(this->left(), duration{}); }

    /// Ends the record of a success.
    ///
    /// Returns: a failure, where the record could not be ended and no work is wanted without one.
    [[gnu::noinline]] std::optional<lost_success> record_success(void const* outcome) {
        auto const end = end_success(outcome);
        claim_.publish(this->results(), outcome);
        auto const accepted = end == writing::done || end == writing::unprotected ||
                              settings_.when_store_fails() == on_store_failure::proceed;
        if (accepted) return std::nullopt;
        return lost_success{std::move(trouble_), reason(end)};
    }

    writing end_success(void const* outcome) {
        if (fenced_) return writing::busy;
        if (!writes_success()) return writing::done;
        auto const keeps = settings_.options().retain > duration{};
        if (keeps && put_result(outcome)) return save();
        auto cause = std::move(trouble_);
        auto erased = settings_.store().erase(id_, record_->revision, time_for_store());
        if (!erased.has_value()) {
            trouble_ = std::move(erased).assume_error();
            return trouble_.code() == store_errc::conflict ? lose(false) : without_record();
        }
        if (!keeps) return writing::done;
        trouble_ = std::move(cause);
        return without_record();
    }

    /// Returns: false where the result cannot be encoded; `trouble_` says why.
    bool put_result(void const* outcome) {
        auto& kept = *record_;
        if (auto const encode = this->results().encode) {
            try {
                kept.result = encode(outcome);
            } catch (std::bad_alloc const&) {
                throw;
            } catch (...) {
                trouble_ = failure{std::current_exception()}.as(category::invalid_input);
                return false;
            }
        }
        kept.status = record_status::succeeded;
        kept.attempts = this->state().attempt;
        kept.due = {};
        kept.delay = {};
        kept.checkpoint.reset();
        kept.expires = saturating_add(this->system_now(), settings_.options().retain);
        return true;
    }

    /// Pre: there is something to write, and writing it is our business.
    void put_failure(failure const& last) {
        auto& kept = *record_;
        kept.status = record_status::failed;
        kept.attempts = last.attempts();
        kept.due = {};
        kept.delay = {};
        kept.last_failure = to_record(last);
        kept.expires = saturating_add(this->system_now(), settings_.options().retain_failed);
    }

    settings_type const& settings_;
    key_text key_;
    operation_ref id_;
    std::optional<std::uint64_t> fingerprint_{};
    std::optional<record> record_{};
    typename claim_of<Store, Runs>::type claim_{};
    duration active_before_{};
    failure trouble_{};         ///< what it ends with, or what the store said last
    bool unseen_ = false;       ///< the store could not say whether there is a record
    bool unprotected_ = false;  ///< a record that is not ours is in the way
    bool fenced_ = false;       ///< another one owns the operation
};

}  // namespace recoup::inline v1::detail
