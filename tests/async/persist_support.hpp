// SPDX-License-Identifier: BSL-1.0
#pragma once

// Stores that tell on which threads they are called, and wait where they are told to.

#include "support/gate.hpp"

#include <recoup/store/memory_store.hpp>
#include <recoup/store/persistence_policy.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace async_persist_test {

/// Calls `before` with what it is about to do, on whatever thread that is.
template <class Inner = recoup::memory_store>
class watched_store {
  public:
    template <class... Args>
    explicit watched_store(Args&&... args) : inner{static_cast<Args&&>(args)...} {}

    recoup::result<std::optional<recoup::record>> load(recoup::operation_ref id,
                                                       recoup::duration at_most) {
        note("load");
        return inner.load(id, at_most);
    }
    recoup::result<std::uint64_t> save(recoup::record const& what, recoup::duration at_most) {
        note("save");
        return inner.save(what, at_most);
    }
    recoup::result<void> erase(recoup::operation_ref id, std::uint64_t revision,
                               recoup::duration at_most) {
        note("erase");
        return inner.erase(id, revision, at_most);
    }
    recoup::result<std::vector<recoup::record>> list(recoup::record_filter const& filter) {
        return inner.list(filter);
    }
    recoup::result<std::size_t> clean_up(recoup::system_time now, std::size_t most) {
        return inner.clean_up(now, most);
    }
    [[nodiscard]] recoup::durability durability() const noexcept { return inner.durability(); }

    [[nodiscard]] std::set<std::thread::id> threads() const {
        std::scoped_lock const lock{mutex_};
        return threads_;
    }

    Inner inner;
    std::function<void(std::string const& call)> before{};

  private:
    void note(std::string const& call) {
        {
            std::scoped_lock const lock{mutex_};
            threads_.insert(std::this_thread::get_id());
        }
        if (before) before(call);
    }

    mutable std::mutex mutex_;
    std::set<std::thread::id> threads_{};
};

/// Holds the `at`th call of one kind up until the test has seen it there and lets it go.
class held_call {
  public:
    held_call(std::string kind, int at) : kind_{std::move(kind)}, at_{at} {}
    void operator()(std::string const& call) {
        if (call == kind_ && ++seen_ == at_) gate_.pass();
    }
    void await() { gate_.await_arrived(1); }
    void let_go() { gate_.open(); }

  private:
    std::string kind_;
    int at_;
    std::atomic<int> seen_{0};
    recoup_test::gate gate_{};
};

inline auto const key_is_text = [](auto const& key, auto const&...) { return key; };

/// The one record of a store.
template <class Store>
std::vector<recoup::record> records_of(Store& store) {
    return store.list(recoup::record_filter{}).value();
}

}  // namespace async_persist_test
