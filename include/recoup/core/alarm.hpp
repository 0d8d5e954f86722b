// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/clock.hpp>
#include <recoup/core/time.hpp>

#include <concepts>
#include <cstddef>
#include <optional>
#include <stop_token>
#include <utility>
#include <vector>

namespace recoup::inline v1 {

namespace detail {

class alarm_heap;

}  // namespace detail

/// A stop that is requested when a moment has come: for those who cannot wait for it, since they work.
///
/// It stays where it is made, and whoever set it has the clock forget it before it goes.
class alarm {
  public:
    /// Throws: std::bad_alloc.
    explicit alarm(steady_time when) : when_{when} {}
    alarm(alarm const&) = delete;
    alarm& operator=(alarm const&) = delete;

    [[nodiscard]] steady_time when() const noexcept { return when_; }
    /// What is requested to stop.
    [[nodiscard]] std::stop_source const& source() const noexcept { return source_; }

  private:
    friend class detail::alarm_heap;
    steady_time when_;
    std::stop_source source_{};
    std::size_t place_ = 0;
};

/// A clock that has alarms, as that of the machine has (`detail::alarm_thread`).
///
/// - `set(one)` requests a stop of `one.source()` at `one.when()` or later; at once, where that has been. The
///   clock moves no faster for it: it is no wait.
/// - After `forget(one)` the clock does not look at `one` any more; its stop may be requested at that very
///   moment all the same.
///
/// Both are called without a lock; callbacks of a stop run on the thread that moves the clock.
/// Thread safety: all members may be called concurrently.
template <class C>
concept alarm_clock = clock<C> && requires(C& port, alarm& one) {
    { port.set(one) } -> std::same_as<void>;
    { port.forget(one) } noexcept;
};

namespace detail {

/// The alarms that are set, the earliest first. Thread safety: none.
class alarm_heap {
  public:
    [[nodiscard]] bool empty() const noexcept { return alarms_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return alarms_.size(); }
    /// Pre: there is one.
    [[nodiscard]] steady_time first() const noexcept { return alarms_.front()->when_; }

    /// Throws: std::bad_alloc.
    void add(alarm& one) {
        alarms_.push_back(&one);
        one.place_ = alarms_.size() - 1;
        rise(one.place_);
    }

    /// Does nothing where it is not there.
    void remove(alarm& one) noexcept {
        auto const place = one.place_;
        if (place >= alarms_.size() || alarms_[place] != &one) return;
        put(place, *alarms_.back());
        alarms_.pop_back();
        if (place == alarms_.size()) return;
        sink(place);
        rise(place);
    }

    /// Takes the earliest out where its moment has come. Its stop is then to be requested without a lock, for
    /// that calls others; the source goes on to live where the alarm does not.
    [[nodiscard]] std::optional<std::stop_source> take_due(steady_time now) {
        if (empty() || first() > now) return std::nullopt;
        auto& one = *alarms_.front();
        auto source = one.source_;
        remove(one);
        return source;
    }

    /// Without a look at them: they may be gone.
    void drop_all() noexcept { alarms_.clear(); }

  private:
    void put(std::size_t place, alarm& one) noexcept {
        alarms_[place] = &one;
        one.place_ = place;
    }
    void exchange(std::size_t left, std::size_t right) noexcept {
        auto& other = *alarms_[left];
        put(left, *alarms_[right]);
        put(right, other);
    }
    void rise(std::size_t place) noexcept {
        while (place != 0) {
            auto const above = (place - 1) / 2;
            if (alarms_[above]->when_ <= alarms_[place]->when_) return;
            exchange(above, place);
            place = above;
        }
    }
    void sink(std::size_t place) noexcept {
        while (true) {
            auto next = 2 * place + 1;
            if (next >= alarms_.size()) return;
            if (next + 1 < alarms_.size() && alarms_[next + 1]->when_ < alarms_[next]->when_)
                ++next;
            if (alarms_[place]->when_ <= alarms_[next]->when_) return;
            exchange(place, next);
            place = next;
        }
    }

    std::vector<alarm*> alarms_;
};

}  // namespace detail

}  // namespace recoup::inline v1
