// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/attempt.hpp>
#include <recoup/core/callable.hpp>
#include <recoup/core/clock.hpp>
#include <recoup/core/failure.hpp>
#include <recoup/core/on.hpp>
#include <recoup/core/time.hpp>
#include <recoup/detail/make_policies.hpp>
#include <recoup/detail/policy_set.hpp>
#include <recoup/validation/detail/faults.hpp>
#include <recoup/validation/detail/trial_clock.hpp>
#include <recoup/validation/detail/watch.hpp>
#include <recoup/validation/measurement.hpp>
#include <recoup/validation/options.hpp>
#include <recoup/validation/remark.hpp>
#include <recoup/validation/verdict.hpp>
#include <recoup/with_recovery.hpp>

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace recoup::inline v1::validation::detail {

/// What the arguments of one call come as.
template <class T>
struct as_tuple {
    using type = std::tuple<T>;
};
template <class... T>
struct as_tuple<std::tuple<T...>> {
    using type = std::tuple<T...>;
};

/// What a call with such arguments is.
template <class F, class Tuple>
struct call_of;
template <class F, class... Args>
struct call_of<F, std::tuple<Args...>> {
    static_assert(
        recoup::detail::callable_with<F, Args...>,
        "recoup: the callable cannot be called with the arguments of this validation: give them to "
        "validator::with, or have them made by validator::with_each");
    using returned = recoup::detail::raw_return_t<F, Args...>;
    using flat = recoup::detail::wrapped_return_t<F, Args...>;
    static constexpr auto form = recoup::detail::call_form_of<F, Args...>;
    static constexpr bool is_coroutine = recoup::detail::coroutine_return<returned, Args...>;
};

/// What all parts of one validation share.
template <class F, class Policies, class Arguments, measurement Measurement>
class trial {
    using policy_kind = recoup::detail::policy_kind;
    using made_type = std::remove_cvref_t<std::invoke_result_t<Arguments const&, std::uint64_t>>;

  public:
    using tuple_type = typename as_tuple<made_type>::type;
    using call_type = call_of<F, tuple_type>;
    using callable_type = F;
    using flat = typename call_type::flat;
    using clock_type = std::remove_reference_t<decltype(std::declval<Measurement&>().clock())>;
    using trial_clock_type = trial_clock<clock_type>;
    using watch_type = watch<trial_clock_type>;

    static_assert(!call_type::is_coroutine,
                  "recoup: validate calls plain callables: validate what the coroutine calls");

    trial(options const& chosen, Arguments const& arguments, Measurement& with,
          std::shared_ptr<F> callable, Policies policies)
        : given{chosen},
          measured_with{with},
          began_{with.clock().now()},
          arguments_{arguments},
          callable_{std::move(callable)},
          policies_{std::move(policies)} {}

    trial(trial const&) = delete;
    trial& operator=(trial const&) = delete;

    /// The clock of the measurement.
    [[nodiscard]] clock_type& clock() const { return measured_with.clock(); }
    [[nodiscard]] duration elapsed() const { return saturating_between(began_, clock().now()); }
    /// Whether this share of the time limit is over.
    [[nodiscard]] bool spent(double share) const {
        return static_cast<double>(elapsed().count()) >=
               share * static_cast<double>(given.time_limit.count());
    }

    /// The arguments of a call, by its number.
    [[nodiscard]] tuple_type arguments(std::uint64_t number) const {
        return tuple_type{arguments_(number)};
    }
    /// Numbers for the next `count` calls, which no other call has: a record of one is no answer for another.
    std::uint64_t take_numbers(std::uint64_t count) noexcept {
        return std::exchange(next_number_, next_number_ + count);
    }

    /// One bare call.
    static decltype(auto) call_bare(F& callable, tuple_type& with) {
        if constexpr (recoup::detail::takes_attempt(call_type::form)) {
            // Anew for each call, as nothing may be left of the one before.
            auto state = recoup::detail::operation_state{};
            auto current = attempt{state};
            return recoup::detail::invoke_form<call_type::form>(callable, &current, with, indices);
        } else {
            return recoup::detail::invoke_form<call_type::form>(callable, nullptr, with, indices);
        }
    }
    [[nodiscard]] F& callable() const noexcept { return *callable_; }
    [[nodiscard]] Policies const& policies() const noexcept { return policies_; }

    /// One decorated call.
    template <class Call>
    static flat call_decorated(Call const& call, tuple_type& with) {
        return std::apply(call, std::move(with));
    }

    /// What a user makes of the callable and the policies; on the clock of the measurement.
    [[nodiscard]] auto decorated() const {
        if constexpr (std::same_as<clock_type, real_clock> ||
                      Policies::template has<policy_kind::clock>)
            return make(recoup::detail::lend(*callable_), policies_);
        else
            return make(recoup::detail::lend(*callable_),
                        recoup::detail::merge_policies(policies_, on(clock())));
    }

    /// The same with faults, watched.
    [[nodiscard]] auto failing(std::shared_ptr<faults> by, std::shared_ptr<watch_type> by_watch,
                               [[maybe_unused]] trial_clock_type& time) const {
        auto shaken = make_failing(std::move(by), callable_);
        if constexpr (keeps_clock)
            return make(std::move(shaken),
                        recoup::detail::merge_policies(policies_, std::move(by_watch)));
        else
            return make(std::move(shaken),
                        recoup::detail::merge_policies(policies_, std::move(by_watch), on(time)));
    }

    void note(verdict& into, remark_kind kind, std::string text) const {
        into.remarks.push_back({kind, std::move(text)});
    }

    options const& given;
    Measurement& measured_with;

  private:
    // An attempt is ended, and a hedge begun, by alarms, which the clock of a trial has not; and a clock that was given stays.
    static constexpr bool keeps_clock = Policies::template has<policy_kind::clock> ||
                                        Policies::template has<policy_kind::attempt_timeout> ||
                                        Policies::template has<policy_kind::abandon> ||
                                        Policies::template has<policy_kind::hedge>;
    static constexpr auto indices = std::make_index_sequence<std::tuple_size_v<tuple_type>>{};

    template <class Callable, class Chosen>
    static auto make(Callable callable, Chosen chosen) {
        return recovered<Callable, Chosen>{std::move(callable), std::move(chosen)};
    }

    steady_time began_;
    Arguments const& arguments_;
    std::shared_ptr<F> callable_;
    Policies policies_;
    std::uint64_t next_number_ = 0;
};

}  // namespace recoup::inline v1::validation::detail
