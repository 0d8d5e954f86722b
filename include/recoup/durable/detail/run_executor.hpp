// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/attempt.hpp>
#include <recoup/core/errc.hpp>
#include <recoup/durable/detail/child_runner.hpp>
#include <recoup/durable/detail/definition.hpp>
#include <recoup/durable/detail/operation_run.hpp>
#include <recoup/store/detail/recorded_failure.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// How a run ended.
struct run_end {
    operation_status status =
        operation_status::pending;  ///< pending: it goes on elsewhere, or later
    /// What the caller gets; nothing: another owner has the operation, or it sleeps.
    std::optional<result<std::string>> outcome{};
    bool unreleased = false;  ///< the store failed, and so still takes the operation for ours

    /// Whether it came no further here, so that taking it up again at once would be in vain: the store
    /// failed, or it had to be given back.
    [[nodiscard]] bool was_in_vain() const noexcept {
        return status == operation_status::pending && outcome.has_value();
    }
};

inline failure ended_because(failure what, stop_reason why) {
    failure_access::set_end(what, why, std::max<std::uint32_t>(what.attempts(), 1));
    return what;
}

/// The run whose body is on this thread's stack, innermost.
inline operation_run const*& current_run() noexcept {
    thread_local operation_run const* current = nullptr;
    return current;
}

class current_run_scope {
  public:
    explicit current_run_scope(operation_run const& run) noexcept
        : before_{std::exchange(current_run(), &run)} {}
    current_run_scope(current_run_scope const&) = delete;
    current_run_scope& operator=(current_run_scope const&) = delete;
    ~current_run_scope() { current_run() = before_; }

  private:
    operation_run const* before_;
};

/// Takes an operation that is ours from where it stands to its end: admits it, runs its body, undoes
/// what is to be undone, records how it ended, and lets it go.
class run_executor {
  public:
    run_executor(operation_run& run, definition& of, child_runner& children,
                 run_options const& options) noexcept
        : run_{run}, of_{of}, children_{children}, options_{options} {}

    /// An operation that was just recorded as running.
    run_end run_new(operation_record head) {
        run_.begin(std::move(head), {}, false, of_.options().steps_max, give_up_at());
        run_.emit(event_kind::operation_started);
        return run_body();
    }

    /// An operation that had begun, or waits to begin, and is ours since now.
    run_end run_taken(operation_record head) {
        auto rows = steps_of(head);
        if (!rows.has_value()) return no_steps(std::move(head), rows.assume_error());
        auto const to_undo = head.undoing || head.cancel_requested;
        auto const fits = head.version == of_.options().version;
        begin(head, std::move(rows).assume_value(), to_undo);
        if (head.cancel_requested) run_.cancel();
        if (to_undo && (!fits || !run_.has_recorded_steps()) && head.cancel_requested)
            return finish_without_undoing(
                fits ? "" : "cancelled without undoing: " + version_note(head));
        if (!fits) return park(operation_status::blocked, version_note(head));
        if (!of_.accepts(head.input))
            return park(operation_status::blocked,
                        "its recorded arguments are of other types than those of the definition");
        auto const crashed = head.status == operation_status::running;
        auto const recoveries =
            head.recoveries == UINT32_MAX ? UINT32_MAX : head.recoveries + (crashed ? 1U : 0U);
        if (crashed && recoveries > of_.options().recoveries_max)
            return park(operation_status::dead, "its process ended " + std::to_string(recoveries) +
                                                    " times while it ran; the limit is " +
                                                    std::to_string(of_.options().recoveries_max));
        run_.mark_resumed();
        auto const written = run_.write_head([&](operation_record& next) {
            next.status = operation_status::running;
            next.recoveries = recoveries;
            next.due = {};
            next.delay = {};
            next.note.clear();
            if (is_zero(next.token)) next.token = make_token();
        });
        if (!written.has_value()) return not_written();
        run_.emit(event_kind::operation_resumed);
        return run_body();
    }

    /// An operation that had ended, and is started anew with this input.
    run_end run_again(operation_record head, operation_call const& call) {
        auto const now = run_.ports().clock().system_now();
        auto const keeps = head.status != operation_status::succeeded && head.expires > now &&
                           head.fingerprint == call.fingerprint &&
                           head.version == of_.options().version;
        auto rows = std::vector<step_record>{};
        if (keeps) {
            auto found = steps_of(head);
            if (!found.has_value()) return no_steps(std::move(head), found.assume_error());
            rows = std::move(found).assume_value();
        }
        auto next = operation_record{};
        next.id = head.id;
        next.number = head.number;
        next.epoch = head.epoch;
        next.owner = head.owner;
        next.parent = head.parent;
        next.created = head.created;
        next.status = operation_status::running;
        next.fingerprint = call.fingerprint;
        next.generation = head.generation == UINT32_MAX ? UINT32_MAX : head.generation + 1;
        next.token = make_token();
        next.updated = now;
        next.version = of_.options().version;
        next.input = call.input;
        next.last_failure = head.last_failure;
        begin(next, std::move(rows), false);
        auto written = run_.ports().with_store([&](durable_backend& store) {
            // A wish that came too late for the run before this one is not meant for this one.
            return store.write(operation_write{.number = next.number,
                                               .epoch = next.epoch,
                                               .head = &next,
                                               .drop_steps = !keeps,
                                               .drop_wish = head.cancel_requested});
        });
        if (written.has_value() && head.cancel_requested)
            written.assume_value().cancel_requested = false;
        written = run_.settle(std::move(written));
        if (!written.has_value()) return not_written();
        run_.emit(event_kind::operation_started);
        return run_body();
    }

