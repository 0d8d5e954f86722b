// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/category.hpp>
#include <recoup/core/clock.hpp>
#include <recoup/core/failure.hpp>
#include <recoup/core/result.hpp>
#include <recoup/core/stop_reason.hpp>
#include <recoup/core/time.hpp>
#include <recoup/guard/cache_options.hpp>
#include <recoup/guard/detail/cache_key.hpp>
#include <recoup/guard/detail/cache_shard.hpp>
#include <recoup/guard/detail/live.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>

namespace recoup::inline v1::detail {

/// An answer that says no: nothing that has expired stands in for it.
inline constexpr category_set answers_no{category::cancelled,      category::permission,
                                         category::api_permission, category::authentication,
                                         category::invalid_input,  category::not_found};

/// Whether a call ended for a reason of its own, that says nothing to others who wait for its result.
constexpr bool ended_for_itself(failure const& what) noexcept {
    return what.stopped() == stop_reason::cancelled || what.stopped() == stop_reason::deadline ||
           what.category() == category::cancelled;
}

/// Whether the callable gave the failure, and no policy before it was called.
constexpr bool is_answer(failure const& what) noexcept {
    switch (what.stopped()) {
        case stop_reason::attempts_exhausted:
        case stop_reason::not_retryable:
        case stop_reason::retried_within: return what.attempts() != 0;
        default: return false;
    }
}

/// The results of a cache, and the calls that make them.
///
/// Thread safety: all members may be called concurrently. Each takes the lock of one part of the table; copying,
/// comparing and hashing keys happens in there, copying and destroying values that are no mere bytes does not.
template <class Key, class T>
class cache_table {
    using shard = cache_shard<Key, T>;
    using node = typename shard::node;
    using dead = typename shard::dead;
    using kept = kept_t<T>;

  public:
    class visit;

    static constexpr std::size_t parts_max = 16;
    /// From this capacity on a table has parts: below, all results share one order of use.
    static constexpr std::size_t parted_from = 1'024;

    explicit cache_table(cache_options const& options)
        : parts_{checked(options).capacity < parted_from ? 1 : parts_max}, options_{options} {}

    [[nodiscard]] cache_options options() const noexcept { return options_.get(); }
    [[nodiscard]] std::size_t parts() const noexcept { return parts_; }

    void change(cache_options const& to) {
        std::lock_guard const one_at_a_time{changing_};
        options_.set(to);
        each_part([&](shard& part, std::size_t index, dead& none) {
            part.shrink(capacity_of(to, index), none);
        });
    }

    /// Looks for a result that is to be returned again.
    template <clock Clock>
    [[nodiscard]] std::optional<kept> find(key_view<Key> key, std::size_t hash, Clock& time) {
        auto& part = part_of(hash);
        std::lock_guard const lock{part.mutex};
        auto* const found = part.find(key, hash);
        if (!found || !is_fresh(*found, time)) return std::nullopt;
        return use(part, *found);
    }

    bool invalidate(key_view<Key> key, std::size_t hash) {
        auto gone = dead{};
        auto& part = part_of(hash);
        std::lock_guard const lock{part.mutex};
        auto* const found = part.find(key, hash);
        if (found) part.remove(*found, gone);
        return found != nullptr;
    }

    void clear() noexcept {
        each_part([](shard& part, std::size_t, dead& none) { part.clear(none); });
    }

    /// Calls `look(part, index, dead nodes)` for each part, in its lock.
    template <class Look>
    void each_part(Look look) const {
        for (std::size_t index = 0; index != parts_; ++index) {
            auto none = dead{};
            std::lock_guard const lock{shards_[index].shard.mutex};
            look(shards_[index].shard, index, none);
        }
    }

  private:
    struct alignas(64) padded {
        cache_shard<Key, T> shard{};
    };

    // The bucket comes from the lower bits.
    [[nodiscard]] std::size_t index_of(std::size_t hash) const noexcept {
        return parts_ == 1 ? 0 : hash >> (std::numeric_limits<std::size_t>::digits - 4);
    }
    static_assert(parts_max == 16);
    shard& part_of(std::size_t hash) noexcept { return shards_[index_of(hash)].shard; }

    [[nodiscard]] std::size_t capacity_of(cache_options const& options,
                                          std::size_t index) const noexcept {
        return options.capacity / parts_ + (index < options.capacity % parts_ ? 1 : 0);
    }

    template <class Clock>
    static bool is_fresh(node const& one, Clock& time) noexcept {
        return one.value &&
               (one.fresh_until == steady_time::max() || time.coarse_now() < one.fresh_until);
    }
    static kept use(shard& part, node& one) {
        ++part.hits;
        part.touch(one);
        return *one.value;
    }

    std::size_t const parts_;
    live<cache_options> options_;
    std::mutex changing_{};
    mutable std::array<padded, parts_max> shards_{};
};

/// The way of one call that has found nothing: it runs and hands its result to others, or waits for one that
/// does, or neither.
///
/// Thread safety: none; it belongs to its call.
template <class Key, class T>
class cache_table<Key, T>::visit {
  public:
    explicit visit(cache_table& of) noexcept : table_{of} {}
    visit(visit const&) = delete;
    visit& operator=(visit const&) = delete;
    /// A call that ends without a result leaves its place to one who waits.
    ~visit() {
        if (!node_) return;
        auto gone = dead{};
        auto& part = table_.part_of(hash_);
        std::lock_guard const lock{part.mutex};
        if (place_ && !place_->admitted())
            node_->line.leave(*place_);
        else if (!place_ || !place_->given)
            hand_on(part, gone);
        place_.reset();
    }

