// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/classify/error_classifier.hpp>
#include <recoup/core/failed_attempt.hpp>
#include <recoup/core/failure.hpp>
#include <recoup/core/time.hpp>
#include <recoup/detail/versions.hpp>
#include <recoup/guard/abandon_pool_options.hpp>
#include <recoup/guard/attempt_timeout.hpp>
#include <recoup/guard/deadline.hpp>
#include <recoup/retry/not_idempotent.hpp>
#include <recoup/retry/retry_policy.hpp>

#include <atomic>
#include <concepts>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

namespace recoup::inline v1 {

/// A retry policy, or a classifier, that is replaced while calls run: give it to `with_recovery` in the place of
/// one, and `replace` it whenever there is another.
///
/// An operation takes the version that is current when it first needs one, at its first failure or rejection,
/// and goes on with that one, whole, to its end. One that succeeds at once needs none, and looks at nothing.
/// A version lives for as long as an operation goes on with it: there are at most 64 at a time.
///
/// Copies, and the wrappers that it was given to, share it.
/// Thread safety: all members may be called concurrently. To take a version is two atomic operations, without
/// a lock or an allocation; `replace` waits only for others who replace.
/// Example: `recoup::reloadable again{recoup::retry{.max_attempts = 3}};`, later
/// `again.replace(recoup::config::read_text<recoup::retry>(text))`.
template <std::copyable Policy>
    requires retry_policy<Policy> || error_classifier<Policy> || std::same_as<Policy, deadline> ||
             std::same_as<Policy, attempt_timeout> || std::same_as<Policy, abandon_limit> ||
             std::same_as<Policy, not_idempotent>
class reloadable {
  public:
    using version_type = Policy;
    using lease_type = typename detail::versions<Policy>::lease;

    explicit reloadable(Policy first)
        : versions_{std::make_shared<detail::versions<Policy>>(std::move(first))} {}
    // Copied where it would be moved: one without a version could not be used.
    reloadable(reloadable const&) = default;
    reloadable& operator=(reloadable const&) = default;
    ~reloadable() = default;

    /// Makes `next` the current version.
    ///
    /// Returns: its number; they count from 1.
    /// Throws: std::length_error where 64 versions are in use; std::bad_alloc. Then nothing changes.
    std::uint64_t replace(Policy next) { return versions_->put(std::move(next)); }

    /// Throws: std::length_error where `replace` would, at the moment.
    void check_replace() const { versions_->check_room(); }

    /// The current version.
    [[nodiscard]] Policy current() const { return *lease(); }

    /// Its number.
    [[nodiscard]] std::uint64_t version() const noexcept { return lease().number(); }

    /// The current version, which stays as it is for as long as this is held.
    [[nodiscard]] lease_type lease() const noexcept { return versions_->take(); }

    /// Decides by the current version; an operation of `with_recovery` decides by its own.
    [[nodiscard]] verdict decide(failed_attempt const& seen) const noexcept
        requires retry_policy<Policy>
    {
        return lease()->decide(seen);
    }

    /// Classifies by the current version; an operation of `with_recovery` does by its own.
    [[nodiscard]] classification classify(failure const& what) const noexcept
        requires error_classifier<Policy>
    {
        return lease()->classify(what);
    }

  private:
    std::shared_ptr<detail::versions<Policy>> versions_;
};

namespace detail {

/// What `reloadable` is of a policy that consists of one value, which is read whole: no version need be kept.
template <class Policy, auto Member>
class reloadable_value {
    using value_type = std::remove_cvref_t<decltype(std::declval<Policy>().*Member)>;
    static_assert(std::atomic<value_type>::is_always_lock_free);

  public:
    explicit reloadable_value(Policy const& first)
        : value_{std::make_shared<std::atomic<value_type>>(first.*Member)} {}
    // Copied where it would be moved: one without a value could not be used.
    reloadable_value(reloadable_value const&) = default;
    reloadable_value& operator=(reloadable_value const&) = default;
    ~reloadable_value() = default;

    void replace(Policy const& next) noexcept {
        value_->store(next.*Member, std::memory_order_relaxed);
    }
    [[nodiscard]] Policy current() const noexcept {
        return {value_->load(std::memory_order_relaxed)};
    }

  private:
    std::shared_ptr<std::atomic<value_type>> value_;
};

}  // namespace detail

/// A deadline that is replaced while calls run: an operation has the one that is current when it begins.
///
/// Copies, and the wrappers that it was given to, share it.
/// Thread safety: all members may be called concurrently; to read it is one load.
/// Example: `recoup::reloadable within{recoup::deadline{2min}};`, later `within.replace(recoup::deadline{5min})`.
template <>
class reloadable<deadline> : public detail::reloadable_value<deadline, &deadline::total> {
  public:
    using is_deadline = void;
    using reloadable_value::reloadable_value;
};

/// The same of an `attempt_timeout`: an attempt has the one that is current when it begins.
template <>
class reloadable<attempt_timeout>
    : public detail::reloadable_value<attempt_timeout, &attempt_timeout::each> {
  public:
    using is_attempt_timeout = void;
    using reloadable_value::reloadable_value;
};

/// The same of how long an `abandon_after` waits: `abandon_after{limit, pool}`.
template <>
class reloadable<abandon_limit>
    : public detail::reloadable_value<abandon_limit, &abandon_limit::each> {
  public:
    using reloadable_value::reloadable_value;
};

/// The same of what proves that nothing has happened: it is asked for the one that is current when an attempt has
/// failed.
template <>
class reloadable<not_idempotent>
    : public detail::reloadable_value<not_idempotent, &not_idempotent::nothing_happened> {
  public:
    using is_not_idempotent = void;
    using reloadable_value::reloadable_value;

    [[nodiscard]] bool proves_nothing_happened(failure const& what) const noexcept {
        return current().proves_nothing_happened(what);
    }
};

}  // namespace recoup::inline v1
