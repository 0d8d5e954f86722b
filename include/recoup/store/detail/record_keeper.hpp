// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/callable.hpp>
#include <recoup/core/encoding.hpp>
#include <recoup/core/engine.hpp>
#include <recoup/core/errc.hpp>
#include <recoup/core/event.hpp>
#include <recoup/core/fingerprint.hpp>
#include <recoup/core/result.hpp>
#include <recoup/store/detail/key_text.hpp>
#include <recoup/store/detail/running.hpp>
#include <recoup/store/detail/slotted_claim.hpp>
#include <recoup/store/persist_options.hpp>
#include <recoup/store/record.hpp>
#include <recoup/store/store_errc.hpp>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <new>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace recoup::inline v1::detail {

/// The record of one operation and how it is written: what becomes of the operation where it cannot be.
template <class Persistence, class Driver, class Result>
class record_keeper {
  public:
    record_keeper(record_keeper const&) = delete;
    record_keeper& operator=(record_keeper const&) = delete;

    [[nodiscard]] operation_ref id() const noexcept { return id_; }

  protected:
    record_keeper(Driver& driver, Persistence const& policy)
        : driver_{driver},
          policy_{policy},
          key_{std::apply([&](auto const&... args) { return key_text{policy.key()(args...)}; },
                          driver.arguments())},
          id_{policy.options().space, policy.options().name, key_.view()} {
        if constexpr (reads_input_early) static_cast<void>(read_input());
    }
    ~record_keeper() = default;

    using value_type = typename Result::value_type;
    using store_type = std::remove_cvref_t<decltype(std::declval<Persistence const&>().store())>;
    /// Whether the store keeps an operation that needs no record in a slot.
    static constexpr bool has_slots = slotted<store_type>;
    using claim_type = typename claim_of<store_type, Driver::runs>::type;

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

    static constexpr bool stores_result = [] {
        if constexpr (std::is_void_v<value_type>)
            return true;
        else
            return decodable<value_type>;
    }();

    // The input is what it was before the callable could change it. What is costly to read, which
    // means JSON, is read only when a record needs it where the callable lets its arguments be.
    static constexpr bool reads_input_early =
        []<class... Args>(std::type_identity<std::tuple<Args...>>) {
            return consumes_arguments(Driver::form) ||
                   (cheap_input<std::remove_cvref_t<Args>> && ...) || !Driver::takes_constants;
        }(std::type_identity<typename Driver::arguments_type>{});

    /// Space and name are known to be valid; the digits of a number are.
    [[nodiscard]] bool key_is_valid() const noexcept {
        return key_.is_number() || (!id_.key.empty() && valid_identifier(id_.key));
    }

    /// Returns: false where an argument cannot be encoded; `trouble_` says why.
    bool read_input() {
        if (fingerprint_) return true;
        try {
            fingerprint_ =
                std::apply([](auto const&... args) { return detail::fingerprint_of(args...); },
                           driver_.arguments());
            return true;
        } catch (std::bad_alloc const&) {
            throw;
        } catch (...) {  // a text that is not UTF-8 is no JSON, say
            trouble_ = failure{std::current_exception()}.as(category::invalid_input);
            return false;
        }
    }

    /// Pre: the input has been read.
    record fresh_record() {
        record made;
        made.id = operation_id{id_};
        made.fingerprint = *fingerprint_;
        made.attempts = driver_.state().attempt;
        made.created = driver_.clock().system_now();
        return made;
    }

    /// Makes sure that there is something to write, and that writing it is our business.
    writing ensure_record() {
        if (fenced_) return writing::busy;
        if (unprotected_) return writing::unprotected;
        if (!claim_.held()) {
            if (claim_.enter(&policy_.store(), id_)) {
                trouble_ = failure{category::service_unavailable, errc::already_running};
                driver_.emit(event_kind::store_failed, &trouble_);
                fenced_ = true;
                return writing::busy;
            }
        }
        if (record_) return writing::done;
        if (!read_input()) return without_record();
        record_ = fresh_record();
        return writing::done;
    }

    /// It cannot be recorded, for the reason in `trouble_`.
    writing without_record() {
        driver_.emit(event_kind::store_failed, &trouble_);
        return policy_.when_store_fails() == on_store_failure::stop ? writing::refused
                                                                    : writing::unprotected;
    }

    void put(budget_spent const& spent) {
        record_->status = record_status::running;
        record_->attempts = spent.attempt;
        record_->spent = spent.shared;
        record_->spent_by_category = spent.by_category;
        record_->checkpoint = driver_.state().checkpoint;
        record_->token = driver_.state().token;
    }

    /// Writes the record. `first`: nothing rests on it yet, so that a conflict is no more than news.
    writing save(bool first = false) {
        auto& kept = *record_;
        kept.updated = driver_.clock().system_now();
        kept.active = saturating_add(active_before_, driver_.active());
        auto saved = policy_.store().save(kept, time_for_store());
        if (saved.has_value()) {
            kept.revision = saved.assume_value();
            if constexpr (has_slots) claim_.settle();
            driver_.emit(event_kind::recorded);
            return writing::done;
        }
        trouble_ = std::move(saved).assume_error();
        return trouble_.code() == store_errc::conflict ? lose(first) : without_record();
    }

    /// Another one has written the record since we saw it.
    writing lose(bool first) {
        if (first) return writing::busy;
        driver_.emit(event_kind::store_failed, &trouble_);
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
    duration time_for_store() const noexcept { return std::max(driver_.left(), duration{}); }

    writing end_success(Result const& outcome) {
        if (fenced_) return writing::busy;
        if (!record_ || record_->revision == 0 || unprotected_) return writing::done;
        if (policy_.options().retain > duration{} && put_result(outcome)) return save();
        auto const unkept = policy_.options().retain > duration{};
        auto cause = std::move(trouble_);
        auto erased = policy_.store().erase(id_, record_->revision, time_for_store());
        if (!erased.has_value()) {
            trouble_ = std::move(erased).assume_error();
            return trouble_.code() == store_errc::conflict ? lose(false) : without_record();
        }
        if (!unkept) return writing::done;
        trouble_ = std::move(cause);
        return without_record();
    }

    /// Returns: false where the result cannot be encoded; `trouble_` says why.
    bool put_result(Result const& outcome) {
        auto& kept = *record_;
        if constexpr (std::is_void_v<value_type>) {
            kept.result = std::string{};
        } else if constexpr (stores_result) {
            try {
                kept.result = detail::encode(outcome.assume_value());
            } catch (std::bad_alloc const&) {
                throw;
            } catch (...) {
                trouble_ = failure{std::current_exception()}.as(category::invalid_input);
                return false;
            }
        }
        kept.status = record_status::succeeded;
        kept.attempts = driver_.state().attempt;
        kept.due = {};
        kept.delay = {};
        kept.checkpoint.reset();
        kept.expires = saturating_add(driver_.clock().system_now(), policy_.options().retain);
        return true;
    }

    Driver& driver_;
    Persistence const& policy_;
    key_text key_;
    operation_ref id_;
    std::optional<std::uint64_t> fingerprint_{};
    std::optional<record> record_{};
    claim_type claim_{};
    duration active_before_{};
    failure trouble_{};         ///< what the store said last
    bool unseen_ = false;       ///< the store could not say whether there is a record
    bool unprotected_ = false;  ///< a record that is not ours is in the way
    bool fenced_ = false;       ///< another one owns the operation
};

}  // namespace recoup::inline v1::detail