    /// Takes the place of the one who runs, or joins those who wait for it.
    ///
    /// `runner`: the thread, where it is to wait on that; null: it suspends. Who would wait for itself does
    /// neither, nor does a thread for a coroutine, which may be one of its own.
    /// Throws: std::bad_alloc; what copying, comparing and hashing a key does. It is no part of anything then.
    template <clock Clock>
    void enter(key_view<Key> key, std::size_t hash, Clock& time, void const* runner,
               std::stop_token const& stop) {
        auto& part = table_.part_of(hash);
        auto const waits = table_.options().wait_at_most > duration{};
        hash_ = hash;
        std::lock_guard const lock{part.mutex};
        auto* found = part.find(key, hash);
        if (found && is_fresh(*found, time)) {
            served_.emplace(use(part, *found));
            return;
        }
        if (found && found->runs) {
            auto const may_wait = !runner || (found->runner && found->runner != runner);
            if (!waits || !may_wait) return;
            place_.emplace(stop, runner);
            found->line.join(*place_);
            ++part.coalesced;
        } else {
            if (!found) found = &part.add(key, hash);
            part.begin(*found, runner);
            ++part.misses;
        }
        node_ = found;
    }

    [[nodiscard]] bool waits() const noexcept { return place_.has_value(); }
    /// What is requested to stop once the wait is over.
    [[nodiscard]] std::stop_token wake() const noexcept { return place_->wake(); }
    [[nodiscard]] duration wait_at_most() const noexcept { return table_.options().wait_at_most; }

    /// The wait is over, whatever ended it: now there is a result, or it runs itself, or it has left.
    void woken() noexcept {
        {
            auto& part = table_.part_of(hash_);
            std::lock_guard const lock{part.mutex};
            if (!place_->admitted()) {
                node_->line.leave(*place_);
                node_ = nullptr;
            } else if (place_->given) {
                served_ = std::move(place_->given);
                node_ = nullptr;
            } else {
                ++part.misses;
            }
        }
        place_.reset();
    }

    /// Whether others may wait for it.
    [[nodiscard]] bool runs() const noexcept { return node_ != nullptr; }
    /// What was found, or given by another call; null: nothing.
    [[nodiscard]] result<T> const* served() const noexcept {
        return served_ ? &kept_result<T>::open(*served_) : nullptr;
    }

    /// It is made beside another one, or without memory for a place in the table.
    void note_made_alone() noexcept {
        auto& part = table_.part_of(hash_);
        std::lock_guard const lock{part.mutex};
        ++part.misses;
    }

    /// Hands the result of this call to those who wait, and keeps it. Pre: `runs`.
    ///
    /// Effects: where a result that has expired stands in for a failure, `served` gives that from now on.
    template <clock Clock>
    void publish(result<T> const& outcome, Clock& time) {
        auto const options = table_.options();
        auto made = std::optional<kept>{};
        try {
            made.emplace(kept_result<T>::keep(outcome));
        } catch (...) {}  // a value that cannot be copied now: who waits makes its own
        auto const now = time.coarse_now();
        auto const* const failed = outcome.has_value() ? nullptr : &outcome.assume_error();
        auto before = std::optional<kept>{};  // as `gone`: destroyed behind the lock
        auto gone = dead{};
        auto& part = table_.part_of(hash_);
        std::lock_guard const lock{part.mutex};
        if (failed && stands_in(*node_, *failed, now)) {
            served_.emplace(*node_->value);
            ++part.stale;
            if (is_answer(*failed))
                node_->fresh_until =
                    std::min(saturating_add(now, options.failures_for), node_->stale_until);
        }
        auto const& given = served_ ? served_ : made;
        if (!given || (failed && ended_for_itself(*failed))) return hand_on(part, gone);
        while (auto* const one = node_->first_waiter()) {
            one->given.emplace(*given);
            node_->line.admit_first();
        }
        if (!served_) {
            before = std::exchange(node_->value, std::nullopt);
            keep(*node_, made, failed, options, now);
        }
        leave(part, gone);
    }

  private:
    using waiter = typename node::waiter;

    static bool stands_in(node const& one, failure const& what, steady_time now) noexcept {
        return one.in_table && one.value && kept_result<T>::open(*one.value).has_value() &&
               now < one.stale_until && what.stopped() != stop_reason::cancelled &&
               !answers_no.contains(what.category());
    }

    /// Keeps a result for later calls, if it is one for them. A node that was invalidated meanwhile takes it along.
    static void keep(node& one, std::optional<kept>& made, failure const* failed,
                     cache_options const& options, steady_time now) noexcept {
        auto const after = [](steady_time from, duration span) {
            return span == unlimited ? steady_time::max() : saturating_add(from, span);
        };
        auto const longer = failed ? duration{} : options.stale_if_error;
        one.fresh_until = after(now, failed ? options.failures_for : options.time_to_live);
        one.stale_until = after(one.fresh_until, longer);
        if (one.stale_until > now && (!failed || is_answer(*failed))) one.value = std::move(made);
    }

    void hand_on(shard& part, dead& gone) noexcept {
        if (auto* const next = node_->first_waiter()) {
            node_->runner = next->runner;
            node_->line.admit_first();
            node_ = nullptr;
        } else {
            leave(part, gone);
        }
    }
    void leave(shard& part, dead& gone) noexcept {
        part.end(*node_, table_.capacity_of(table_.options(), table_.index_of(hash_)), gone);
        node_ = nullptr;
    }

    cache_table& table_;
    node* node_ = nullptr;  ///< while it waits, or runs
    std::size_t hash_ = 0;
    std::optional<waiter> place_{};  ///< while it waits
    std::optional<kept> served_{};
};

}  // namespace recoup::inline v1::detail
