// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/guard/cache_options.hpp>
#include <recoup/guard/detail/cache_key.hpp>
#include <recoup/guard/detail/cache_table.hpp>
#include <recoup/guard/detail/cached_call.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace recoup::inline v1 {

template <class Cache, class KeyOf>
class keyed_cache;

/// Returns recent results again, and makes one call of those that ask for the same at the same time: the first
/// calls, the others wait for its result. For plain calls and for coroutines, which suspend while they wait.
///
/// It stands outside of all but fallbacks: a result from the cache takes no permit of a guard, no attempt, no
/// record and no time of the deadline, and what a fallback gives is not kept. `retry_if` is asked before a value is
/// kept. Observers see `served_from_cache`; a call that waits is told of as `operation_joined` first.
///
/// The key is the call's argument, if there is one of the type `Key`, or all of them, if `Key` is a `std::tuple` of
/// their types; else what the function given to `by` makes of them. All wrappers that name a cache share its keys.
/// `T` is the value of the wrapper's `recoup::result<T>`; values of up to 64 bytes that are trivially copyable are
/// copied out of the table, others are copied from one that is shared: return a `std::shared_ptr<T const>` of what
/// is large.
///
/// Successes are kept for `time_to_live`; failures of the callable, not of guards, for `failures_for`. After its
/// time a success stands in for a failure for `stale_if_error` more (as in RFC 5861; observers see `served_stale`),
/// but not where the call was cancelled or the answer is a no: permissions, `invalid_input`, `not_found`. With
/// `failures_for` it is returned for so long without another call. The time is that of the call's clock, on its
/// coarse hand: a result may live some milliseconds longer or shorter. Who comes in excess of `capacity` takes the place of
/// the least recently used; from 1024 on the table has 16 parts, each with its share and its own order.
///
/// Who waits does so within its own deadline, stop token and cancellation, and then gives up alone. The result is
/// given to all who wait, a failure as well; but where the one who calls was cancelled, or its deadline has passed,
/// the next of those who wait calls instead, with what is left of its deadline. A plain call does not wait for
/// itself: within a call of the same key on the same thread it is made as if there were no cache. Nobody can tell
/// that of a coroutine, or of two threads that wait for each other's keys: they go on after `wait_at_most`. A plain
/// call does not wait for a coroutine.
///
/// Give it as an lvalue, which must outlive the wrappers, or as a `std::shared_ptr`.
/// Thread safety: all members may be called concurrently. There is one lock for each part of the table, in which
/// nothing is waited for; keys are hashed outside, and copied and compared within.
/// Example: `cache<std::string, page> pages{{.capacity = 1'000, .time_to_live = 5min}};`
template <class Key, class T>
class cache {
    static_assert(std::is_same_v<Key, std::decay_t<Key>> && std::is_copy_constructible_v<Key>,
                  "recoup: the key of a cache is kept: it is a type that can be copied, and no "
                  "reference");
    static_assert(detail::hashable_key<Key>,
                  "recoup: the key of a cache has == and a std::hash, or is a std::tuple of such: "
                  "make a text or a number of it with cache.by(f)");
    static_assert(std::is_object_v<T> && std::is_copy_constructible_v<T>,
                  "recoup: a cache gives its results to many callers, and this type cannot be "
                  "copied: return a std::shared_ptr<T const>");

  public:
    using is_cache = void;
    using key_type = Key;
    using value_type = T;
    template <class Operation>
    using call = detail::cached_call<cache, Operation>;

    /// What it has done, and holds.
    struct counters {
        std::uint64_t hits = 0;       ///< results that were returned again
        std::uint64_t misses = 0;     ///< calls that were made
        std::uint64_t coalesced = 0;  ///< calls that waited for one of these
        std::uint64_t stale = 0;      ///< results that stood in for a failure
        std::uint64_t evicted = 0;    ///< results that made room for others
        std::size_t size = 0;         ///< results that it holds, those among them that have expired
    };

    /// Throws: std::invalid_argument that names the option that is wrong; std::bad_alloc.
    explicit cache(cache_options const& options = {}) : table_{options} {}
    cache(cache const&) = delete;
    cache& operator=(cache const&) = delete;

