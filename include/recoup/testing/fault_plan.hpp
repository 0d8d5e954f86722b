// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/category.hpp>
#include <recoup/core/result.hpp>
#include <recoup/core/returns.hpp>
#include <recoup/detail/fault_script.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

namespace recoup::inline v1::testing {

/// Faults by chance: both rates are shares of all attempts, from 0 to 1, and so is their sum.
struct random_faults {
    double rate = 0.3;       ///< attempts that fail with `transient`
    std::uint64_t seed = 1;  ///< equal seeds, equal faults
    double permanent = 0;    ///< attempts that fail with `permanent_as`, beside those of `rate`
    category transient_as = category::network_connection;
    category permanent_as = category::invalid_input;
};

template <class F>
class faulty;

/// Decides for each attempt whether it fails instead of calling the callable.
///
/// From a script: words separated by commas, one an attempt.
/// - `ok`: the callable is called;
/// - `fail`: a transient network failure (`network_connection`, connection reset);
/// - the name of a category, as `rate_limited`: a failure of that category;
/// - `throw`: a std::system_error (connection reset) is thrown.
///
/// `word*3` stands for three of them, and `word*` at the end for all that follow. Beyond its end a
/// script is `ok`.
///
/// Copies, and callables wrapped by it, share one count of attempts.
/// Thread safety: all members may be called concurrently; each attempt gets one word.
/// Example: `fault_plan faults{"fail*2,rate_limited,ok"};`
class fault_plan {
  public:
    /// Throws: std::invalid_argument that says what is wrong with the script, and where.
    explicit fault_plan(std::string_view script)
        : fault_plan{plan{
              .script =
                  recoup::detail::script_reader{script, "fault_plan: bad script", false}.read()}} {}

    /// A plan by chance: each attempt is drawn by itself, whatever operation it belongs to.
    ///
    /// Throws: std::invalid_argument where a rate, or their sum, is not from 0 to 1.
    [[nodiscard]] static fault_plan random(random_faults const& faults) {
        auto const share = [](double rate) { return rate >= 0 && rate <= 1; };
        if (!share(faults.rate) || !share(faults.permanent) ||
            !share(faults.rate + faults.permanent))
            throw std::invalid_argument{
                "recoup: fault_plan::random: rate, permanent and their sum must be from 0 to 1"};
        return fault_plan{plan{.by_chance = true, .chances = faults}};
    }

    /// A callable that is called as `callable` is, and fails as planned. It returns
    /// `recoup::result` of what `callable` returns.
    template <class F>
    [[nodiscard]] faulty<std::decay_t<F>> wrap(F&& callable) const {
        return {*this, std::forward<F>(callable)};
    }

    /// What the plan says for the next attempt, which it counts.
    ///
    /// Returns: a value, or the failure to fail with.
    /// Throws: std::system_error where the plan says so.
    [[nodiscard]] result<void> next() const {
        auto const index = shared_->calls.fetch_add(1, std::memory_order_relaxed);
        auto const fault = shared_->at(index);
        if (fault.kind == recoup::detail::fault_kind::none) return success();
        shared_->injected.fetch_add(1, std::memory_order_relaxed);
        return recoup::detail::injected_failure(fault, "planned by recoup::testing::fault_plan");
    }

    /// How many attempts there were, the failed ones included.
    [[nodiscard]] std::uint64_t calls() const noexcept { return shared_->calls; }

    /// How many of them failed because the plan said so.
    [[nodiscard]] std::uint64_t injected() const noexcept { return shared_->injected; }

  private:
    struct plan {
        recoup::detail::fault_script script{};
        bool by_chance = false;
        random_faults chances{};
        std::atomic<std::uint64_t> calls = 0;
        std::atomic<std::uint64_t> injected = 0;

        [[nodiscard]] recoup::detail::fault at(std::uint64_t index) const noexcept {
            if (!by_chance) return script.at(index);
            auto const share = recoup::detail::share_of_attempt(chances.seed, index);
            if (share < chances.rate)
                return {recoup::detail::fault_kind::failed, chances.transient_as};
            if (share < chances.rate + chances.permanent)
                return {recoup::detail::fault_kind::failed, chances.permanent_as};
            return {};
        }
    };

    explicit fault_plan(plan&& made)
        : shared_{std::make_shared<plan>(std::move(made.script), made.by_chance, made.chances)} {}

    std::shared_ptr<plan> shared_;
};

/// A callable that fails as planned. Made by `fault_plan::wrap`.
template <class F>
class faulty {
  public:
    template <class Callable>
    faulty(fault_plan plan, Callable&& callable)
        : plan_{std::move(plan)}, callable_{std::forward<Callable>(callable)} {}

    template <class... Args>
        requires std::is_invocable_v<F&, Args...>
    auto operator()(Args&&... args) {
        return call(callable_, std::forward<Args>(args)...);
    }
    template <class... Args>
        requires std::is_invocable_v<F const&, Args...>
    auto operator()(Args&&... args) const {
        return call(callable_, std::forward<Args>(args)...);
    }

  private:
    template <class Callable, class... Args>
    auto call(Callable& callable, Args&&... args) const {
        using returned = std::invoke_result_t<Callable&, Args...>;
        using flat = result<recoup::detail::returned_value_t<returned>>;
        if (auto planned = plan_.next(); !planned)
            return flat{boost::outcome_v2::in_place_type<failure>,
                        std::move(planned).assume_error()};
        return recoup::detail::invoke_to_result<flat>(
            [&]() -> decltype(auto) { return std::invoke(callable, std::forward<Args>(args)...); });
    }

    fault_plan plan_;
    F callable_;
};

}  // namespace recoup::inline v1::testing
