// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/durable_store.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace bench {

/// An operation that waits to be claimed.
inline recoup::operation_record pending_operation(std::string const& name, std::size_t number) {
    recoup::operation_record head;
    head.id = {"", name, "key-" + std::to_string(number)};
    head.fingerprint = number;
    head.version = "1";
    head.input = std::string(64, static_cast<char>('a' + number % 26));
    head.created = head.updated =
        std::chrono::time_point_cast<recoup::duration>(std::chrono::system_clock::now());
    return head;
}

/// Records `count` of them; by some callers at once, so that they share commits.
template <class Store>
void add_pending(Store& store, std::string const& name, std::size_t count) {
    constexpr std::size_t callers_count = 32;
    std::atomic<std::size_t> next{0};
    std::vector<std::jthread> callers;
    std::atomic<bool> failed{false};
    for (std::size_t i = 0; i != callers_count; ++i)
        callers.emplace_back([&] {
            for (auto number = next++; number < count; number = next++)
                if (!store.start(pending_operation(name, number), 0).has_value()) failed = true;
        });
    callers.clear();
    if (failed) throw std::runtime_error{"an operation was not recorded"};
}

}  // namespace bench
