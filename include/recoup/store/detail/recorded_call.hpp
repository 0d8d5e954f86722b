// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/attempt.hpp>
#include <recoup/core/engine.hpp>
#include <recoup/core/event.hpp>
#include <recoup/core/failure.hpp>
#include <recoup/core/stop_reason.hpp>
#include <recoup/core/time.hpp>
#include <recoup/store/detail/result_kind.hpp>

#include <cstdint>

namespace recoup::inline v1::detail {

/// The call that a record is of, as those see it who keep the record: they are compiled for a store, and not
/// for each callable. Nothing of it is on the path of a success that needs no store.
class recorded_call : public progress_sink {
  protected:
    recorded_call() = default;
    ~recorded_call() = default;

    // ---- what it is
    virtual operation_state& state() noexcept = 0;
    [[nodiscard]] virtual result_kind const& results() const noexcept = 0;
    /// Throws: what encoding its arguments does.
    [[nodiscard]] virtual std::uint64_t fingerprint() const = 0;
    /// Whether an attempt may follow one of which nobody knows what it did.
    [[nodiscard]] virtual bool may_repeat() const noexcept = 0;
    [[nodiscard]] virtual bool refills_on_progress() const noexcept = 0;

    // ---- its time
    [[nodiscard]] virtual system_time system_now() const noexcept = 0;
    [[nodiscard]] virtual duration left() const noexcept = 0;
    [[nodiscard]] virtual duration active() const noexcept = 0;
    virtual void shorten_deadline(duration spent) noexcept = 0;

    // ---- what it is told
    virtual void emit(event_kind kind, failure const* what = nullptr) const noexcept = 0;
    virtual void continue_from(budget_spent const& before) noexcept = 0;
    virtual void start_over() noexcept = 0;
    /// An earlier process ended inside the attempt. Effects: charges `spent`.
    virtual step crashed(budget_spent& spent) noexcept = 0;
    /// It ends with `last`, of which the record is not told.
    virtual void end_unrecorded(failure& last, stop_reason why) noexcept = 0;
    /// It ends with `last`, of which the record is yet to be told.
    virtual void end_recorded(failure& last, stop_reason why) noexcept = 0;
};

}  // namespace recoup::inline v1::detail
