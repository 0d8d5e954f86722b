// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/testing/detail/operation_checker.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// Lists, limits, cleaning up, and what is there after reopening.

namespace recoup::inline v1::testing::detail {

inline constexpr auto check_operations_list = [](auto& source, auto const&, checker& seen) {
    auto const store = source.fresh();
    auto const owner = enter(*store, seen);
    std::vector<operation_record> all;
    for (unsigned i = 0; i != 24; ++i) {
        // Keys descend, so that the order of numbers is told from theirs.
        auto what = small_operation(std::to_string(100 - i), i % 2 == 0 ? "even" : "odd",
                                    i % 3 == 0 ? "three" : "");
        what.status = static_cast<operation_status>(1 + i % 7);
        what.parent = i % 4;
        what.input = std::string(i, 'i');
        auto const started = detail::begin(*store, what, i % 5 == 0 ? owner : 0, seen);
        if (!started) return true;
        all.push_back(*started);
    }
    auto const expect = [&](operation_filter filter, std::string_view which) {
        std::vector<operation_record> expected;
        for (auto const& one : all) {
            auto const fits = (!filter.status || one.status == *filter.status) &&
                              (!filter.space || one.id.space == *filter.space) &&
                              (!filter.name || one.id.name == *filter.name) &&
                              (!filter.parent || one.parent == *filter.parent) &&
                              one.number > filter.after;
            if (fits && expected.size() < filter.limit) expected.push_back(one);
        }
        expect_operations(*store, filter, expected, seen, which);
        return expected;
    };
    expect({}, "of all");
    for (unsigned status = 1; status <= 7; ++status)
        expect({.status = static_cast<operation_status>(status)}, "of one status");
    expect({.space = "three"}, "of a namespace");
    expect({.space = ""}, "of the empty namespace");
    expect({.name = "odd"}, "of a name");
    expect({.name = "od"}, "of a name that nothing has");
    expect({.parent = 0}, "without a parent");
    expect({.parent = 3}, "of a parent");
    expect({.status = operation_status::pending, .space = "three", .name = "even", .parent = 0},
           "of everything at once");
    expect({.limit = 0}, "of none");
    for (auto const page : {std::size_t{1}, std::size_t{5}, std::size_t{24}}) {
        operation_filter filter{.name = "even", .limit = page};
        for (std::size_t pages = 0; pages <= all.size(); ++pages) {
            auto const got = expect(filter, "page by page");
            if (got.empty()) break;
            filter.after = got.back().number;
        }
    }
    return true;
};

inline constexpr auto check_operations_clean_up = [](auto& source, auto const&, checker& seen) {
    using std::chrono::hours;
    auto const store = source.fresh();
    auto const now = base_time + hours{10};
    auto const owner = enter(*store, seen);
    std::vector<operation_record> kept;
    std::vector<operation_record> gone;
    for (unsigned number = 1; number <= 7; ++number) {
        auto const status = static_cast<operation_status>(number);
        for (auto const expires : {now - hours{1}, now, now + duration{1}}) {
            auto what = small_operation(std::to_string(number) + " " +
                                        std::to_string((expires - base_time).count()));
            what.status = status;
            what.expires = expires;
            auto started = detail::begin(*store, what, owner, seen);
            std::vector<step_record> const steps{full_step(0)};
            if (!started || !detail::write(*store, fenced_write(*started, nullptr, steps), seen) ||
                !release(*store, *started, seen))
                return true;
            (has_ended(status) && expires <= now ? gone : kept).push_back(*started);
        }
    }
    auto record = small_record("ended");
    record.status = record_status::succeeded;
    record.expires = now;
    if (!put(*store, record, seen)) return true;
    auto const clean = [&](std::size_t most, std::size_t expected) {
        result<std::size_t> const removed = store->clean_up(now, most);
        if (seen.expect_value(removed, "clean_up"))
            seen.expect(removed.value() == expected, "clean_up of at most " + std::to_string(most) +
                                                         " removed " +
                                                         std::to_string(removed.value()) +
                                                         "; expected " + std::to_string(expected));
    };
    clean(0, 0);
    clean(2, 2);
    clean(100, gone.size() + 1 - 2);  // and the record
    clean(100, 0);
    expect_operations(*store, {}, kept, seen, "after clean_up");
    for (auto const& what : kept) expect_steps(*store, what.number, {full_step(0)}, seen);
    for (auto const& what : gone) {
        detail::expect_no_operation(*store, what.id, seen, "that was cleaned up");
        expect_steps(*store, what.number, {}, seen);
    }
    return true;
};

inline constexpr auto check_operations_max = [](auto& source, auto const& options, checker& seen) {
    if (!options.operations_max) return false;
    auto const store = source.fresh();
    auto const owner = enter(*store, seen);
    std::optional<operation_record> last;
    for (std::size_t i = 0; i != *options.operations_max; ++i) {
        last = detail::begin(*store, small_operation(std::to_string(i)), owner, seen);
        if (!last) return true;
    }
    auto const more = small_operation("one more");
    result<started_operation> const refused = store->start(more, owner, unlimited);
    seen.expect_error(refused, store_errc::full, "start of one operation more than the limit");
    detail::expect_no_operation(*store, more.id, seen, "that was refused");
    result<started_operation> const again = store->start(small_operation("0"), owner, unlimited);
    if (seen.expect_value(again, "a second start in a full store"))
        seen.expect(!again.value().made, "a second start in a full store made one");
    last->note = "written in a full store";
    if (detail::write(*store, fenced_write(*last, &*last), seen))
        detail::expect_operation(*store, *last, seen);
    if (!release(*store, *last, seen)) return true;
    result<void> const removed = store->remove(last->number, last->epoch);
    if (seen.expect_value(removed, "remove")) begin(*store, more, owner, seen);
    return true;
};

inline constexpr auto check_operation_bytes_max = [](auto& source, auto const& options,
                                                     checker& seen) {
    if (!options.record_bytes_max) return false;
    auto const store = source.fresh();
    auto const owner = enter(*store, seen);
    std::string const large(*options.record_bytes_max + 1, 'x');
    auto what = small_operation("large");
    what.input = large;
    result<started_operation> const refused = store->start(what, owner, unlimited);
    seen.expect_error(refused, store_errc::too_large, "start of an operation above the limit");
    detail::expect_no_operation(*store, what.id, seen, "that was refused");
    what.input.clear();
    auto const stored = detail::begin(*store, what, owner, seen);
    std::vector<step_record> const steps{small_step(1, "kept")};
    if (!stored || !detail::write(*store, fenced_write(*stored, nullptr, steps), seen)) return true;
    auto head = *stored;
    head.progress = large;
    std::vector<step_record> const fresh{small_step(0, "new"), small_step(1, large)};
    for (auto const by_head : {false, true}) {
        auto writing = fenced_write(*stored, by_head ? &head : nullptr, fresh);
        if (by_head) writing.steps = writing.steps.first(1);
        result<write_receipt> const above = store->write(writing, unlimited);
        seen.expect_error(above, store_errc::too_large, "write of what is above the limit");
        detail::expect_operation(*store, *stored, seen,
                                 "were there before a write that was too large");
        expect_steps(*store, stored->number, steps, seen);
    }
    return true;
};

inline constexpr auto check_operations_reopening = [](auto& source, auto const&, checker& seen) {
    if constexpr (!std::remove_cvref_t<decltype(source)>::reopens) {
        return false;
    } else {
        std::vector<operation_record> kept;
        std::vector<step_record> const steps{small_step(1, "one"), full_step(2)};
        std::uint64_t gone = 0;
        {
            auto const store = source.fresh();
            auto const owner = enter(*store, seen);
            auto full = begin(*store, full_operation("full"), owner, seen);
            auto plain = begin(*store, small_operation("plain"), owner, seen);
            auto removed = begin(*store, small_operation("removed"), owner, seen);
            auto free = begin(*store, small_operation("free"), owner, seen);
            if (!full || !plain || !removed || !free) return true;
            std::vector<step_record> const dropped{small_step(0, "dropped"), small_step(3)};
            for (auto* one : {&*full, &*removed})
                if (!write(*store, fenced_write(*one, nullptr, dropped), seen)) return true;
            auto what = fenced_write(*full, nullptr, steps);
            what.drop_steps = true;
            plain->progress = "written";
            if (!write(*store, what, seen) || !write(*store, fenced_write(*plain, &*plain), seen) ||
                !release(*store, *removed, seen) || !release(*store, *free, seen))
                return true;
            result<void> const taken_out = store->remove(removed->number, removed->epoch);
            result<void> const asked = store->request_cancel(free->number);
            if (!seen.expect_value(taken_out, "remove") ||
                !seen.expect_value(asked, "request_cancel"))
                return true;
            free->cancel_requested = true;
            gone = removed->number;
            kept = {*full, *plain, *free};
        }
        auto const store = source.reopen();
        for (auto const& what : kept) expect_operation(*store, what, seen, "were acknowledged");
        expect_operations(*store, {}, kept, seen, "after reopening");
        expect_steps(*store, kept[0].number, steps, seen);
        expect_steps(*store, kept[1].number, {}, seen);
        expect_no_operation(*store, small_operation("removed").id, seen,
                            "that was removed before reopening");
        expect_steps(*store, gone, {}, seen);
        return true;
    }
};

inline constexpr auto check_owners_reopening = [](auto& source, auto const&, checker& seen) {
    if constexpr (!std::remove_cvref_t<decltype(source)>::reopens) {
        return false;
    } else {
        std::optional<operation_record> begun;
        std::uint64_t before = 0;
        {
            auto const store = source.fresh();
            before = enter(*store, seen);
            auto what = small_operation("left behind");
            what.status = operation_status::running;
            begun = begin(*store, what, before, seen);
            if (!begun) return true;
        }
        auto const store = source.reopen();
        auto const owner = enter(*store, seen);
        result<std::vector<std::uint64_t>> const dead = store->renew(before, long_lease);
        seen.expect_error(dead, store_errc::fenced, "renew by an owner of before reopening");
        auto const claimed = claim(*store, owner, base_time, seen);
        if (!expect_claimed(claimed, {"left behind"}, seen, "after reopening")) return true;
        seen.expect(claimed[0].epoch > begun->epoch, "claim did not raise the epoch");
        result<write_receipt> const late = store->write(fenced_write(*begun, nullptr), unlimited);
        seen.expect_error(late, store_errc::fenced, "write under an epoch of before reopening");
        write(*store, fenced_write(claimed[0], nullptr), seen);
        return true;
    }
};

/// What `transact` does, as far as it can be told without knowing what a transaction can do.
inline constexpr auto check_transact = [](auto& source, auto const&, checker& seen) {
    using store_type = typename std::remove_cvref_t<decltype(source)>::store_type;
    if constexpr (!requires { typename store_type::transaction; }) {
        return false;
    } else {
        using transaction = typename store_type::transaction;
        auto const store = source.fresh();
        auto const owner = enter(*store, seen);
        auto const stored = begin(*store, small_operation("transacted"), owner, seen);
        if (!stored) return true;
        auto const step = full_step(3);
        auto const records = [&](transaction&) -> result<step_record> { return step; };
        auto const fails = [](transaction&) -> result<step_record> {
            return failure{category::invalid_input, "by the body"};
        };
        result<write_receipt> const done =
            store->transact(stored->number, stored->epoch, records, unlimited);
        if (!seen.expect_value(done, "transact")) return true;
        expect_steps(*store, stored->number, {step}, seen);
        result<write_receipt> const failed =
            store->transact(stored->number, stored->epoch, fails, unlimited);
        seen.expect(!failed.has_value() && failed.error().category() == category::invalid_input,
                    "transact did not give the failure of its body");
        auto const late = [&](transaction&) -> result<step_record> { return full_step(4); };
        result<write_receipt> const fenced =
            store->transact(stored->number, stored->epoch + 1, late, unlimited);
        seen.expect_error(fenced, store_errc::fenced, "transact under another epoch");
        expect_steps(*store, stored->number, {step}, seen);
        write(*store, fenced_write(*stored, nullptr), seen);
        return true;
    }
};

}  // namespace recoup::inline v1::testing::detail
