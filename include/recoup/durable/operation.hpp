// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/attempt.hpp>
#include <recoup/core/redact.hpp>
#include <recoup/core/result.hpp>
#include <recoup/core/signature.hpp>
#include <recoup/core/time.hpp>
#include <recoup/durable/detail/child_runner.hpp>
#include <recoup/durable/detail/durable_sleep.hpp>
#include <recoup/durable/detail/operation_run.hpp>
#include <recoup/durable/detail/step_call.hpp>
#include <recoup/durable/detail/step_transaction.hpp>
#include <recoup/durable/step_options.hpp>

#include <concepts>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace recoup::inline v1 {

/// A durable operation, as its body sees it. Valid while the body runs.
///
/// The body is run again after a crash, with the same arguments; each step that is recorded by then gives
/// its recorded result. The body need not be deterministic beyond the names of its steps, and what their
/// arguments are: it may read clocks and files outside of steps, and take another way than last time.
/// What breaks that is found: a step with other arguments is a typed failure (`errc::step_mismatch`), a
/// recorded step that was not asked for is an event (`event_kind::step_unreached`).
///
/// Where the operation must not go on, members throw `operation_interrupted`; let it pass.
/// Thread safety: all members may be called concurrently, from threads that the body joins.
class operation {
  public:
    operation(detail::operation_run& run, detail::child_runner& children) noexcept
        : run_{run}, children_{children} {}
    operation(operation const&) = delete;
    operation& operator=(operation const&) = delete;

    /// Calls `callable(args…)` once and for all: what it returns is recorded, and given by this step
    /// whenever the operation is run again. A failure is not recorded: the step is run again then.
    ///
    /// Steps are known by their name and their place among those of that name. `callable` may be any
    /// callable; one that `with_recovery` made keeps its attempts, its budget, its backoff, its token
    /// and its checkpoint in the record of the step, so that a crash continues them.
    ///
    /// Returns: `result` of what the callable returns, flattened as in `with_recovery`.
    /// Throws: operation_interrupted.
    template <class F, class... Args>
        requires detail::callable_with<std::remove_reference_t<F>, Args...>
    auto step(std::string_view name, F&& callable, Args&&... args) {
        return step(step_options{.name = std::string{name}}, callable, std::forward<Args>(args)...);
    }

    /// The same with an id, a way to undo it, or what to do where it is in doubt.
    template <class F, class... Args>
        requires detail::callable_with<std::remove_reference_t<F>, Args...>
    auto step(step_options const& options, F&& callable, Args&&... args) {
        using call = detail::step_call<std::remove_reference_t<F>, Args...>;
        return call{run_, options, callable, std::forward<Args>(args)...}.run();
    }

    /// Calls `body(transaction&)`, whose rows and whose result the store records in one transaction of
    /// its own: both or neither, and so exactly once.
    ///
    /// The type of the parameter says which store is meant: `sqlite_transaction`, say. Where the store is
    /// another, the step fails with `errc::not_transactional`.
    template <class Body>
    auto step_tx(std::string_view name, Body&& body) {
        return step_tx(step_options{.name = std::string{name}}, std::forward<Body>(body));
    }
    template <class Body>
    auto step_tx(step_options const& options, Body&& body) {
        static_assert(
            detail::has_signature<Body>,
            "recoup: the body of step_tx names the store's transaction as its parameter's "
            "type");
        return detail::step_transaction<std::remove_reference_t<Body>>{run_, options, body}.run();
    }

    /// Runs another operation, or joins it, as a step of this one: its result is this step's.
    ///
    /// It is recorded as a child: to cancel this operation cancels it, too.
    template <class Defined, class... Args>
    auto run(Defined const& other, std::string_view key, Args&&... args) {
        return other.run_in(children_, run_, key, std::forward<Args>(args)...);
    }

    /// Returns when `when` has come on the wall clock; the wait survives a restart.
    ///
    /// However that clock is set, it never waits longer than it was to take when it began.
    /// Throws: operation_interrupted; recovery_error with `errc::step_running` where another thread of the
    /// operation sleeps, too.
    void sleep_until(system_time when) {
        auto const now = run_.ports().clock().system_now();
        detail::durable_sleep(run_, when, saturating_between(now, when));
    }
    /// Returns when `span` has passed; the wait survives a restart.
    void sleep_for(duration span) {
        auto const now = run_.ports().clock().system_now();
        detail::durable_sleep(run_, saturating_add(now, span), span);
    }

    /// Says where the operation is, for those who look: recorded, at most 1024 bytes of it.
    void progress(std::string_view text) {
        run_.check();
        constexpr std::size_t bytes_max = 1024;
        auto kept = redacted_prefix(text, bytes_max);
        auto const written =
            run_.write_head([&](operation_record& head) { head.progress = std::move(kept); });
        if (!written.has_value()) run_.check();
    }

    /// Triggered when the operation must not go on: to be handed to what takes long inside a step.
    [[nodiscard]] std::stop_token stop_token() const noexcept { return run_.stop_token(); }
    /// Whether somebody wants the operation to end.
    [[nodiscard]] bool cancelled() const noexcept { return run_.cancel_requested(); }
    /// Whether this operation has begun before, in another run.
    [[nodiscard]] bool resumed() const { return run_.resumed(); }
    /// The same until the operation has ended, and different for every other: for the other side, to
    /// tell a repetition from a new request. A wrapped callable in a step has one of its own.
    [[nodiscard]] std::string idempotency_token() const {
        return detail::token_text(run_.head().token);
    }
    [[nodiscard]] std::string const& name() const noexcept { return run_.id().name; }
    [[nodiscard]] std::string const& key() const noexcept { return run_.id().key; }
    [[nodiscard]] std::uint64_t number() const { return run_.number(); }
    [[nodiscard]] std::uint32_t generation() const { return run_.head().generation; }

  private:
    detail::operation_run& run_;
    detail::child_runner& children_;
};

}  // namespace recoup::inline v1
