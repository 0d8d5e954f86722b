// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/testing/detail/operation_checker.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <vector>

// What is kept of operations and steps, and what a write does. Each check as in store_checks.hpp.

namespace recoup::inline v1::testing::detail {

inline constexpr auto check_start = [](auto& source, auto const&, checker& seen) {
    auto const store = source.fresh();
    auto const owner = enter(*store, seen);
    detail::expect_no_operation(*store, small_operation("owned").id, seen, "from an empty store");
    auto const owned = detail::begin(*store, small_operation("owned"), owner, seen);
    auto const free = detail::begin(*store, full_operation("free"), 0, seen);
    if (!owned || !free) return true;
    seen.expect(free->number > owned->number, "numbers do not ascend");
    detail::expect_operation(*store, *owned, seen, "were started");
    detail::expect_operation(*store, *free, seen, "were started");
    expect_steps(*store, owned->number, {}, seen);
    return true;
};

inline constexpr auto check_start_again = [](auto& source, auto const&, checker& seen) {
    auto const store = source.fresh();
    auto const owner = enter(*store, seen);
    auto const other = enter(*store, seen);
    auto stored = detail::begin(*store, small_operation("again"), owner, seen);
    std::vector<step_record> const steps{full_step(0)};
    if (!stored || !detail::write(*store, fenced_write(*stored, nullptr, steps), seen)) return true;
    auto const given = full_operation("again");
    result<started_operation> const again = store->start(given, other, unlimited);
    if (!seen.expect_value(again, "a second start")) return true;
    seen.expect(!again.value().made, "a second start says that it made the operation");
    auto const differing = differences(again.value().record, *stored);
    seen.expect(differing.empty(),
                "a second start gave other values than are stored: " + differing);
    detail::expect_operation(*store, *stored, seen, "were there before a second start");
    expect_steps(*store, stored->number, steps, seen);
    return true;
};

inline constexpr auto check_numbers = [](auto& source, auto const&, checker& seen) {
    std::set<std::uint64_t> numbers;
    std::set<std::uint64_t> owners;
    auto const go_on = [&](auto& store) {
        for (int i = 0; i != 3; ++i) {
            auto const owner = enter(store, seen);
            seen.expect(owners.insert(owner).second, "an owner's number came again");
            auto one = detail::begin(store, small_operation("again"), owner, seen);
            if (!one || !release(store, *one, seen)) return;
            seen.expect(numbers.insert(one->number).second, "an operation's number came again");
            result<void> const removed = store.remove(one->number, one->epoch);
            seen.expect_value(removed, "remove");
            result<void> const left = store.leave(owner);
            seen.expect_value(left, "leave");
        }
    };
    {
        auto const store = source.fresh();
        go_on(*store);
    }
    if constexpr (std::remove_cvref_t<decltype(source)>::reopens) {
        auto const store = source.reopen();
        go_on(*store);
    }
    return true;
};

inline constexpr auto check_operation_fields = [](auto& source, auto const&, checker& seen) {
    auto const store = source.fresh();
    auto const owner = enter(*store, seen);
    for (unsigned number = 1; number <= 7; ++number) {
        auto what = full_operation("status " + std::to_string(number));
        what.status = static_cast<operation_status>(number);
        auto const started = detail::begin(*store, what, owner, seen);
        if (started) detail::expect_operation(*store, *started, seen, "were started");
    }
    // Once more by writing, over fields that were empty.
    auto stored = detail::begin(*store, small_operation("written"), owner, seen);
    if (!stored) return true;
    auto head = full_operation("written");
    head.parent = stored->parent;
    head.created = stored->created;
    if (!detail::write(*store, fenced_write(*stored, &head), seen)) return true;
    head.number = stored->number;
    head.epoch = stored->epoch;
    head.owner = stored->owner;
    detail::expect_operation(*store, head, seen);
    return true;
};

inline constexpr auto check_step_fields = [](auto& source, auto const&, checker& seen) {
    auto const store = source.fresh();
    auto const owner = enter(*store, seen);
    auto const one = detail::begin(*store, small_operation("steps"), owner, seen);
    auto const other = detail::begin(*store, small_operation("other"), owner, seen);
    if (!one || !other) return true;
    std::vector<step_record> steps;
    for (unsigned status = 1; status <= 4; ++status) {
        steps.push_back(full_step(status));
        steps.back().status = static_cast<step_status>(status);
    }
    steps.push_back(small_step(5));
    if (!detail::write(*store, fenced_write(*one, nullptr, steps), seen)) return true;
    detail::expect_steps(*store, one->number, steps, seen);
    expect_steps(*store, other->number, {}, seen);
    detail::expect_operation(*store, *one, seen, "were there before steps were written");
    return true;
};

inline constexpr auto check_operation_binary = [](auto& source, auto const& options,
                                                  checker& seen) {
    auto const store = source.fresh();
    auto const owner = enter(*store, seen);
    std::string every;
    for (int byte = 0; byte != 256; ++byte) every.push_back(static_cast<char>(byte));
    auto const nul = std::string(3, '\0');
    for (unsigned set = 0; set != 4; ++set) {
        auto what = small_operation("empty " + std::to_string(set));
        if ((set & 1U) != 0) what.result = "";
        if ((set & 2U) != 0) what.last_failure = recorded_failure{};
        if (auto const started = detail::begin(*store, what, owner, seen))
            detail::expect_operation(*store, *started, seen, "were started");
    }
    auto binary = small_operation("binary");
    binary.input = nul + every;
    binary.result = every + nul;
    binary.progress = every;
    binary.note = nul;
    binary.last_failure = recorded_failure{category::unknown, 0, "", every};
    auto large = small_operation("large");
    while (large.input.size() < options.large_value_bytes) large.input += every;
    large.input.resize(options.large_value_bytes);
    for (auto* what : {&binary, &large}) {
        auto const started = detail::begin(*store, *what, owner, seen);
        if (!started) return true;
        std::vector<step_record> steps{small_step(0, what->input), small_step(1)};
        steps[0].status = step_status::begun;
        steps[0].state = every + nul;
        steps[1].last_failure = recorded_failure{};
        if (!detail::write(*store, fenced_write(*started, nullptr, steps), seen)) return true;
        detail::expect_operation(*store, *started, seen, "were started");
        detail::expect_steps(*store, started->number, steps, seen);
    }
    return true;
};

inline constexpr auto check_operation_extremes = [](auto& source, auto const&, checker& seen) {
    auto const store = source.fresh();
    auto const owner = enter(*store, seen);
    constexpr auto most32 = std::numeric_limits<std::uint32_t>::max();
    constexpr auto most64 = std::numeric_limits<std::uint64_t>::max();
    for (auto const high : {false, true}) {
        auto what = small_operation(high ? "highest" : "lowest");
        what.status = operation_status::running;  // not to be cleaned up, whenever it expires
        what.parent = high ? most64 : 0;
        what.fingerprint = high ? most64 : 0;
        what.generation = high ? most32 : 0;
        what.recoveries = high ? most32 : 0;
        what.token.fill(high ? 0xFF : 0);
        what.delay = high ? duration::max() : duration::min();
        for (auto* time : {&what.due, &what.created, &what.updated, &what.expires})
            *time = high ? system_time::max() : system_time::min();
        what.last_failure = recorded_failure{static_cast<category>(high ? category_count - 1 : 0),
                                             high ? std::numeric_limits<std::int32_t>::max()
                                                  : std::numeric_limits<std::int32_t>::min(),
                                             "", ""};
        auto const started = detail::begin(*store, what, owner, seen);
        if (!started) continue;
        detail::expect_operation(*store, *started, seen, "were started");
        auto step = full_step(high ? step_index_max : 0);
        step.count = high ? most32 : 0;
        step.attempts = high ? most32 : 0;
        step.fingerprint = high ? most64 : 0;
        step.updated = high ? system_time::max() : system_time::min();
        std::vector<step_record> const steps{step};
        if (detail::write(*store, fenced_write(*started, nullptr, steps), seen))
            expect_steps(*store, started->number, steps, seen);
    }
    return true;
};

inline constexpr auto check_operation_identities = [](auto& source, auto const&, checker& seen) {
    auto const store = source.fresh();
    std::string const longest(identifier_bytes_max, 'k');
    auto neighbour = longest;
    neighbour.back() = 'l';
    std::vector<operation_id> const ids{{"", "n", "k"},
                                        {"n", "n", "k"},
                                        {"", "nn", "k"},
                                        {"", "n", "kk"},
                                        {"", "nk", "k"},
                                        {"n", "k", "k"},
                                        {"", "n", "K"},
                                        {"", "N", "k"},
                                        {"", "n", "k "},
                                        {"", "n", "1"},
                                        {"", "n", "01"},
                                        {"", "n", "%"},
                                        {"", "n", "'; DROP TABLE x; --"},
                                        {"", "n", "\xD0\xBA"},
                                        {"", "n", "\xF0\x9F\xA6\x80"},
                                        {longest, longest, longest},
                                        {longest, longest, neighbour}};
    std::vector<operation_record> all;
    for (auto const& id : ids) {
        operation_record what;
        what.id = id;
        what.input = std::to_string(all.size());
        auto const started = detail::begin(*store, what, 0, seen);
        if (!started) return true;
        all.push_back(*started);
    }
    for (auto const& what : all) detail::expect_operation(*store, what, seen, "were started");
    // Records and operations of one identity are two things.
    expect_list(*store, {}, {}, seen, "where there are only operations");
    auto record = full_record("k");
    record.id = ids.front();
    if (!put(*store, record, seen)) return true;
    detail::expect_operation(*store, all.front(), seen, "were started");
    result<void> const removed = store->remove(all.front().number, all.front().epoch);
    if (seen.expect_value(removed, "remove")) detail::expect_stored(*store, record, seen);
    return true;
};

inline constexpr auto check_head_written = [](auto& source, auto const&, checker& seen) {
    auto const store = source.fresh();
    auto const owner = enter(*store, seen);
    auto original = small_operation("head");
    original.parent = 5;
    auto stored = detail::begin(*store, original, owner, seen);
    if (!stored) return true;
    auto head = full_operation("another identity");
    head.number = stored->number + 100;
    head.epoch = 99;
    head.owner = owner + 100;
    head.parent = 6;
    if (!detail::write(*store, fenced_write(*stored, &head), seen)) return true;
    auto expected = head;
    expected.id = stored->id;
    expected.number = stored->number;
    expected.epoch = stored->epoch;
    expected.owner = stored->owner;
    expected.parent = stored->parent;
    expected.created = stored->created;
    detail::expect_operation(*store, expected, seen);
    detail::expect_no_operation(*store, head.id, seen,
                                "under the identity in a head that was written");
    if (!detail::write(*store, fenced_write(*stored, nullptr), seen)) return true;
    detail::expect_operation(*store, expected, seen, "were there before a write without a head");
    auto const plain = small_operation("head");  // and what was set is empty again
    auto emptying = fenced_write(*stored, &plain);
    emptying.drop_wish = true;
    if (!detail::write(*store, emptying, seen)) return true;
    detail::expect_operation(*store, *stored, seen);
    return true;
};

inline constexpr auto check_steps_written = [](auto& source, auto const&, checker& seen) {
    auto const store = source.fresh();
    auto const owner = enter(*store, seen);
    auto const one = detail::begin(*store, small_operation("steps"), owner, seen);
    if (!one) return true;
    auto const add = [&](std::vector<step_record> const& steps, bool drop,
                         std::vector<step_record> const& expected) {
        auto what = fenced_write(*one, nullptr, steps);
        what.drop_steps = drop;
        return detail::write(*store, what, seen) &&
               expect_steps(*store, one->number, expected, seen);
    };
    // Written out of order and with gaps: they come in the order of their indices.
    auto const ninth = small_step(9, "ninth");
    auto const second = small_step(2, "second");
    auto const hundredth = small_step(100, "hundredth");
    if (!add({ninth, hundredth}, false, {ninth, hundredth})) return true;
    if (!add({second}, false, {second, ninth, hundredth})) return true;
    auto replaced = full_step(9);
    if (!add({replaced}, false, {second, replaced, hundredth})) return true;
    auto plain = small_step(9);
    if (!add({plain}, false, {second, plain, hundredth})) return true;
    if (!add({}, false, {second, plain, hundredth})) return true;
    auto const fresh = small_step(2, "fresh");
    if (!add({fresh}, true, {fresh})) return true;
    add({}, true, {});
    return true;
};

inline constexpr auto check_fence = [](auto& source, auto const&, checker& seen) {
    auto const store = source.fresh();
    auto const owner = enter(*store, seen);
    auto stored = detail::begin(*store, small_operation("fenced"), owner, seen);
    if (!stored) return true;
    std::vector<step_record> const kept{small_step(0, "kept")};
    std::vector<step_record> const late{small_step(0, "late"), small_step(1, "late")};
    if (!detail::write(*store, fenced_write(*stored, nullptr, kept), seen)) return true;
    auto const head = full_operation("fenced");
    auto const refuse = [&](operation_record const& by, std::string_view who) {
        for (auto const drop : {false, true}) {
            auto what = fenced_write(by, &head, late);
            what.drop_steps = drop;
            what.release = drop;
            result<write_receipt> const refused = store->write(what, unlimited);
            seen.expect_error(refused, store_errc::fenced, "write " + std::string{who});
        }
    };
    auto const unchanged = [&] {
        detail::expect_operation(*store, *stored, seen,
                                 "were there before a write that was refused");
        expect_steps(*store, stored->number, kept, seen);
    };
    auto wrong = *stored;
    for (auto const epoch : {stored->epoch - 1, stored->epoch + 1}) {
        wrong.epoch = epoch;
        refuse(wrong, "under another epoch");
    }
    unchanged();
    auto const before = *stored;
    if (!release(*store, *stored, seen)) return true;
    refuse(before, "to an operation without an owner");
    unchanged();
    auto const other = enter(*store, seen);
    result<operation_record> const taken = store->take(stored->number, stored->epoch, other);
    if (!seen.expect_value(taken, "take")) return true;
    *stored = taken.value();
    refuse(before, "after a takeover");
    unchanged();
    if (!release(*store, *stored, seen)) return true;
    result<void> const removed = store->remove(stored->number, stored->epoch);
    if (!seen.expect_value(removed, "remove")) return true;
    refuse(before, "after a removal");
    refuse(*stored, "after a removal");
    detail::expect_no_operation(*store, stored->id, seen, "that was removed");
    expect_steps(*store, stored->number, {}, seen);
    return true;
};

inline constexpr auto check_release = [](auto& source, auto const&, checker& seen) {
    auto const store = source.fresh();
    auto const owner = enter(*store, seen);
    auto stored = detail::begin(*store, small_operation("given back"), owner, seen);
    if (!stored) return true;
    // One write that does all: the last thing that its owner does.
    auto head = full_operation("given back");
    head.status = operation_status::succeeded;
    std::vector<step_record> const steps{full_step(3)};
    auto what = fenced_write(*stored, &head, steps);
    what.release = true;
    if (!detail::write(*store, what, seen)) return true;
    head.number = stored->number;
    head.epoch = stored->epoch;
    head.owner = 0;
    head.parent = stored->parent;
    head.created = stored->created;
    detail::expect_operation(*store, head, seen);
    expect_steps(*store, stored->number, steps, seen);
    return true;
};

}  // namespace recoup::inline v1::testing::detail
