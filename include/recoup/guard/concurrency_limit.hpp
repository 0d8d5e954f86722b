// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/category.hpp>
#include <recoup/core/clock.hpp>
#include <recoup/core/errc.hpp>
#include <recoup/core/stop_reason.hpp>
#include <recoup/core/time.hpp>
#include <recoup/guard/concurrency_limit_options.hpp>
#include <recoup/guard/detail/limit_estimate.hpp>
#include <recoup/guard/guard.hpp>
#include <recoup/guard/rejection.hpp>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string_view>
#include <utility>

namespace recoup::inline v1 {

/// Finds out how many attempts at a time what is called can bear, and rejects the others at once with
/// `errc::concurrency_limited`: a `bulkhead` whose size nobody needs to know.
///
/// It learns from how long attempts take, and from those that fail of overload. Failures that say nothing
/// of that, such as an invalid input, teach it nothing; nor does an attempt that ends while another one is
/// just being learnt from.
///
/// Give it as an lvalue, which must outlive the wrappers, or as a `std::shared_ptr`.
/// Thread safety: all members may be called concurrently; an attempt meets no lock. It reads the clock twice.
/// Example: `concurrency_limit search{{.initial = 10, .most = 200}};`
class concurrency_limit {
  public:
    class permit;

    static constexpr guard_stage stage = guard_stage::room;
    static constexpr std::string_view label = "concurrency_limit";

    /// What a rejected attempt fails with.
    static constexpr guard_rejection rejection{category::service_unavailable,
                                               errc::concurrency_limited, stop_reason::rejected};

    /// Throws: std::invalid_argument that names the option that is wrong.
    explicit concurrency_limit(concurrency_limit_options const& options = {})
        : options_{detail::checked(options)},
          limit_{options.initial},
          overloaded_{options.overloaded},
          estimate_{options} {}
    concurrency_limit(concurrency_limit const&) = delete;
    concurrency_limit& operator=(concurrency_limit const&) = delete;

    /// Asks for one attempt. A rejection takes nanoseconds, and does not throw.
    template <clock Clock>
    [[nodiscard]] permit try_acquire(Clock& time) noexcept;

    /// Zero: nobody knows when an attempt ends.
    template <clock Clock>
    [[nodiscard]] duration retry_in(Clock& /*time*/) const noexcept {
        return duration{};
    }

    /// How many attempts it admits at present.
    [[nodiscard]] std::uint32_t limit() const noexcept {
        return limit_.load(std::memory_order_relaxed);
    }
    /// How many attempts are running.
    [[nodiscard]] std::uint32_t running() const noexcept {
        return running_.load(std::memory_order_relaxed);
    }

    /// Goes on with other options, while attempts run: from the limit that it has found, within the new bounds;
    /// `initial` is for the beginning alone. Where there is less room, those who run stay. Another algorithm
    /// measures anew how long attempts take with few under way.
    ///
    /// Throws: std::invalid_argument that names the option that is wrong.
    void change(concurrency_limit_options const& to) {
        static_cast<void>(detail::checked(to));
        std::scoped_lock const lock{mutex_};
        options_ = to;
        overloaded_.store(to.overloaded, std::memory_order_relaxed);
        // Arithmetic alone: who learns is soon done.
        while (learning_.exchange(true, std::memory_order_acquire)) std::this_thread::yield();
        limit_.store(estimate_.change(to), std::memory_order_relaxed);
        learning_.store(false, std::memory_order_release);
    }

    /// What it was made with, or changed to.
    [[nodiscard]] concurrency_limit_options options() const {
        std::scoped_lock const lock{mutex_};
        return options_;
    }

  private:
    void leave() noexcept { running_.fetch_sub(1, std::memory_order_relaxed); }

    void learn(detail::limit_sample const& sample) noexcept {
        if (learning_.exchange(true, std::memory_order_acquire)) return;
        limit_.store(estimate_.learn(sample), std::memory_order_relaxed);
        learning_.store(false, std::memory_order_release);
    }

    mutable std::mutex mutex_;  // of those who change it, or ask for all of it
    concurrency_limit_options options_;
    alignas(64) std::atomic<std::uint32_t> running_{0};
    std::atomic<std::uint32_t> limit_;
    std::atomic<category_set> overloaded_;
    alignas(64) std::atomic<bool> learning_{false};
    detail::limit_estimate estimate_;  // whoever has set `learning_`
};

/// The leave for one attempt, false where it was rejected. Its end gives the place back.
///
/// Thread safety: none; it belongs to the thread that runs the attempt.
class [[nodiscard]] concurrency_limit::permit {
  public:
    /// A rejection.
    permit() noexcept = default;
    permit(permit&& other) noexcept
        : limit_{std::exchange(other.limit_, nullptr)},
          running_{other.running_},
          began_{other.began_} {}
    permit& operator=(permit&& other) noexcept {
        std::swap(limit_, other.limit_);
        running_ = other.running_;
        began_ = other.began_;
        return *this;
    }
    ~permit() {
        if (limit_) limit_->leave();
    }

    explicit operator bool() const noexcept { return limit_ != nullptr; }

    template <clock Clock>
    void succeeded(Clock& time) noexcept {
        limit_->learn({began_, time.now(), running_, false});
    }
    template <clock Clock>
    void failed(category what, bool /*operation_over*/, Clock& time) noexcept {
        if (limit_->overloaded_.load(std::memory_order_relaxed).contains(what))
            limit_->learn({began_, time.now(), running_, true});
    }

  private:
    friend class concurrency_limit;
    permit(concurrency_limit& of, std::uint32_t running, steady_time began) noexcept
        : limit_{&of}, running_{running}, began_{began} {}

    concurrency_limit* limit_ = nullptr;
    std::uint32_t running_ = 0;
    steady_time began_{};
};

template <clock Clock>
concurrency_limit::permit concurrency_limit::try_acquire(Clock& time) noexcept {
    auto running = running_.load(std::memory_order_relaxed);
    while (running < limit())
        if (running_.compare_exchange_weak(running, running + 1, std::memory_order_relaxed))
            return permit{*this, running + 1, time.now()};
    return permit{};
}

}  // namespace recoup::inline v1
