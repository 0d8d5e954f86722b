// SPDX-License-Identifier: BSL-1.0
#pragma once

// What the tests of durable operations in SQLite share.

#include "store/sqlite_support.hpp"

#include <chrono>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace recoup_test {

inline constexpr recoup::duration long_lease = std::chrono::hours{1};

/// The value, or an exception that says what was wrong.
template <class Result>
auto must(Result got) {
    if (!got.has_value()) throw std::runtime_error{got.error().describe()};
    if constexpr (!std::is_void_v<typename Result::value_type>) return std::move(got.value());
}

inline recoup::operation_record some_operation(std::string key) {
    recoup::operation_record what;
    what.id = {"shop", "order", std::move(key)};
    what.status = recoup::operation_status::running;
    what.fingerprint = 77;
    what.version = "3";
    what.input = "the input of " + what.id.key;
    what.token[3] = 9;
    what.created = recoup::system_time{std::chrono::seconds{1000}};
    what.updated = recoup::system_time{std::chrono::seconds{1001}};
    return what;
}

inline recoup::step_record some_step(std::uint32_t index) {
    recoup::step_record step;
    step.index = index;
    step.name = "ship";
    step.count = index;
    step.value = "value " + std::to_string(index);
    return step;
}

inline recoup::result<recoup::write_receipt> write_step(recoup::sqlite_store& store,
                                                        recoup::operation_record const& of,
                                                        recoup::step_record const& step) {
    recoup::operation_write what;
    what.number = of.number;
    what.epoch = of.epoch;
    what.steps = {&step, 1};
    return store.write(what);
}

inline recoup::result<recoup::write_receipt> write_head(recoup::sqlite_store& store,
                                                        recoup::operation_record const& head,
                                                        bool release) {
    recoup::operation_write what;
    what.number = head.number;
    what.epoch = head.epoch;
    what.head = &head;
    what.release = release;
    return store.write(what);
}

inline recoup::operation_record begin(recoup::sqlite_store& store, std::string const& key,
                                      std::uint64_t owner) {
    return must(store.start(some_operation(key), owner)).record;
}

inline std::vector<recoup::operation_record> claim_all(recoup::sqlite_store& store,
                                                       std::uint64_t owner,
                                                       std::size_t limit = 1000) {
    std::vector<std::string> const names{"order"};
    return must(store.claim({.owner = owner,
                             .space = "shop",
                             .names = names,
                             .now = recoup::system_time{std::chrono::seconds{2000}},
                             .limit = limit}));
}

inline recoup::sqlite_store_options by_processes() {
    auto options = anywhere();
    options.sharing = recoup::sharing::processes;
    return options;
}

}  // namespace recoup_test