    /// This cache for a wrapper whose keys `key_of` makes of the arguments: a `Key`, or what converts to it.
    /// Example: `with_recovery(fetch, pages.by([](request const& asked) { return asked.path; }))`.
    template <class KeyOf>
    [[nodiscard]] keyed_cache<cache, std::decay_t<KeyOf>> by(KeyOf&& key_of) {
        // A shared pointer that owns nothing: one type serves both ways of giving a cache.
        return {std::shared_ptr<cache>{std::shared_ptr<void>{}, this}, std::forward<KeyOf>(key_of)};
    }

    /// Forgets the result of a key. A call of it that runs hands its result to those who wait for it already, and
    /// to nobody else: the next call is made anew.
    ///
    /// Returns: whether there was one.
    bool invalidate(detail::key_view<Key> key) {
        return table_.invalidate(key, detail::key_hash(key));
    }

    /// The same for all keys.
    void clear() noexcept { table_.clear(); }

    [[nodiscard]] std::size_t size() const noexcept { return snapshot().size; }

    [[nodiscard]] counters snapshot() const noexcept {
        auto sum = counters{};
        table_.each_part([&](auto const& part, std::size_t, auto&) {
            sum.hits += part.hits;
            sum.misses += part.misses;
            sum.coalesced += part.coalesced;
            sum.stale += part.stale;
            sum.evicted += part.evicted;
            sum.size += part.size();
        });
        return sum;
    }

    /// Goes on with other options. What is kept keeps the time that it was given; where there is less room the
    /// least recently used leave at once. A table with parts keeps them.
    ///
    /// Throws: std::invalid_argument that names the option that is wrong.
    void change(cache_options const& to) {
        check_change(to);
        table_.change(to);
    }

    /// Throws: what `change` would throw; nothing is changed.
    void check_change(cache_options const& to) const {
        if (detail::checked(to).capacity < table_.parts())
            throw std::invalid_argument{"recoup: cache: capacity is " +
                                        std::to_string(to.capacity) + ", expected at least " +
                                        std::to_string(table_.parts()) +
                                        ", one for each part of the table"};
    }

    /// What it was made with, or changed to.
    [[nodiscard]] cache_options options() const noexcept { return table_.options(); }

    // ---- for the engine

    template <class... Args>
    [[nodiscard]] static decltype(auto) key_of(Args const&... arguments) {
        return detail::key_of_arguments<Key>(arguments...);
    }
    [[nodiscard]] detail::cache_table<Key, T>& table() const noexcept { return table_; }

  private:
    mutable detail::cache_table<Key, T> table_;
};

/// A cache together with what makes its keys. Made by `cache::by` and `by`.
template <class Cache, class KeyOf>
class keyed_cache {
  public:
    using is_cache = void;
    using key_type = typename Cache::key_type;
    using value_type = typename Cache::value_type;
    template <class Operation>
    using call = detail::cached_call<keyed_cache, Operation>;

    keyed_cache(std::shared_ptr<Cache> of, KeyOf key_of)
        : cache_{std::move(of)}, key_of_{std::move(key_of)} {}

    [[nodiscard]] cache_options options() const noexcept { return cache_->options(); }

    // ---- for the engine

    template <class... Args>
    [[nodiscard]] decltype(auto) key_of(Args const&... arguments) const {
        static_assert(std::is_invocable_v<KeyOf const&, Args const&...>,
                      "recoup: the function given to cache.by cannot be called with the arguments "
                      "of the call, as constants");
        if constexpr (std::is_invocable_v<KeyOf const&, Args const&...>) {
            static_assert(
                std::is_convertible_v<std::invoke_result_t<KeyOf const&, Args const&...>, key_type>,
                "recoup: the function given to cache.by makes no key of this cache");
            return key_of_(arguments...);
        }
    }
    [[nodiscard]] auto& table() const noexcept { return cache_->table(); }

  private:
    std::shared_ptr<Cache> cache_;
    KeyOf key_of_;
};

/// The same as `cache::by`, of a cache that the wrapper and its copies own together.
template <class Key, class T, class KeyOf>
[[nodiscard]] keyed_cache<cache<Key, T>, std::decay_t<KeyOf>> by(std::shared_ptr<cache<Key, T>> of,
                                                                 KeyOf&& key_of) {
    return {std::move(of), std::forward<KeyOf>(key_of)};
}

}  // namespace recoup::inline v1
