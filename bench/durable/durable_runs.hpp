// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "durable/floors.hpp"

#include <recoup/durable.hpp>
#include <recoup/store/detail/operation_codec.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace bench {

/// Durable operations of `steps_each` steps that do nothing, on a store.
class durable_runs {
  public:
    template <class Store>
    explicit durable_runs(Store& store)
        : operations_{store},
          defined_{operations_.define(
              name,
              [this](recoup::operation& op, std::uint64_t key) -> recoup::result<std::uint64_t> {
                  for (std::uint32_t i = 0; i != steps_each; ++i) {
                      op.step("step", [&] { return key + i; }).value();
                      steps_.fetch_add(1, std::memory_order_relaxed);
                  }
                  return key;
              })} {}

    /// From its start to its end, on this thread.
    void run_one() {
        auto const key = next_.fetch_add(1, std::memory_order_relaxed);
        if (defined_.run(key_text(key), key).value() != key)
            throw std::runtime_error{"a durable operation gave the result of another"};
    }

    /// Steps a second of `in_flight` callers, each with one operation after the other.
    double steps_a_second(std::chrono::nanoseconds span) {
        using clock = std::chrono::steady_clock;
        std::atomic<bool> stop{false};
        std::atomic<std::size_t> ready{0};
        std::vector<std::jthread> callers;
        for (std::size_t i = 0; i != in_flight; ++i)
            callers.emplace_back([&] {
                run_one();
                ++ready;
                while (!stop.load(std::memory_order_relaxed)) run_one();
            });
        // Measured once all are under way, until the first one is told to stop.
        while (ready != in_flight) std::this_thread::sleep_for(std::chrono::milliseconds{1});
        auto const steps = steps_.load();
        auto const begin = clock::now();
        std::this_thread::sleep_for(span);
        auto const made = steps_.load() - steps;
        auto const took = std::chrono::duration<double>{clock::now() - begin};
        stop = true;
        callers.clear();
        return static_cast<double>(made) / took.count();
    }

    /// All that were made until now.
    [[nodiscard]] std::uint64_t steps() const noexcept { return steps_; }

    /// What an operation has left in the store.
    operation_bytes bytes() {
        auto const key = key_text(next_ - 1);
        auto const found = operations_.find(name, key).value();
        auto const steps = operations_.history(name, key).value();
        if (!found || !found->result) throw std::runtime_error{"an operation is not recorded"};
        auto const finish = recoup::detail::encoded_size(*found);
        return {finish - 4 - found->result->size(), recoup::detail::encoded_size(steps.at(5)),
                finish};
    }

  private:
    static constexpr auto name = "bench";

    static std::string key_text(std::uint64_t key) { return "operation-" + std::to_string(key); }

    recoup::operations operations_;
    std::atomic<std::uint64_t> steps_{0};
    std::atomic<std::uint64_t> next_{1};
    recoup::defined_operation<std::uint64_t(std::uint64_t)> defined_;
};

}  // namespace bench