  private:
    static failure cancelled_failure() {
        return ended_because(failure{category::cancelled, errc::cancelled}, stop_reason::cancelled);
    }

    [[nodiscard]] std::string version_note(operation_record const& head) const {
        return "it is of version \"" + head.version + "\"; the definition is of version \"" +
               of_.options().version + '"';
    }

    [[nodiscard]] steady_time give_up_at() const {
        return options_.deadline == unlimited
                   ? steady_time::max()
                   : saturating_add(run_.ports().clock().now(), options_.deadline);
    }

    void begin(operation_record head, std::vector<step_record> rows, bool to_undo) {
        run_.begin(std::move(head), std::move(rows), to_undo, of_.options().steps_max,
                   give_up_at());
    }

    result<std::vector<step_record>> steps_of(operation_record const& head) {
        return run_.ports().with_store(
            [&](durable_backend& store) { return store.steps(head.number); });
    }

    /// Steps that cannot be read: set aside where they are damaged.
    run_end no_steps(operation_record head, failure const& trouble) {
        begin(std::move(head), {}, false);
        if (trouble.code() == store_errc::corrupt)
            return park(operation_status::blocked,
                        "its steps cannot be read: " + trouble.message());
        return store_failed(trouble);
    }

    run_end store_failed(failure const& trouble) {
        run_.interrupt(interruption::store_failed, trouble);
        run_.emit(event_kind::store_failed, {}, &trouble);
        return not_written();
    }

    // ---- the body

    run_end run_body() {
        auto got = result<std::string>{in_place<failure>{}, category::defect,
                                       "the body threw operation_interrupted by itself"};
        {
            auto current = recoup::operation{run_, children_};
            auto const scope = current_run_scope{run_};
            try {
                got = of_.call(current, run_.head().input);
            } catch (operation_interrupted const&) {
                // The run knows why.
            } catch (std::bad_alloc const&) {
                got = result<std::string>{in_place<failure>{}, std::current_exception()};
            }
        }
        run_.end_body();
        return settle(std::move(got));
    }

    run_end settle(result<std::string> got) {
        switch (run_.why()) {
            case interruption::fenced:
            case interruption::store_failed: return not_written();
            case interruption::shut_down:
            case interruption::stopped:
            case interruption::deadline:
            case interruption::asleep: return give_back(run_.why());
            case interruption::in_doubt:
                return park(operation_status::blocked, run_.trouble().message());
            case interruption::cancelled: return undo_and_finish(true, cancelled_failure());
            case interruption::none: break;
        }
        if (run_.replays_to_undo()) {
            auto const head = run_.head();
            return undo_and_finish(head.cancel_requested,
                                   head.last_failure && !head.cancel_requested
                                       ? restored(*head.last_failure)
                                       : cancelled_failure());
        }
        if (got.has_value()) return succeed(std::move(got).assume_value());
        if (auto const leaving = run_.leaving(); leaving != interruption::none)
            return give_back(leaving);
        if (run_.cancel_requested()) return undo_and_finish(true, cancelled_failure());
        return undo_and_finish(false, std::move(got).assume_error());
    }

    // ---- the end

    run_end succeed(std::string value) {
        for (auto const& row : run_.unreached()) {
            auto const what = failure{category::defect, errc::step_mismatch,
                                      "step " + operation_run::shown(row.name, row.id) +
                                          " is recorded, and the body ended without asking for it"};
            run_.emit(event_kind::step_unreached, row.name, &what);
        }
        auto const kept = run_.head().parent == 0
                              ? of_.options().retain
                              : std::max(of_.options().retain, child_retain_min);
        auto const now = run_.ports().clock().system_now();
        auto const written = run_.write_head(
            [&](operation_record& next) {
                end(next, operation_status::succeeded);
                next.result = value;
                next.expires = saturating_add(now, kept);
            },
            nullptr, true);
        if (!written.has_value()) {
            if (written.assume_error().code() == store_errc::too_large)
                return undo_and_finish(false, written.assume_error());
            return not_written();
        }
        run_.emit(event_kind::operation_succeeded);
        return {operation_status::succeeded, result<std::string>{std::move(value)}};
    }

    static void end(operation_record& next, operation_status how) {
        next.status = how;
        next.due = {};
        next.delay = {};
        next.cancel_requested = false;
        next.undoing = false;
        next.note.clear();
    }

