// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/durable_store.hpp>
#include <recoup/testing/detail/store_checker.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// What the checks of durable operations have in common: values, and what is expected of single calls.

namespace recoup::inline v1::testing::detail {

/// Longer than any run of the suite: where owners live by lease, they live as long as they must.
inline constexpr duration long_lease = std::chrono::hours{1};

/// The names of the fields in which two operations differ.
inline std::string differences(operation_record const& left, operation_record const& right) {
    std::string names;
    auto const compare = [&](bool same, char const* name) {
        if (!same) names += (names.empty() ? "" : ", ") + std::string{name};
    };
    compare(left.id == right.id, "id");
    compare(left.number == right.number, "number");
    compare(left.epoch == right.epoch, "epoch");
    compare(left.owner == right.owner, "owner");
    compare(left.parent == right.parent, "parent");
    compare(left.status == right.status, "status");
    compare(left.cancel_requested == right.cancel_requested, "cancel_requested");
    compare(left.undoing == right.undoing, "undoing");
    compare(left.fingerprint == right.fingerprint, "fingerprint");
    compare(left.generation == right.generation, "generation");
    compare(left.recoveries == right.recoveries, "recoveries");
    compare(left.token == right.token, "token");
    compare(left.delay == right.delay, "delay");
    compare(left.due == right.due, "due");
    compare(left.created == right.created, "created");
    compare(left.updated == right.updated, "updated");
    compare(left.expires == right.expires, "expires");
    compare(left.version == right.version, "version");
    compare(left.input == right.input, "input");
    compare(left.progress == right.progress, "progress");
    compare(left.note == right.note, "note");
    compare(left.result == right.result, "result");
    compare(left.last_failure == right.last_failure, "last_failure");
    return names;
}

/// The names of the fields in which two steps differ.
inline std::string differences(step_record const& left, step_record const& right) {
    std::string names;
    auto const compare = [&](bool same, char const* name) {
        if (!same) names += (names.empty() ? "" : ", ") + std::string{name};
    };
    compare(left.index == right.index, "index");
    compare(left.count == right.count, "count");
    compare(left.name == right.name, "name");
    compare(left.id == right.id, "id");
    compare(left.status == right.status, "status");
    compare(left.attempts == right.attempts, "attempts");
    compare(left.fingerprint == right.fingerprint, "fingerprint");
    compare(left.updated == right.updated, "updated");
    compare(left.value == right.value, "value");
    compare(left.state == right.state, "state");
    compare(left.last_failure == right.last_failure, "last_failure");
    return names;
}

/// A pending operation with little in it, due at once.
inline operation_record small_operation(std::string key, std::string name = "check",
                                        std::string space = "conformance") {
    operation_record what;
    what.id = {std::move(space), std::move(name), std::move(key)};
    what.created = base_time;
    what.updated = base_time;
    return what;
}

/// An operation in which no field that a caller fills has its default value.
inline operation_record full_operation(std::string key) {
    auto what = small_operation(std::move(key));
    what.parent = 77;
    what.status = operation_status::blocked;
    what.cancel_requested = true;
    what.undoing = true;
    what.fingerprint = 0xFEDCBA9876543210U;
    what.generation = 3;
    what.recoveries = 2;
    for (std::size_t i = 0; i != what.token.size(); ++i)
        what.token[i] = static_cast<std::uint8_t>(0xF0U + i);
    what.delay = duration{987'654'321};
    what.due = base_time + duration{1};
    what.created = base_time + duration{2};
    what.updated = base_time + duration{3};
    what.expires = base_time + std::chrono::hours{1000};
    what.version = "2.1";
    what.input = "an input";
    what.progress = "half way";
    what.note = "of another version";
    what.result = "a result";
    what.last_failure =
        recorded_failure{category::network_tls, -35, "curl", "the handshake failed"};
    return what;
}

inline step_record small_step(std::uint32_t index, std::string value = {}) {
    step_record what;
    what.index = index;
    what.name = "step";
    what.count = index;
    what.updated = base_time;
    what.value = std::move(value);
    return what;
}

inline step_record full_step(std::uint32_t index) {
    auto what = small_step(index, "a value");
    what.count = 5;
    what.id = "an id";
    what.status = step_status::undoing;
    what.attempts = 17;
    what.fingerprint = 0xFEDCBA9876543210U;
    what.updated = base_time + duration{7};
    what.state = "a state";
    what.last_failure = recorded_failure{category::disk_full, 28, "generic", "no space"};
    return what;
}

template <class Store>
std::uint64_t enter(Store& store, checker& seen) {
    result<std::uint64_t> const owner = store.enter("conformance", long_lease);
    if (!seen.expect_value(owner, "enter")) return 0;
    seen.expect(owner.value() != 0, "enter gave owner 0, which stands for none");
    return owner.value();
}

/// Starts what is not there; gives what the store made of it.
template <class Store>
std::optional<operation_record> begin(Store& store, operation_record const& head,
                                      std::uint64_t owner, checker& seen) {
    result<started_operation> started = store.start(head, owner, unlimited);
    if (!seen.expect_value(started, "start")) return std::nullopt;
    auto& made = started.value();
    seen.expect(made.made, "start of what was not there did not make it");
    seen.expect(made.record.number != 0, "start gave number 0");
    auto expected = head;
    expected.number = made.record.number;
    expected.epoch = 1;
    expected.owner = owner;
    auto const differing = differences(made.record, expected);
    if (!seen.expect(differing.empty(), "start gave other values than expected: " + differing))
        return std::nullopt;
    return std::move(made.record);
}

template <class Store>
bool write(Store& store, operation_write const& what, checker& seen) {
    result<write_receipt> const written = store.write(what, unlimited);
    return seen.expect_value(written, "write");
}

/// A write under the fence of `of`, of `head` (null: none) and `steps`.
inline operation_write fenced_write(operation_record const& of, operation_record const* head,
                                    std::span<step_record const> steps = {}) {
    return {.number = of.number, .epoch = of.epoch, .head = head, .steps = steps};
}

/// Gives the operation back, as it is.
template <class Store>
bool release(Store& store, operation_record& what, checker& seen) {
    auto giving = fenced_write(what, nullptr);
    giving.release = true;
    what.owner = 0;
    return detail::write(store, giving, seen);
}

template <class Store>
bool expect_operation(Store& store, operation_record const& what, checker& seen,
                      std::string_view when = "was written") {
    result<std::optional<operation_record>> found = store.find(what.id, unlimited);
    if (!seen.expect_value(found, "find")) return false;
    if (!seen.expect(found.value().has_value(), "find gave nothing for an operation that is there"))
        return false;
    auto const differing = differences(*found.value(), what);
    return seen.expect(differing.empty(),
                       "find gave other values than " + std::string{when} + ": " + differing);
}

template <class Store>
void expect_no_operation(Store& store, operation_ref id, checker& seen, std::string_view when) {
    result<std::optional<operation_record>> found = store.find(id, unlimited);
    if (seen.expect_value(found, "find"))
        seen.expect(!found.value().has_value(), "find gave an operation " + std::string{when});
}

template <class Record>
bool expect_same(std::vector<Record> const& got, std::vector<Record> const& expected, checker& seen,
                 std::string_view call) {
    auto const about = std::string{call} + " gave ";
    auto same = seen.expect(got.size() == expected.size(), about + std::to_string(got.size()) +
                                                               " of them; expected " +
                                                               std::to_string(expected.size()));
    for (std::size_t i = 0; i != std::min(got.size(), expected.size()); ++i) {
        auto const differing = differences(got[i], expected[i]);
        if (!seen.expect(differing.empty(), about + "another at place " + std::to_string(i) +
                                                ": it differs in " + differing))
            return false;
    }
    return same;
}

template <class Store>
bool expect_steps(Store& store, std::uint64_t number, std::vector<step_record> const& expected,
                  checker& seen) {
    result<std::vector<step_record>> const got = store.steps(number, unlimited);
    return seen.expect_value(got, "steps") && expect_same(got.value(), expected, seen, "steps");
}

template <class Store>
void expect_operations(Store& store, operation_filter const& filter,
                       std::vector<operation_record> const& expected, checker& seen,
                       std::string_view which) {
    result<std::vector<operation_record>> const got = store.operations(filter);
    if (seen.expect_value(got, "operations"))
        expect_same(got.value(), expected, seen, "operations " + std::string{which});
}

/// Claims operations of the name "check" in the suite's namespace.
template <class Store>
std::vector<operation_record> claim(Store& store, std::uint64_t owner, system_time now,
                                    checker& seen, std::size_t limit = 100,
                                    std::vector<std::string> const& names = {"check"}) {
    result<std::vector<operation_record>> got = store.claim(
        {.owner = owner, .space = "conformance", .names = names, .now = now, .limit = limit});
    if (!seen.expect_value(got, "claim")) return {};
    return std::move(got.value());
}

inline std::vector<std::string> keys_of(std::vector<operation_record> const& operations) {
    std::vector<std::string> keys;
    for (auto const& one : operations) keys.push_back(one.id.key);
    return keys;
}

/// Expects exactly the operations of these keys, in this order.
inline bool expect_claimed(std::vector<operation_record> const& claimed,
                           std::vector<std::string> const& keys, checker& seen,
                           std::string_view which = {}) {
    auto const joined = [](std::vector<std::string> const& all) {
        std::string text;
        for (auto const& key : all) text += (text.empty() ? "" : ", ") + key;
        return text;
    };
    auto const got = keys_of(claimed);
    return seen.expect(got == keys, "claim " + std::string{which} + " gave [" + joined(got) +
                                        "]; expected [" + joined(keys) + "]");
}

}  // namespace recoup::inline v1::testing::detail
