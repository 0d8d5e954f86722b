// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/testing/detail/operation_checker.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Who may have an operation: owners, claims, removal, and wishes to cancel.

namespace recoup::inline v1::testing::detail {

inline constexpr auto check_claim_wanted = [](auto& source, auto const&, checker& seen) {
    auto const store = source.fresh();
    auto const owner = enter(*store, seen);
    std::vector<operation_id> const others{{"conformance", "other", "1"},
                                           {"elsewhere", "check", "2"},
                                           {"conformance", "Check", "3"},
                                           {"", "check", "4"},
                                           {"conformance", "check ", "5"}};
    for (auto const& id : others)
        if (!detail::begin(*store, small_operation(id.key, id.name, id.space), 0, seen))
            return true;
    if (!detail::begin(*store, small_operation("6"), 0, seen)) return true;
    expect_claimed(claim(*store, owner, base_time, seen, 100, {}), {}, seen, "of no names");
    expect_claimed(claim(*store, owner, base_time, seen), {"6"}, seen, "of one name");
    expect_claimed(claim(*store, owner, base_time, seen, 100, {"none", "other", "Check"}),
                   {"1", "3"}, seen, "of three names");
    return true;
};

inline constexpr auto check_claim_due = [](auto& source, auto const&, checker& seen) {
    using std::chrono::seconds;
    auto const store = source.fresh();
    auto const owner = enter(*store, seen);
    auto const now = base_time + seconds{100};
    struct candidate {
        char const* key;
        operation_status status;
        system_time due;
        duration delay;
    };
    using enum operation_status;
    std::vector<candidate> const all{
        {"at once", pending, {}, {}},
        {"left running", running, base_time, {}},
        {"due now", pending, now, seconds{5}},
        {"not yet", pending, now + duration{1}, seconds{5}},
        {"just begun", pending, now + seconds{5}, seconds{5}},
        {"succeeded", succeeded, {}, {}},
        {"failed", failed, {}, {}},
        {"cancelled", cancelled, {}, {}},
        {"blocked", blocked, {}, {}},
        {"dead", dead, {}, {}},
    };
    for (auto const& one : all) {
        auto what = small_operation(one.key);
        what.status = one.status;
        what.due = one.due;
        what.delay = one.delay;
        if (!detail::begin(*store, what, 0, seen)) return true;
    }
    expect_claimed(claim(*store, owner, now, seen), {"at once", "left running", "due now"}, seen);
    expect_claimed(claim(*store, owner, now, seen), {}, seen, "again");
    expect_claimed(claim(*store, owner, now + duration{1}, seen), {"not yet"}, seen, "later");
    return true;
};

inline constexpr auto check_claim_clock = [](auto& source, auto const&, checker& seen) {
    using std::chrono::seconds;
    auto const store = source.fresh();
    auto const owner = enter(*store, seen);
    auto asleep = small_operation("asleep");
    asleep.due = base_time + seconds{100};
    asleep.delay = seconds{40};
    // Nothing wraps: what is due at the end of time with the longest delay, or a negative one.
    auto never = small_operation("never");
    never.due = system_time::max();
    never.delay = duration::max();
    auto odd = small_operation("odd");
    odd.due = system_time::max();
    odd.delay = duration::min();
    for (auto const& what : {asleep, never})
        if (!detail::begin(*store, what, 0, seen)) return true;
    expect_claimed(claim(*store, owner, base_time + seconds{60}, seen), {}, seen,
                   "when an operation went to sleep");
    expect_claimed(claim(*store, owner, base_time + seconds{60} - duration{1}, seen), {"asleep"},
                   seen, "before that moment: the clock was set back");
    if (!detail::begin(*store, odd, 0, seen)) return true;
    expect_claimed(claim(*store, owner, base_time, seen), {"odd"}, seen,
                   "of a sleep that begins at the end of time");
    return true;
};

inline constexpr auto check_claim_order = [](auto& source, auto const&, checker& seen) {
    auto const store = source.fresh();
    auto const owner = enter(*store, seen);
    for (auto const second : {50, 20, 10, 40, 30}) {
        auto what = small_operation(std::to_string(second));
        what.due = base_time + std::chrono::seconds{second};
        if (!detail::begin(*store, what, 0, seen)) return true;
    }
    auto const now = base_time + std::chrono::seconds{60};
    expect_claimed(claim(*store, owner, now, seen, 0), {}, seen, "of none");
    expect_claimed(claim(*store, owner, now, seen, 2), {"10", "20"}, seen, "of two");
    expect_claimed(claim(*store, owner, now, seen, 2), {"30", "40"}, seen, "of two more");
    expect_claimed(claim(*store, owner, now, seen, 2), {"50"}, seen, "of the rest");
    return true;
};

inline constexpr auto check_claim_values = [](auto& source, auto const&, checker& seen) {
    auto const store = source.fresh();
    auto const owner = enter(*store, seen);
    auto const other = enter(*store, seen);
    for (auto const status : {operation_status::pending, operation_status::running}) {
        auto what = full_operation("claimed " + std::string{to_string(status)});
        what.status = status;
        what.due = {};
        auto stored = detail::begin(*store, what, other, seen);
        std::vector<step_record> const steps{full_step(4)};
        if (!stored || !detail::write(*store, fenced_write(*stored, nullptr, steps), seen))
            return true;
        for (auto const by : {owner, other}) {
            if (!release(*store, *stored, seen)) return true;
            auto const claimed = claim(*store, by, base_time, seen);
            if (!expect_claimed(claimed, {what.id.key}, seen)) return true;
            seen.expect(claimed[0].epoch > stored->epoch, "claim did not raise the epoch");
            stored->epoch = claimed[0].epoch;
            stored->owner = by;
            auto const differing = differences(claimed[0], *stored);
            seen.expect(differing.empty(), "claim gave other values than are stored: " + differing);
            detail::expect_operation(*store, *stored, seen, "were there before a claim");
            expect_steps(*store, stored->number, steps, seen);
        }
        stored->note = "by the one who claimed it";
        detail::write(*store, fenced_write(*stored, &*stored), seen);
        detail::expect_operation(*store, *stored, seen);
    }
    return true;
};

inline constexpr auto check_claim_owned = [](auto& source, auto const&, checker& seen) {
    auto const store = source.fresh();
    auto const owner = enter(*store, seen);
    auto const other = enter(*store, seen);
    auto const third = enter(*store, seen);
    auto running = small_operation("running");
    running.status = operation_status::running;
    auto const one = detail::begin(*store, running, owner, seen);
    auto const two = detail::begin(*store, small_operation("pending"), owner, seen);
    auto const kept = detail::begin(*store, small_operation("of another"), third, seen);
    if (!one || !two || !kept) return true;
    expect_claimed(claim(*store, other, base_time, seen), {}, seen, "of what a living owner has");
    expect_claimed(claim(*store, owner, base_time, seen), {}, seen, "of what one has already");
    result<void> const left = store->leave(owner);
    if (!seen.expect_value(left, "leave")) return true;
    auto const claimed = claim(*store, other, base_time, seen);
    expect_claimed(claimed, {"running", "pending"}, seen, "once their owner has left");
    for (auto const& late : {*one, *two}) {
        result<write_receipt> const refused = store->write(fenced_write(late, nullptr), unlimited);
        seen.expect_error(refused, store_errc::fenced, "write by the owner that has left");
    }
    detail::expect_operation(*store, *kept, seen, "a living owner has");
    return true;
};

inline constexpr auto check_take = [](auto& source, auto const&, checker& seen) {
    auto const store = source.fresh();
    auto const owner = enter(*store, seen);
    auto const other = enter(*store, seen);
    for (unsigned number = 1; number <= 7; ++number) {
        auto what = full_operation("status " + std::to_string(number));
        what.status = static_cast<operation_status>(number);
        what.due = system_time::max();  // no matter when it is due
        auto stored = detail::begin(*store, what, owner, seen);
        if (!stored) return true;
        result<operation_record> const living = store->take(stored->number, stored->epoch, other);
        seen.expect_error(living, store_errc::owned, "take of what a living owner has");
        if (!release(*store, *stored, seen)) return true;
        for (auto const epoch : {stored->epoch - 1, stored->epoch + 1}) {
            result<operation_record> const wrong = store->take(stored->number, epoch, other);
            seen.expect_error(wrong, store_errc::conflict, "take of another epoch");
        }
        detail::expect_operation(*store, *stored, seen,
                                 "were there before a take that was refused");
        result<operation_record> const taken = store->take(stored->number, stored->epoch, other);
        if (!seen.expect_value(taken, "take")) return true;
        seen.expect(taken.value().epoch > stored->epoch, "take did not raise the epoch");
        stored->epoch = taken.value().epoch;
        stored->owner = other;
        auto const differing = differences(taken.value(), *stored);
        seen.expect(differing.empty(), "take gave other values than are stored: " + differing);
        detail::expect_operation(*store, *stored, seen, "were there before a take");
    }
    // What a dead owner has is anybody's.
    result<void> const left = store->leave(other);
    seen.expect_value(left, "leave");
    result<std::optional<operation_record>> const found =
        store->find(full_operation("status 3").id, unlimited);
    if (!seen.expect_value(found, "find") || !found.value()) return true;
    result<operation_record> const taken =
        store->take(found.value()->number, found.value()->epoch, owner);
    seen.expect_value(taken, "take of what an owner had who has left");
    result<operation_record> const none = store->take(found.value()->number + 1000, 1, owner);
    seen.expect(!none.has_value(), "take of an operation that is not there succeeded");
    return true;
};

/// Expects the receipt of `what` to say whether cancellation was asked for.
template <class Store>
void expect_told(Store& store, operation_write const& what, bool expected, checker& seen,
                 std::string_view when) {
    result<write_receipt> const receipt = store.write(what, unlimited);
    if (seen.expect_value(receipt, "write"))
        seen.expect(receipt.value().cancel_requested == expected,
                    "the receipt says that cancellation was " +
                        std::string{expected ? "not " : ""} + "asked for " + std::string{when});
}

/// Expects that to be the operations of `owner` whose cancellation was asked for.
template <class Store>
void expect_renewed(Store& store, std::uint64_t owner, std::vector<std::uint64_t> const& expected,
                    checker& seen, std::string_view when) {
    result<std::vector<std::uint64_t>> got = store.renew(owner, long_lease);
    if (!seen.expect_value(got, "renew")) return;
    std::sort(got.value().begin(), got.value().end());
    seen.expect(got.value() == expected,
                "renew gave other operations than those whose cancellation was asked for " +
                    std::string{when});
}

inline constexpr auto check_cancel = [](auto& source, auto const&, checker& seen) {
    auto const store = source.fresh();
    auto const owner = enter(*store, seen);
    auto const other = enter(*store, seen);
    auto stored = detail::begin(*store, small_operation("cancelled"), owner, seen);
    auto const quiet = detail::begin(*store, small_operation("quiet"), owner, seen);
    auto const foreign = detail::begin(*store, small_operation("of another"), other, seen);
    if (!stored || !quiet || !foreign) return true;
    auto const told = [&](operation_record const& whom, bool expected, std::string_view when) {
        expect_told(*store, fenced_write(whom, nullptr), expected, seen, when);
    };
    told(*stored, false, "before it was");
    expect_renewed(*store, owner, {}, seen, "before it was");
    for (auto const& whom : {*stored, *foreign}) {
        result<void> const asked = store->request_cancel(whom.number);
        if (!seen.expect_value(asked, "request_cancel")) return true;
    }
    expect_renewed(*store, owner, {stored->number}, seen, "of this owner's");
    expect_renewed(*store, other, {foreign->number}, seen, "of the other owner's");
    for (int i = 0; i != 2; ++i) told(*stored, true, "after it was");
    told(*quiet, false, "of its neighbour");
    stored->cancel_requested = true;
    detail::expect_operation(*store, *stored, seen, "follow from request_cancel");
    // It stays over a change of owner.
    if (!release(*store, *stored, seen)) return true;
    expect_renewed(*store, owner, {}, seen, "of what this owner has no more");
    result<operation_record> const taken = store->take(stored->number, stored->epoch, owner);
    if (!seen.expect_value(taken, "take")) return true;
    seen.expect(taken.value().cancel_requested, "take does not tell of a wish to cancel");
    told(taken.value(), true, "before it was taken over");
    return true;
};

inline constexpr auto check_wish_stays = [](auto& source, auto const&, checker& seen) {
    auto const store = source.fresh();
    auto const owner = enter(*store, seen);
    auto stored = detail::begin(*store, small_operation("cancelled"), owner, seen);
    if (!stored) return true;
    result<void> const asked = store->request_cancel(stored->number);
    if (!seen.expect_value(asked, "request_cancel")) return true;
    // Heads of a writer who has not heard of it, and one of a writer who has.
    auto head = *stored;
    for (auto const knows : {false, false, true, false}) {
        head.note += "another head; ";
        head.cancel_requested = knows;
        expect_told(*store, fenced_write(head, &head), true, seen, "before a head");
        *stored = head;
        stored->cancel_requested = true;
        detail::expect_operation(
            *store, *stored, seen,
            "a head leaves of a wish to cancel that its writer has not heard of");
    }
    std::vector<step_record> const steps{small_step(0)};
    auto with_steps = fenced_write(head, &head, steps);
    with_steps.drop_steps = true;
    expect_told(*store, with_steps, true, seen, "before a head with steps");
    expect_renewed(*store, owner, {stored->number}, seen, "before heads that do not drop that");
    auto last = fenced_write(head, &head);
    last.release = true;
    expect_told(*store, last, true, seen, "before a last head");
    stored->owner = 0;
    detail::expect_operation(
        *store, *stored, seen,
        "a last head leaves of a wish to cancel that its writer has not heard of");
    // The head of a start may bring one, and one of a write.
    auto wished = small_operation("cancelled at once");
    wished.cancel_requested = true;
    auto const at_once = detail::begin(*store, wished, owner, seen);
    auto const later = detail::begin(*store, small_operation("cancelled by a head"), owner, seen);
    if (!at_once || !later) return true;
    auto plain = *at_once;
    plain.cancel_requested = false;
    expect_told(*store, fenced_write(plain, &plain), true, seen, "as it was started");
    wished = *later;
    wished.cancel_requested = true;
    expect_told(*store, fenced_write(wished, &wished), false, seen, "before its head said so");
    expect_told(*store, fenced_write(*later, &*later), true, seen, "by a head before");
    expect_renewed(*store, owner, {at_once->number, later->number}, seen, "by heads");
    return true;
};

inline constexpr auto check_wish_dropped = [](auto& source, auto const&, checker& seen) {
    auto const store = source.fresh();
    auto const owner = enter(*store, seen);
    auto stored = detail::begin(*store, small_operation("cancelled"), owner, seen);
    if (!stored) return true;
    auto const drop = [&](bool release, bool next_wish) {
        auto what = fenced_write(*stored, &*stored);
        what.drop_wish = true;
        what.release = release;
        stored->cancel_requested = next_wish;
        if (release) stored->owner = 0;
        // Its writer may not have heard of the wish, and so is told with that very write.
        expect_told(*store, what, true, seen, "before a write that drops that");
        detail::expect_operation(*store, *stored, seen,
                                 "a write leaves that drops a wish to cancel");
    };
    auto const ask = [&] {
        result<void> const asked = store->request_cancel(stored->number);
        return seen.expect_value(asked, "request_cancel");
    };
    if (!ask()) return true;
    auto without_head = fenced_write(*stored, nullptr);
    without_head.drop_wish = true;
    for (int i = 0; i != 2; ++i)
        expect_told(*store, without_head, true, seen, "before a write that has no head");
    drop(false, false);
    expect_told(*store, fenced_write(*stored, nullptr), false, seen, "after a write dropped that");
    expect_renewed(*store, owner, {}, seen, "after a write dropped that");
    auto nothing = fenced_write(*stored, &*stored);
    nothing.drop_wish = true;
    expect_told(*store, nothing, false, seen, "before a write that drops nothing");
    if (!ask()) return true;
    drop(false, true);
    expect_renewed(*store, owner, {stored->number}, seen, "by the head that came with the drop");
    drop(false, false);
    if (!ask()) return true;
    drop(true, false);
    return true;
};

inline constexpr auto check_renew = [](auto& source, auto const&, checker& seen) {
    auto const store = source.fresh();
    auto const owner = enter(*store, seen);
    auto const other = enter(*store, seen);
    result<std::vector<std::uint64_t>> const alive = store->renew(owner, long_lease);
    seen.expect_value(alive, "renew");
    result<void> const left = store->leave(owner);
    if (!seen.expect_value(left, "leave")) return true;
    result<std::vector<std::uint64_t>> const dead = store->renew(owner, long_lease);
    seen.expect_error(dead, store_errc::fenced, "renew by an owner that has left");
    result<std::vector<std::uint64_t>> const never = store->renew(other + 1000, long_lease);
    seen.expect_error(never, store_errc::fenced, "renew by an owner that never was");
    result<std::vector<std::uint64_t>> const still = store->renew(other, long_lease);
    seen.expect_value(still, "renew by another owner");
    return true;
};

inline constexpr auto check_remove = [](auto& source, auto const&, checker& seen) {
    auto const store = source.fresh();
    auto const owner = enter(*store, seen);
    auto stored = detail::begin(*store, small_operation("removed"), owner, seen);
    auto const neighbour = detail::begin(*store, small_operation("neighbour"), owner, seen);
    if (!stored || !neighbour) return true;
    std::vector<step_record> const steps{full_step(0), full_step(1)};
    for (auto const& whose : {*stored, *neighbour})
        if (!detail::write(*store, fenced_write(whose, nullptr, steps), seen)) return true;
    result<void> const living = store->remove(stored->number, stored->epoch);
    seen.expect_error(living, store_errc::owned, "remove of what a living owner has");
    if (!release(*store, *stored, seen)) return true;
    result<void> const wrong = store->remove(stored->number, stored->epoch + 1);
    seen.expect_error(wrong, store_errc::conflict, "remove of another epoch");
    detail::expect_operation(*store, *stored, seen, "were there before a remove that was refused");
    expect_steps(*store, stored->number, steps, seen);
    result<void> const removed = store->remove(stored->number, stored->epoch);
    if (!seen.expect_value(removed, "remove")) return true;
    detail::expect_no_operation(*store, stored->id, seen, "that was removed");
    expect_steps(*store, stored->number, {}, seen);
    expect_operations(*store, {}, {*neighbour}, seen, "after a removal");
    expect_steps(*store, neighbour->number, steps, seen);
    auto const again = detail::begin(*store, small_operation("removed"), owner, seen);
    if (again) expect_steps(*store, again->number, {}, seen);
    return true;
};

}  // namespace recoup::inline v1::testing::detail
