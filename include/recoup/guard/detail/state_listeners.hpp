// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/guard/circuit_breaker_options.hpp>

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace recoup::inline v1 {

/// A change of a circuit breaker's state.
struct breaker_change {
    breaker_state from{};
    breaker_state to{};

    friend bool operator==(breaker_change const&, breaker_change const&) = default;
};

}  // namespace recoup::inline v1

namespace recoup::inline v1::detail {

/// Tells listeners of changes: one at a time, in the order of the changes, outside the lock that
/// orders them. A listener may change the state itself: that is told after it has returned.
class state_listeners {
  public:
    using listener = std::function<void(breaker_change const&)>;

    /// Pre: the lock is held.
    void add(std::shared_ptr<listener const> one) { listeners_.push_back(std::move(one)); }

    /// Pre: `lock` is held. Effects: it is released while a listener runs, and held at the end.
    void announce(std::unique_lock<std::mutex>& lock, breaker_change change) noexcept {
        if (listeners_.empty() || change.from == change.to) return;
        push(change);
        if (telling_) return;  // the one who is telling goes on with this
        telling_ = true;
        while (count_ != 0) {
            auto const next = waiting_[first_];
            first_ = (first_ + 1) % waiting_.size();
            --count_;
            for (std::size_t i = 0; i < listeners_.size(); ++i) {
                auto const one = listeners_[i];
                lock.unlock();
                tell(*one, next);
                lock.lock();
            }
        }
        telling_ = false;
    }

  private:
    static void tell(listener const& one, breaker_change const& change) noexcept {
        try {
            one(change);
        } catch (...) {
            // A listener that throws harms nobody; there is nobody to tell.
        }
    }

    void push(breaker_change change) noexcept {
        if (count_ == waiting_.size()) {
            // A listener is too slow for all this: it sees the last change and skips those between.
            waiting_[(first_ + count_ - 1) % waiting_.size()].to = change.to;
            return;
        }
        waiting_[(first_ + count_) % waiting_.size()] = change;
        ++count_;
    }

    std::vector<std::shared_ptr<listener const>> listeners_;
    std::array<breaker_change, 16> waiting_{};
    std::size_t first_ = 0;
    std::size_t count_ = 0;
    bool telling_ = false;
};

}  // namespace recoup::inline v1::detail
