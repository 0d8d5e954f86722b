// SPDX-License-Identifier: BSL-1.0
#pragma once

// What the tests of a write_behind have in common: a store that does as it is told.

#include <recoup/store/memory_store.hpp>
#include <recoup/store/write_behind.hpp>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <initializer_list>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace recoup_test::behind {

using namespace std::chrono_literals;
using recoup::memory_store;
using recoup::operation_record;
using recoup::record;
using recoup::store_errc;
using recoup::write_behind;
using recoup::write_behind_options;
using recoup::write_loss;

/// A memory store that fails as told, can be held up, and can be waited for.
class probe_store : public memory_store {
  public:
    recoup::result<std::uint64_t> save(record const& what, recoup::duration at_most) {
        if (auto const why = enter_call()) return recoup::failure{*why};
        return memory_store::save(what, at_most);
    }
    recoup::result<void> erase(recoup::operation_ref id, std::uint64_t revision,
                               recoup::duration at_most) {
        if (auto const why = enter_call()) return recoup::failure{*why};
        return memory_store::erase(id, revision, at_most);
    }
    recoup::result<recoup::write_receipt> write(recoup::operation_write const& what,
                                                recoup::duration at_most) {
        if (auto const why = enter_call()) return recoup::failure{*why};
        return memory_store::write(what, at_most);
    }

    void fail_next(std::initializer_list<store_errc> errors) {
        std::lock_guard const lock{mutex_};
        errors_.assign(errors);
    }
    void fail_always(store_errc error) {
        std::lock_guard const lock{mutex_};
        always_ = error;
    }
    void heal() {
        std::lock_guard const lock{mutex_};
        always_.reset();
    }
    void hold(bool held) {
        std::lock_guard const lock{mutex_};
        held_ = held;
        changed_.notify_all();
    }
    /// While calls are held: those of it up to this number go on.
    void let(unsigned count) {
        std::lock_guard const lock{mutex_};
        let_ = count;
        changed_.notify_all();
    }
    void await_calls(unsigned count) {
        std::unique_lock lock{mutex_};
        changed_.wait(lock, [&] { return calls_ >= count; });
    }
    unsigned calls() {
        std::lock_guard const lock{mutex_};
        return calls_;
    }

  private:
    std::optional<store_errc> enter_call() {
        std::unique_lock lock{mutex_};
        auto const mine = ++calls_;
        changed_.notify_all();
        changed_.wait(lock, [&] { return !held_ || mine <= let_; });
        if (always_) return always_;
        if (errors_.empty()) return std::nullopt;
        auto const first = errors_.front();
        errors_.pop_front();
        return first;
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<store_errc> errors_;
    std::optional<store_errc> always_;
    bool held_ = false;
    unsigned let_ = 0;
    unsigned calls_ = 0;
};

/// Waits for what another thread does, at most half a minute; whether it has come.
template <class Condition>
bool eventually(Condition const& holds) {
    for (auto const until = std::chrono::steady_clock::now() + 30s; !holds();
         std::this_thread::yield())
        if (std::chrono::steady_clock::now() > until) return false;
    return true;
}

/// Collects what `on_loss` tells.
struct losses {
    void operator()(write_loss const& one) {
        std::lock_guard const lock{mutex};
        all.push_back(one);
    }
    std::vector<write_loss> seen() {
        std::lock_guard const lock{mutex};
        return all;
    }
    std::mutex mutex{};
    std::vector<write_loss> all{};
};

inline record some(std::string key, std::uint64_t fingerprint = 1) {
    record what;
    what.id = {"", "download", std::move(key)};
    what.fingerprint = fingerprint;
    return what;
}

inline write_behind_options slow(losses* lost = nullptr) {
    write_behind_options options{.window = 1h};
    if (lost != nullptr) options.on_loss = [lost](write_loss const& one) { (*lost)(one); };
    return options;
}

/// An operation that `owner` has begun.
template <class Behind>
operation_record begun(Behind& behind, std::uint64_t owner, std::string key = "a") {
    operation_record head;
    head.id = {"", "install", std::move(key)};
    return behind.start(head, owner).value().record;
}

template <class Store>
std::uint64_t stored(Store& store, std::string key) {
    auto const loaded = store.load(some(std::move(key)).id, recoup::unlimited).value();
    return loaded ? loaded->fingerprint : 0;
}

template <class Inner>
struct on_a_store {
    template <class... Arguments>
    explicit on_a_store(Arguments&&... arguments) : inner{std::forward<Arguments>(arguments)...} {}
    Inner inner;
    write_behind<Inner> behind{inner, {.window = 2ms, .record_bytes_max = 1U << 20U}};
};

}  // namespace recoup_test::behind
