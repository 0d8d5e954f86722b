// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/result.hpp>
#include <recoup/core/time.hpp>
#include <recoup/guard/detail/cache_key.hpp>
#include <recoup/guard/detail/waiting_line.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// Values up to this size that are mere bytes are copied while a lock is held; others are shared, and copied by
/// each caller for itself.
inline constexpr std::size_t cached_in_place_max = 64;

/// A result as a cache keeps it.
template <class T>
struct kept_result {
    static constexpr bool in_place =
        std::is_trivially_copyable_v<T> && sizeof(T) <= cached_in_place_max;
    using type = std::conditional_t<in_place, result<T>, std::shared_ptr<result<T> const>>;

    static type keep(result<T> const& what) {
        if constexpr (in_place)
            return what;
        else
            return std::make_shared<result<T> const>(what);
    }
    static result<T> const& open(type const& kept) noexcept {
        if constexpr (in_place)
            return kept;
        else
            return *kept;
    }
};
template <class T>
using kept_t = typename kept_result<T>::type;

/// What a cache knows of one key: its last result, and the call that makes another one.
///
/// It is in the table of its shard until it is evicted or invalidated. One that runs outlives that until it ends.
/// In the table it has a value, or runs; in the order of use it is where it has a value and does not run.
template <class Key, class T>
struct cache_node {
    cache_node(key_view<Key> of, std::size_t with) : key(of), hash{with} {}

    /// One who waits for the result, and gets it, or the call's place.
    struct waiter : waiting_line::place {
        waiter(std::stop_token const& stop, void const* on) : place{stop}, runner{on} {}
        void const* runner;
        std::optional<kept_t<T>> given{};
    };

    Key const key;
    std::size_t const hash;
    cache_node* next = nullptr;  ///< in its bucket, or among the dead
    cache_node* newer = nullptr;
    cache_node* older = nullptr;
    std::optional<kept_t<T>> value{};
    steady_time fresh_until{};
    steady_time stale_until{};
    bool in_table = true;
    bool runs = false;
    void const* runner = nullptr;  ///< the thread that runs it; null: a coroutine
    waiting_line line{};

    [[nodiscard]] waiter* first_waiter() const noexcept {
        return static_cast<waiter*>(line.first());
    }
};

/// Nodes that nobody has any more. They are destroyed at its end, behind the lock: what a user's value does
/// there is the user's business.
template <class Node>
class dead_nodes {
  public:
    dead_nodes() noexcept = default;
    dead_nodes(dead_nodes const&) = delete;
    dead_nodes& operator=(dead_nodes const&) = delete;
    ~dead_nodes() {
        while (first_) delete std::exchange(first_, first_->next);
    }
    void add(Node& one) noexcept { one.next = std::exchange(first_, &one); }

  private:
    Node* first_ = nullptr;
};

/// A part of a cache: a hash table of nodes, and the order in which they were used.
///
/// Thread safety: none but `mutex`, which callers hold.
template <class Key, class T>
class cache_shard {
  public:
    using node = cache_node<Key, T>;
    using dead = dead_nodes<node>;

    cache_shard() : buckets_(buckets_min) {}
    cache_shard(cache_shard const&) = delete;
    cache_shard& operator=(cache_shard const&) = delete;
    ~cache_shard() {
        for (auto* one : buckets_)
            while (one) delete std::exchange(one, one->next);
    }

    std::mutex mutex{};
    std::uint64_t hits = 0;
    std::uint64_t misses = 0;
    std::uint64_t coalesced = 0;
    std::uint64_t stale = 0;
    std::uint64_t evicted = 0;

    /// How many results it holds that others are counted against.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    [[nodiscard]] node* find(key_view<Key> key, std::size_t hash) const {
        for (auto* one = buckets_[hash & (buckets_.size() - 1)]; one; one = one->next)
            if (one->hash == hash && one->key == key) return one;
        return nullptr;
    }

    /// Pre: there is none for that key. Throws: std::bad_alloc, or what copying a key does.
    node& add(key_view<Key> key, std::size_t hash) {
        auto made = std::make_unique<node>(key, hash);
        grow();
        auto& bucket = bucket_of(hash);
        made->next = bucket;
        bucket = made.get();
        ++nodes_;
        return *made.release();
    }

    /// Nobody finds it any more. Where it runs it is destroyed at its end, else by `into`.
    void remove(node& one, dead& into) noexcept {
        if (one.value && !one.runs) unlink(one);
        auto* at = &bucket_of(one.hash);
        while (*at != &one) at = &(*at)->next;
        *at = one.next;
        one.in_table = false;
        --nodes_;
        if (!one.runs) into.add(one);
    }

    /// It has been used.
    void touch(node& one) noexcept {
        if (one.runs || newest_ == &one) return;
        unlink(one);
        link(one);
    }

    void begin(node& one, void const* runner) noexcept {
        if (one.value) unlink(one);
        one.runs = true;
        one.runner = runner;
    }

    /// Nobody runs it any more. Pre: nobody waits.
    void end(node& one, std::size_t capacity, dead& into) noexcept {
        one.runs = false;
        if (!one.in_table) return into.add(one);
        if (!one.value) return remove(one, into);
        link(one);
        shrink(capacity, into);
    }

    /// The least recently used make room.
    void shrink(std::size_t capacity, dead& into) noexcept {
        while (size_ > capacity) {
            ++evicted;
            remove(*oldest_, into);
        }
    }

    /// All of them.
    void clear(dead& into) noexcept {
        for (auto& bucket : buckets_)
            while (bucket) remove(*bucket, into);
    }

  private:
    static constexpr std::size_t buckets_min = 16;

    node*& bucket_of(std::size_t hash) noexcept { return buckets_[hash & (buckets_.size() - 1)]; }

    void grow() {
        if (nodes_ < buckets_.size()) return;
        auto more = std::vector<node*>(buckets_.size() * 2);
        for (auto* one : buckets_) {
            while (one) {
                auto* const rest = one->next;
                one->next = std::exchange(more[one->hash & (more.size() - 1)], one);
                one = rest;
            }
        }
        buckets_ = std::move(more);
    }

    void link(node& one) noexcept {
        one.newer = nullptr;
        one.older = newest_;
        (newest_ ? newest_->newer : oldest_) = &one;
        newest_ = &one;
        ++size_;
    }
    void unlink(node& one) noexcept {
        (one.newer ? one.newer->older : newest_) = one.older;
        (one.older ? one.older->newer : oldest_) = one.newer;
        --size_;
    }

    std::vector<node*> buckets_;
    node* newest_ = nullptr;
    node* oldest_ = nullptr;
    std::size_t nodes_ = 0;
    std::size_t size_ = 0;
};

}  // namespace recoup::inline v1::detail
