// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/callable.hpp>
#include <recoup/core/errc.hpp>
#include <recoup/core/failure.hpp>
#include <recoup/core/result.hpp>
#include <recoup/core/returns.hpp>
#include <recoup/detail/fault_script.hpp>
#include <recoup/detail/guarded_call.hpp>
#include <recoup/testing/fault_plan.hpp>
#include <recoup/validation/options.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <system_error>
#include <type_traits>
#include <utility>

namespace recoup::inline v1::validation::detail {

/// Decides what becomes of each attempt, and counts them.
class faults {
  public:
    /// `rate`: of the attempts that fail and may be cured.
    faults(options const& given, double rate)
        : given_{given}, plan_{testing::fault_plan::random({.rate = rate, .seed = given.seed})} {}
    faults(faults const&) = delete;
    faults& operator=(faults const&) = delete;

    /// Begins with another operation, every attempt of which may fail for good.
    ///
    /// Returns: whether it does.
    bool begin_operation() noexcept {
        // Another sequence than that of the attempts, so that the two have nothing to do with one another.
        permanent_ =
            recoup::detail::share_of_attempt(~given_.seed, operation_++) < given_.permanent_rate;
        return permanent_;
    }

    /// Throws: what the fault throws.
    [[nodiscard]] result<void> next() {
        calls_.fetch_add(1, std::memory_order_relaxed);
        if (permanent_) return permanent();
        if (plan_.next()) return success();
        return transient();
    }

    /// Attempts so far.
    [[nodiscard]] std::uint64_t calls() const noexcept {
        return calls_.load(std::memory_order_relaxed);
    }

    /// Throws: what the fault throws.
    [[nodiscard]] failure transient() const {
        // A code alone, and no category: what kind of failure it is, is for the classifier to say.
        return given_.transient ? given_.transient()
                                : failure{std::make_error_code(std::errc::connection_reset)};
    }

  private:
    [[nodiscard]] failure permanent() const {
        return given_.permanent ? given_.permanent()
                                : failure{std::make_error_code(std::errc::permission_denied)};
    }

    options given_;
    testing::fault_plan plan_;
    std::atomic<std::uint64_t> calls_{0};  // an attempt may run on another thread
    std::atomic<bool> permanent_{false};
    std::uint64_t operation_ = 0;
};

/// A callable that fails where the faults say so, instead of being called.
template <class F>
class failing {
  public:
    failing(std::shared_ptr<faults> by, std::shared_ptr<F> callable) noexcept
        : by_{std::move(by)}, callable_{std::move(callable)} {}

    template <class... Args>
        requires std::is_invocable_v<F&, Args...>
    auto operator()(Args&&... args) const {
        using flat = result<recoup::detail::returned_value_t<std::invoke_result_t<F&, Args...>>>;
        if (auto planned = by_->next(); !planned)
            return flat{boost::outcome_v2::in_place_type<failure>,
                        std::move(planned).assume_error()};
        return recoup::detail::invoke_to_result<flat>([&]() -> decltype(auto) {
            return std::invoke(*callable_, std::forward<Args>(args)...);
        });
    }

  private:
    std::shared_ptr<faults> by_;
    std::shared_ptr<F> callable_;
};

/// A callable that fails, called as F is: with the attempt where F asks for it.
template <class F>
auto make_failing(std::shared_ptr<faults> by, std::shared_ptr<F> const& callable) {
    if constexpr (recoup::detail::is_attempt_wanted<F>) {
        using inner = decltype(callable->callable);
        return wants_attempt(
            failing<inner>{std::move(by), std::shared_ptr<inner>{callable, &callable->callable}});
    } else {
        return failing<F>{std::move(by), callable};
    }
}

}  // namespace recoup::inline v1::validation::detail
