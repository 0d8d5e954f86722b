// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/callable.hpp>
#include <recoup/core/encoding.hpp>
#include <recoup/core/engine.hpp>
#include <recoup/core/errc.hpp>
#include <recoup/core/event.hpp>
#include <recoup/core/fingerprint.hpp>
#include <recoup/core/result.hpp>
#include <recoup/core/returns.hpp>
#include <recoup/detail/retry_options.hpp>
#include <recoup/store/detail/opening.hpp>
#include <recoup/store/detail/record_opener.hpp>
#include <recoup/store/detail/result_kind.hpp>
#include <recoup/store/detail/running.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace recoup::inline v1::detail {

/// One operation's side of its record: finds it, continues it, keeps it up to date, ends it.
///
/// The driver is the operation that is called; it owns the session and tells it what happens. Here is only what
/// needs its types; the rest is compiled once for a store, and asks by `recorded_call`.
template <class Persistence, class Driver, class Result>
class session final : public record_opener<typename Persistence::store_type, Driver::runs> {
    using opener = record_opener<typename Persistence::store_type, Driver::runs>;
    using value_type = typename Result::value_type;
    using opener::claim_;
    using opener::fenced_;
    using opener::left_;
    using opener::record_;
    using opener::trouble_;

  public:
    session(Driver& driver, Persistence const& policy)
        : opener{policy.settings(),
                 std::apply(
                     [&](auto const&... args) -> decltype(auto) { return policy.key()(args...); },
                     driver.arguments())},
          driver_{driver} {
        if constexpr (reads_input_early)
            static_cast<void>(this->read_input([this] { return session::fingerprint(); }));
    }

    /// Looks for a record and continues where it stands.
    ///
    /// Returns: the end, where the callable need not or must not be called.
    std::optional<Result> open() {
        if (open_at_once()) return std::nullopt;
        return open_and_wait();
    }

    // ---- the same step by step, for drivers that must not block

    /// Opens where that takes no call of the store. Returns: whether it did; else `open_record` does.
    bool open_at_once() {
        if constexpr (opener::has_slots) {
            if (this->begin_in_slot()) {
                driver_.state().sink = this;
                driver_.emit(event_kind::recorded);
                return true;
            }
        }
        if (!storable<Result>() && !this->drops_results()) return false;
        if (!this->begins_unrecorded()) return false;
        driver_.state().sink = this;
        return true;
    }

    using opener::joined;
    using opener::open_record;
    using opener::waited;

    /// Returns: the end, where opening has come to one.
    std::optional<Result> end_of(opening& at) {
        switch (at.next) {
            case opening::failed: return Result{in_place<failure>{}, std::move(trouble_)};
            case opening::replayed: return recorded_result();
            case opening::shared:
                if constexpr (std::is_copy_constructible_v<Result>)
                    return *static_cast<Result const*>(at.other->result.get());
                else
                    break;
            default: break;
        }
        return std::nullopt;
    }

    // ---- what the driver tells

    /// Ends the record of a success.
    ///
    /// Returns: a failure, where the record could not be ended and no work is wanted without one.
    std::optional<lost_success> succeeded(Result const& outcome) {
        if constexpr (opener::has_slots) {
            if (!record_ && claim_.in_slot()) {
                claim_.publish(result_kind_of<Result>, &outcome);
                return std::nullopt;
            }
        }
        if (!record_ && !claim_.held() && !fenced_) return std::nullopt;
        return this->record_success(&outcome);
    }

    using opener::writes_failure;
    using opener::writes_success;

    /// Ends the record of a failure.
    void failed(failure const& last) { this->end_failed(last); }

    /// Ends without having looked at the record.
    void leave() noexcept { left_ = true; }

  private:
    // The input is what it was before the callable could change it. What is costly to read, which
    // means JSON, is read only when a record needs it where the callable lets its arguments be.
    static constexpr bool reads_input_early =
        []<class... Args>(std::type_identity<std::tuple<Args...>>) {
            return consumes_arguments(Driver::form) ||
                   (cheap_input<std::remove_cvref_t<Args>> && ...) || !Driver::takes_constants;
        }(std::type_identity<typename Driver::arguments_type>{});

    std::optional<Result> open_and_wait() {
        auto at = this->open_record();
        while (at.next == opening::join || at.next == opening::wait) {
            if (at.next == opening::join) {
                auto const how = await(*at.other, driver_.stop_token(), driver_.left());
                at = this->joined(std::move(at.other), how);
            } else {
                at = this->waited(driver_.wait(at.delay));
            }
        }
        return end_of(at);
    }

    Result recorded_result() {
        if constexpr (std::is_void_v<value_type>) {
            driver_.emit(event_kind::operation_replayed);
            return Result{in_place<void>{}};
        } else {
            if constexpr (storable<Result>()) {
                auto const recorded = record_->result.value_or(std::string{});
                if (auto value = encoding<value_type>::decode(recorded)) {
                    driver_.emit(event_kind::operation_replayed);
                    return Result{in_place<value_type>{}, *std::move(value)};
                }
            }
            this->end_with(failure{category::corruption, errc::value_unreadable},
                           stop_reason::not_retryable);
            return Result{in_place<failure>{}, std::move(trouble_)};
        }
    }

    // ---- recorded_call

    void leaves() noexcept override { driver_.tell_later(); }
    void returns() noexcept override { driver_.tell_now(); }

    operation_state& state() noexcept override { return driver_.state(); }
    result_kind const& results() const noexcept override { return result_kind_of<Result>; }
    std::uint64_t fingerprint() const override {
        return std::apply([](auto const&... args) { return detail::fingerprint_of(args...); },
                          driver_.arguments());
    }
    bool may_repeat() const noexcept override { return driver_.may_repeat(); }
    bool refills_on_progress() const noexcept override {
        return detail::refills_on_progress(driver_.retry());
    }
    system_time system_now() const noexcept override { return driver_.clock().system_now(); }
    duration left() const noexcept override { return driver_.left(); }
    duration active() const noexcept override { return driver_.active(); }
    void shorten_deadline(duration spent) noexcept override { driver_.shorten_deadline(spent); }
    void emit(event_kind kind, failure const* what) const noexcept override {
        driver_.emit(kind, what);
    }
    void continue_from(budget_spent const& before) noexcept override {
        driver_.continue_from(before);
    }
    void start_over() noexcept override { driver_.start_over(); }
    step crashed(budget_spent& spent) noexcept override {
        auto charged = engine{driver_.retry(), spent};
        auto const next =
            charged.crashed(failure{errc::process_ended}, driver_.left(), driver_.clock().random());
        spent = charged.spent();
        return next;
    }
    void end_unrecorded(failure& last, stop_reason why) noexcept override {
        driver_.end_unrecorded(last, why);
    }
    void end_recorded(failure& last, stop_reason why) noexcept override {
        driver_.end_guarded(last, why);
    }

    Driver& driver_;
};

}  // namespace recoup::inline v1::detail
