// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace recoup::inline v1::detail {

/// The most versions that there are at a time: the current one, and older ones that are still in use.
inline constexpr std::size_t versions_max = 64;

/// A value that is replaced while others read it. Each version stays as it is for as long as somebody holds a
/// lease of it.
///
/// A version lies in a slot with a count of its leases. To take one is to count oneself in at the current
/// slot, and to look whether it is still the current one: then it was not free at any moment since, for a slot
/// is written only while it is not current and nobody is counted. All of that is sequentially consistent, so
/// that of a reader who counts and then looks, and a writer who makes another slot current and then looks at
/// the count, one at least sees the other. A slot is used again, so that old versions do not add up; where
/// none is free another one is made, up to a bound.
///
/// Thread safety: all members may be called concurrently. A lease takes no lock and allocates nothing, and is
/// tried again only where a version was put in at that very moment.
template <class T>
class versions {
    struct slot {
        std::atomic<std::uint32_t> leases{0};
        std::optional<T> value{};  // written while nobody is counted, by whoever holds the mutex
        std::uint64_t number = 0;
    };

  public:
    class lease {
      public:
        lease(lease&& other) noexcept : slot_{std::exchange(other.slot_, nullptr)} {}
        lease& operator=(lease&& other) noexcept {
            std::swap(slot_, other.slot_);
            return *this;
        }
        ~lease() {
            if (slot_) slot_->leases.fetch_sub(1, std::memory_order_release);
        }
        [[nodiscard]] T const& operator*() const noexcept { return *slot_->value; }
        [[nodiscard]] T const* operator->() const noexcept { return &*slot_->value; }
        /// From 1, in the order in which versions were put in.
        [[nodiscard]] std::uint64_t number() const noexcept { return slot_->number; }

      private:
        friend class versions;
        explicit lease(slot& of) noexcept : slot_{&of} {}
        slot* slot_;
    };

    explicit versions(T first) {
        auto& one = slots_.emplace_back();
        one.value.emplace(std::move(first));
        one.number = 1;
        current_.store(&one);
    }
    versions(versions const&) = delete;
    versions& operator=(versions const&) = delete;

    [[nodiscard]] lease take() noexcept {
        auto* seen = current_.load();
        while (true) {
            seen->leases.fetch_add(1);
            auto* const now = current_.load();
            if (now == seen) [[likely]]
                return lease{*seen};
            seen->leases.fetch_sub(1, std::memory_order_release);
            seen = now;
        }
    }

    /// Returns: the number of the new version.
    /// Throws: std::length_error where `versions_max` are in use; std::bad_alloc; what moving a T throws.
    /// Then the current version stays.
    std::uint64_t put(T next) {
        std::scoped_lock const lock{mutex_};
        auto& free = free_slot();
        free.value.emplace(std::move(next));
        free.number = current_.load()->number + 1;
        current_.store(&free);
        return free.number;
    }

    /// Throws: std::length_error where `versions_max` are in use.
    void check_room() {
        std::scoped_lock const lock{mutex_};
        static_cast<void>(find_free());
    }

    /// How many slots there are.
    [[nodiscard]] std::size_t slots() const {
        std::scoped_lock const lock{mutex_};
        return slots_.size();
    }

  private:
    slot& free_slot() {
        if (auto* const found = find_free()) return *found;
        return slots_.emplace_back();
    }

    /// Returns: null where one can be made.
    slot* find_free() {
        auto* const now = current_.load();
        for (auto& one : slots_)
            if (&one != now && one.leases.load() == 0) return &one;
        if (slots_.size() == versions_max)
            throw std::length_error{"recoup: reloadable: " + std::to_string(versions_max) +
                                    " versions are in use by operations that run"};
        return nullptr;
    }

    std::atomic<slot*> current_{nullptr};
    mutable std::mutex mutex_;  // of those who put versions in
    std::deque<slot> slots_;    // whose members stay where they are
};

/// A policy that is replaced while it is used: `reloadable`.
template <class P>
concept versioned = requires(P const& policy) {
    typename P::version_type;
    typename P::lease_type;
    { policy.lease() } noexcept;
};

/// What one operation sees of a policy: the policy itself.
template <class P>
struct seen_version {
    using type = P;
    [[nodiscard]] static P const& of(P const& policy) noexcept { return policy; }
};

/// One version, from the first moment at which the operation needs it to its end.
template <versioned P>
struct seen_version<P> {
    using type = typename P::version_type;
    [[nodiscard]] type const& of(P const& policy) noexcept {
        if (!lease) lease.emplace(policy.lease());
        return **lease;
    }
    std::optional<typename P::lease_type> lease{};
};

}  // namespace recoup::inline v1::detail