    run_end finish(operation_status how, failure what, std::string note) {
        auto const now = run_.ports().clock().system_now();
        auto const written = run_.write_head(
            [&](operation_record& next) {
                end(next, how);
                next.note = note;
                next.last_failure = to_record(what);
                next.expires = saturating_add(now, of_.options().retain_failed);
            },
            nullptr, true);
        if (!written.has_value()) return not_written();
        run_.emit(event_kind::operation_failed, {}, &what);
        return {how, result<std::string>{in_place<failure>{}, std::move(what)}};
    }

    run_end park(operation_status how, std::string const& note) {
        auto const written = run_.write_head(
            [&](operation_record& next) {
                next.status = how;
                next.note = note;
            },
            nullptr, true);
        if (!written.has_value()) return not_written();
        auto what = parked_failure(how, note);
        run_.emit(event_kind::operation_parked, {}, &what);
        return {how, result<std::string>{in_place<failure>{}, std::move(what)}};
    }

  public:
    /// What a caller is told of an operation that waits for a decision.
    static failure parked_failure(operation_status how, std::string const& note) {
        auto const dead = how == operation_status::dead;
        return ended_because(
            failure{category::unknown, dead ? errc::operation_dead : errc::operation_blocked,
                    std::string{to_string(how)} + ": " + note},
            dead ? stop_reason::dead : stop_reason::blocked);
    }

    /// What a caller is told of a run that was given back.
    static failure left_failure(interruption why) {
        if (why == interruption::deadline)
            return ended_because(failure{category::unknown, errc::deadline_exceeded},
                                 stop_reason::deadline);
        if (why == interruption::stopped)
            return ended_because(failure{category::cancelled, errc::cancelled},
                                 stop_reason::cancelled);
        return ended_because(failure{category::cancelled, errc::shut_down}, stop_reason::shut_down);
    }

  private:
    /// It is left as it is, for a later run.
    run_end give_back(interruption why) {
        auto const written = run_.write_head(
            [&](operation_record& next) {
                next.status = operation_status::pending;
                if (run_.cancel_requested()) next.due = {};  // it need not sleep to be ended
            },
            nullptr, true);
        if (!written.has_value() && run_.why() != why) return not_written();
        auto what = left_failure(why);
        run_.emit(event_kind::operation_left, {}, &what);
        if (why == interruption::asleep) return {};
        return {operation_status::pending, result<std::string>{in_place<failure>{}, what},
                !written.has_value()};
    }

    /// The store has not taken a record: another owner has the operation, or there is no work without.
    run_end not_written() {
        auto const why = run_.why();
        auto const what = why == interruption::shut_down
                              ? left_failure(why)
                              : ended_because(run_.trouble(), stop_reason::store_failed);
        run_.emit(event_kind::operation_left, {}, &what);
        if (why == interruption::fenced) return {};
        return {operation_status::pending, result<std::string>{in_place<failure>{}, what}, true};
    }

    // ---- undoing

    run_end finish_without_undoing(std::string note) {
        auto const told = children_.cancel_children(run_.number());
        if (!told.has_value()) return store_failed(told.assume_error());
        return finish(operation_status::cancelled, cancelled_failure(), std::move(note));
    }

    run_end undo_and_finish(bool cancelled, failure what) {
        run_.begin_undoing();
        if (cancelled) {
            auto const told = children_.cancel_children(run_.number());
            if (!told.has_value()) return store_failed(told.assume_error());
        }
        auto const entries = run_.undo_entries();
        auto begun = run_.head().undoing;
        for (auto const& [recorded, undo] : entries) {
            if (auto const leaving = run_.leaving(); leaving != interruption::none && begun)
                return give_back(leaving);
            auto row = recorded;
            row.status = step_status::undoing;
            auto const change = [&](operation_record& next) {
                next.undoing = true;
                if (cancelled) next.cancel_requested = true;
                next.last_failure = to_record(what);
            };
            auto written = begun ? run_.write_step(row) : run_.write_head(change, &row);
            if (!written.has_value()) return not_written();
            begun = true;
            auto const undone =
                call_guarded<result<void>>([&, &undo_it = undo] { return undo_it(row.value); });
            if (!undone.has_value()) {
                auto const& trouble = undone.assume_error();
                return park(operation_status::blocked,
                            "step " + operation_run::shown(row.name, row.id) +
                                " cannot be undone: " + to_record(trouble).message);
            }
            row.status = step_status::undone;
            written = run_.write_step(row);
            if (!written.has_value()) return not_written();
            run_.emit(event_kind::step_undone, row.name);
        }
        what = ended_because(std::move(what), what.stopped() != stop_reason::none
                                                  ? what.stopped()
                                                  : stop_reason::not_retryable);
        return finish(cancelled ? operation_status::cancelled : operation_status::failed,
                      std::move(what), {});
    }

    // A child's result is kept for its parent, who may have crashed.
    static constexpr duration child_retain_min = std::chrono::hours{24 * 7};

    operation_run& run_;
    definition& of_;
    child_runner& children_;
    run_options const& options_;
};

}  // namespace recoup::inline v1::detail
