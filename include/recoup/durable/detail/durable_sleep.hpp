// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/encoding.hpp>
#include <recoup/durable/detail/operation_run.hpp>
#include <recoup/store/detail/bytes.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace recoup::inline v1::detail {

/// What a sleep is recorded as: when it is over, and how long it was to be.
struct recorded_sleep {
    system_time due{};
    duration delay{};
};

inline std::string encode_sleep(recorded_sleep const& what) {
    std::string bytes;
    put_number(bytes, std::int64_t{what.due.time_since_epoch().count()});
    put_number(bytes, std::int64_t{what.delay.count()});
    return bytes;
}

inline std::optional<recorded_sleep> decode_sleep(std::string_view bytes) {
    byte_reader from{bytes};
    auto const due = from.number<std::int64_t>();
    auto const delay = from.number<std::int64_t>();
    from.require(from.at_end(), "it goes on");
    if (from.wrong() != nullptr || delay < 0) return std::nullopt;
    return recorded_sleep{system_time{duration{due}}, duration{delay}};
}

/// Waits until `when`, and at most `delay`, as a step of the operation.
///
/// While it waits the operation is `pending` with a due time, so that it is neither claimed before nor
/// taken for one that crashed, whatever becomes of the process.
inline void durable_sleep(operation_run& run, system_time when, duration delay) {
    auto opened = run.open_step("recoup:sleep", {});
    if (!opened.has_value()) {
        // A body that is on its way back does not wait for anything.
        if (run.replays_to_undo()) return;
        throw recovery_error{std::move(opened).assume_error()};
    }
    auto& found = opened.assume_value();
    auto const closing = open_mark{run, found};
    if (found.replayed) {
        run.emit(event_kind::step_replayed, found.row.name);
        return;
    }
    auto row = std::move(found.row);
    auto& clock = run.ports().clock();
    auto const alone = run.is_alone();
    auto sleep = recorded_sleep{when, std::max(delay, duration{})};
    auto const before = found.known ? decode_sleep(row.state) : std::nullopt;
    if (before) {
        sleep = *before;
    } else {
        row.status = step_status::begun;
        row.state = encode_sleep(sleep);
    }
    auto const left = [&] {
        return std::clamp(saturating_between(clock.system_now(), sleep.due), duration{},
                          sleep.delay);
    };
    if (left() > duration{}) {
        auto const asleep = [&](operation_record& head) {
            head.status = operation_status::pending;
            head.due = sleep.due;
            head.delay = sleep.delay;
        };
        auto const written = alone ? run.write_head(asleep, &row) : run.write_step(row);
        run.check();
        if (!written.has_value()) throw recovery_error{written.assume_error()};
        auto const span = left();
        if (alone && span >= run.park_after()) {
            run.interrupt(interruption::asleep);
            throw operation_interrupted{};
        }
        auto const until = saturating_add(clock.now(), span);
        clock.wait_until(std::min(until, run.give_up_at()), run.stop_token());
        run.check();
    }
    row.status = step_status::done;
    row.state.clear();
    auto const awake = [](operation_record& head) {
        head.status = operation_status::running;
        head.due = {};
        head.delay = {};
    };
    auto const written = alone ? run.write_head(awake, &row) : run.write_step(row);
    run.check();
    if (!written.has_value()) throw recovery_error{written.assume_error()};
    run.emit(event_kind::step_recorded, row.name);
}

}  // namespace recoup::inline v1::detail
