// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/category.hpp>
#include <recoup/core/clock.hpp>
#include <recoup/core/fingerprint.hpp>
#include <recoup/core/time.hpp>
#include <recoup/guard/circuit_breaker_options.hpp>
#include <recoup/guard/guard.hpp>
#include <recoup/guard/rejection.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace recoup::inline v1 {

/// How many guards a `per_key` keeps.
struct per_key_options {
    std::size_t most =
        1'024;  ///< keys at a time, up to a million; the least used make room for others
};

/// One guard for each key of the calls: a circuit breaker for each host, say, so that one that is down does not
/// stop the calls of the others. Made by `per_key`.
///
/// The memory for all keys is taken at the beginning. Where there are more keys than that, one that is closed
/// and was not used lately makes room; one that comes back later begins anew. Keys are told apart by a hash of
/// 64 bits.
/// Thread safety: all members may be called concurrently; finding a guard takes no lock and allocates nothing.
/// Two threads that meet a new key at the same moment may begin one guard each, of which the first in the
/// table stays; and a call that has just found its guard when that is given to another key counts for that one.
template <class Guard, class KeyOf>
class keyed_guard_table {
    static_assert(
        requires(Guard& one) { one.reset(); },
        "recoup: per_key needs a guard with reset(), to use it for another key");

  public:
    using is_keyed_guard = void;
    using permit = typename Guard::permit;

    static constexpr guard_stage stage = detail::stage_of<Guard>();
    static constexpr guard_rejection rejection = detail::rejection_of<Guard>();
    static constexpr std::string_view label = "per_key";

    /// Throws: what the guard throws for `options`; std::invalid_argument; std::bad_alloc.
    template <class Options>
    keyed_guard_table(Options const& options, KeyOf key_of, per_key_options keys)
        : key_of_{std::move(key_of)} {
        if (keys.most == 0 || keys.most > 1'000'000)
            throw std::invalid_argument{"recoup: per_key: most is " + std::to_string(keys.most) +
                                        ", expected 1 to 1000000"};
        for (std::size_t i = 0; i != keys.most; ++i) places_.emplace_back(options);
    }
    keyed_guard_table(keyed_guard_table const&) = delete;
    keyed_guard_table& operator=(keyed_guard_table const&) = delete;

    /// The guard of the key that a call with these arguments has.
    template <class... Args>
    [[nodiscard]] Guard& guard_for(Args const&... arguments) noexcept(
        noexcept(std::declval<KeyOf const&>()(arguments...))) {
        return at(detail::fingerprint_of(key_of_(arguments...)));
    }

    /// How many keys it holds.
    [[nodiscard]] std::size_t size() const noexcept {
        std::size_t count = 0;
        for (auto const& one : places_)
            if (one.key.load(std::memory_order_relaxed) > busy) ++count;
        return count;
    }

  private:
    static constexpr std::uint64_t nobody = 0;
    static constexpr std::uint64_t busy = 1;
    static constexpr std::size_t looked_at = 8;  ///< places that a key can be at

    struct place {
        explicit place(auto const& options) : guard{options} {}
        std::atomic<std::uint64_t> key{nobody};
        std::atomic<bool> used{false};
        Guard guard;
    };

    Guard& at(std::uint64_t hash) noexcept {
        if (hash <= busy) hash += 2;
        while (true) {
            for (std::size_t i = 0; i != looked_at; ++i) {
                auto& one = place_of(hash, i);
                if (one.key.load(std::memory_order_acquire) != hash) continue;
                if (!one.used.load(std::memory_order_relaxed))
                    one.used.store(true, std::memory_order_relaxed);
                return one.guard;
            }
            if (auto* const made = begin(hash)) return made->guard;
        }
    }

    /// Takes a place for a key that has none. Null where somebody else has just taken that.
    [[gnu::cold, gnu::noinline]] place* begin(std::uint64_t hash) noexcept {
        place* chosen = nullptr;
        auto best = 4;
        for (std::size_t i = 0; i != looked_at; ++i) {
            auto& one = place_of(hash, i);
            auto const key = one.key.load(std::memory_order_acquire);
            if (key == busy) continue;
            auto const cost =
                key == nobody ? 0 : (one.used.load() ? 1 : 0) + (idle(one.guard) ? 1 : 2);
            if (cost >= best) continue;
            best = cost;
            chosen = &one;
        }
        if (!chosen) return nullptr;
        auto before = chosen->key.load(std::memory_order_acquire);
        if (before == busy || !chosen->key.compare_exchange_strong(before, busy)) return nullptr;
        chosen->guard.reset();
        chosen->used.store(true, std::memory_order_relaxed);
        chosen->key.store(hash, std::memory_order_release);
        // A second chance for those that were passed over this time, and no third.
        for (std::size_t i = 0; i != looked_at; ++i)
            if (auto& one = place_of(hash, i); &one != chosen) one.used.store(false);
        return chosen;
    }

    static bool idle(Guard const& one) noexcept {
        if constexpr (requires { one.state() == breaker_state::closed; })
            return one.state() == breaker_state::closed;
        else
            return true;
    }

    place& place_of(std::uint64_t hash, std::size_t step) noexcept {
        return places_[(hash + step) % places_.size()];
    }

    KeyOf const key_of_;
    std::deque<place> places_;
};

/// A guard for each key: `key_of` makes a text or an integer of the call's arguments.
///
/// Give it as an lvalue, which must outlive the wrappers, or as a `std::shared_ptr`.
/// Example: `auto per_host = recoup::per_key<circuit_breaker>(circuit_breaker_options{}, host_of_url);`
template <class Guard, class Options, class KeyOf>
[[nodiscard]] auto per_key(Options const& options, KeyOf key_of, per_key_options keys = {}) {
    return keyed_guard_table<Guard, KeyOf>{options, std::move(key_of), keys};
}

}  // namespace recoup::inline v1
