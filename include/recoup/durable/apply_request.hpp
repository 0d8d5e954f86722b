// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/errc.hpp>
#include <recoup/core/identity.hpp>
#include <recoup/core/result.hpp>
#include <recoup/core/time.hpp>
#include <recoup/store/detail/store_failure.hpp>
#include <recoup/store/durable_store.hpp>
#include <recoup/store/operation_record.hpp>
#include <recoup/store/operation_request.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace recoup::inline v1 {

namespace detail {

/// The operation of a number: the page behind the number before it begins with it, or there is none. `Store`: a
/// `durable_store`, or what hides which.
template <class Store>
result<operation_record> operation_of(Store& store, std::uint64_t number) {
    if (number == 0)
        return failure{category::not_found, errc::no_such_operation, "no operation has number 0"};
    auto page = store.operations(operation_filter{.after = number - 1, .limit = 1});
    if (!page.has_value()) return std::move(page).assume_error();
    auto& found = page.assume_value();
    if (found.empty() || found.front().number != number)
        return failure{category::not_found, errc::no_such_operation,
                       "there is no operation " + std::to_string(number)};
    return std::move(found.front());
}

/// Writes `head` and gives the operation back; where the write fails, only the latter is tried.
template <durable_store Store>
result<void> hand_back(Store& store, operation_record const& head, operation_record const* next,
                       std::span<step_record const> steps = {}) {
    auto written = store.write(operation_write{.number = head.number,
                                               .epoch = head.epoch,
                                               .head = next,
                                               .steps = steps,
                                               // Of no other wish does who decided know.
                                               .drop_wish = head.cancel_requested,
                                               .release = true},
                               unlimited);
    if (written.has_value()) return success();
    if (next != nullptr) static_cast<void>(detail::hand_back(store, head, nullptr));
    return std::move(written).assume_error();
}

/// The steps that may be in doubt, as ones that nobody doubts: no attempt counts as begun.
template <durable_store Store>
result<std::vector<step_record>> undoubted_steps(Store& store, std::uint64_t number) {
    auto steps = store.steps(number, unlimited);
    if (!steps.has_value()) return steps;
    auto begun = std::vector<step_record>{};
    for (auto& one : steps.assume_value()) {
        if (one.status != step_status::begun) continue;
        one.attempts = 0;
        begun.push_back(std::move(one));
    }
    return begun;
}

/// Makes a taken operation pending at once.
inline operation_record made_pending(operation_record head, system_time now) {
    head.status = operation_status::pending;
    head.recoveries = 0;
    head.delay = {};
    head.due = {};
    head.note.clear();
    head.cancel_requested = false;
    head.updated = now;
    head.expires = system_time::max();
    return head;
}

}  // namespace detail

/// Does what `request` asks for, as `owner`, who must be alive: for the one who may write the store.
///
/// - `cancel` notes the wish. Who runs the operation sees it with the next write, an operation that
///   nobody runs ends when it is claimed; one that is blocked or dead is made pending for that.
/// - `retry` makes an operation pending that is dead, blocked, failed or cancelled, or waits for its
///   time: it is due at once, its recoveries count from 0, and a step in doubt is run again.
/// - `accept` makes a blocked operation pending, as one of version `request.text`; with an empty text
///   its version stays.
///
/// What waits for `retry` and `accept` is taken up by the next `resume`. `now` is the wall clock.
/// Returns: `errc::no_such_operation`, `errc::request_refused` where the operation is in another state,
/// `store_errc::owned` where somebody runs it, or what the store says.
template <durable_store Store>
[[nodiscard]] result<void> apply_request(Store& store, operation_request const& request,
                                         std::uint64_t owner, system_time now) {
    auto found = detail::operation_of(store, request.operation);
    if (!found.has_value()) return std::move(found).assume_error();
    auto const& seen = found.assume_value();
    auto const refuse = [&] {
        return failure{category::invalid_input, errc::request_refused,
                       std::string{to_string(request.what)} + " does not fit: operation " +
                           detail::display(seen.id) + " is " + std::string{to_string(seen.status)}};
    };
    switch (request.what) {
        case operation_request::kind::cancel:
            if (has_ended(seen.status)) return refuse();
            if (seen.status != operation_status::blocked && seen.status != operation_status::dead)
                return store.request_cancel(seen.number);
            break;
        case operation_request::kind::retry:
            if (seen.status == operation_status::running ||
                seen.status == operation_status::succeeded)
                return refuse();
            break;
        case operation_request::kind::accept:
            if (seen.status != operation_status::blocked) return refuse();
            if (!valid_identifier(request.text))
                return failure{category::invalid_input, errc::key_invalid,
                               "the version to accept is not printable UTF-8 of at most 512 bytes"};
            break;
    }
    auto taken = store.take(seen.number, seen.epoch, owner);
    if (!taken.has_value()) return std::move(taken).assume_error();
    auto next = detail::made_pending(taken.assume_value(), now);
    if (request.what == operation_request::kind::accept && !request.text.empty())
        next.version = request.text;
    if (request.what == operation_request::kind::retry && has_ended(seen.status)) {
        // It begins anew: what is on its way to a later end must not pass for the earlier one.
        if (next.generation != UINT32_MAX) ++next.generation;
        next.token = {};
        next.undoing = false;
    }
    next.cancel_requested = request.what == operation_request::kind::cancel;
    auto steps = std::vector<step_record>{};
    if (request.what == operation_request::kind::retry) {
        auto found_steps = detail::undoubted_steps(store, seen.number);
        if (!found_steps.has_value()) {
            static_cast<void>(detail::hand_back(store, taken.assume_value(), nullptr));
            return std::move(found_steps).assume_error();
        }
        steps = std::move(found_steps).assume_value();
    }
    return detail::hand_back(store, taken.assume_value(), &next, steps);
}

}  // namespace recoup::inline v1
