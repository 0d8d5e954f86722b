// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>
#include <recoup/detail/make_policies.hpp>
#include <recoup/validation/detail/memory_run.hpp>
#include <recoup/validation/detail/overhead_run.hpp>
#include <recoup/validation/detail/probe.hpp>
#include <recoup/validation/detail/recovery_run.hpp>
#include <recoup/validation/detail/success_run.hpp>
#include <recoup/validation/detail/trial.hpp>
#include <recoup/validation/measurement.hpp>
#include <recoup/validation/options.hpp>
#include <recoup/validation/verdict.hpp>
#include <recoup/with_recovery.hpp>

#include <cstdint>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

namespace recoup::inline v1::validation {

namespace detail {

/// The same values for every call.
template <class... Args>
struct fixed_arguments {
    std::tuple<Args...> values;
    std::tuple<Args...> operator()(std::uint64_t) const { return values; }
};

template <class F>
inline constexpr bool is_recovered = false;
template <class F, class Policies>
inline constexpr bool is_recovered<recovered<F, Policies>> = true;

}  // namespace detail

/// Finds out whether a callable, decorated with some policies, does what it is required to.
///
/// It calls the callable bare and decorated by turns, then under faults from a seed, and judges overhead, memory,
/// recovery and success. From the same seed come the same faults; times are those of the machine. It knows nothing of
/// the callable but what it sees: that must do the same work for each call.
///
/// Thread safety: calling it is const; validations that run at the same time disturb each other's figures.
/// Example: `validator{{.seed = 7}}.with("http://example.test/")(fetch_page, retry{.max_attempts = 5}, breaker)`
template <class Arguments = detail::fixed_arguments<>,
          measurement Measurement = machine_measurement>
class validator {
  public:
    /// Throws: std::invalid_argument that names the option that is wrong.
    explicit validator(options given = {})
        requires std::is_same_v<Arguments, detail::fixed_arguments<>> &&
                 std::is_same_v<Measurement, machine_measurement>
        : given_{std::move(given)} {
        detail::check(given_);
    }

    validator(options given, Arguments arguments, Measurement* with)
        : given_{std::move(given)}, arguments_{std::move(arguments)}, measured_with_{with} {}

    /// Every call gets copies of these arguments.
    template <class... Args>
    [[nodiscard]] auto with(Args&&... arguments) const {
        using fixed = detail::fixed_arguments<std::decay_t<Args>...>;
        return validator<fixed, Measurement>{given_, fixed{{std::forward<Args>(arguments)...}},
                                             measured_with_};
    }

    /// Every call gets what `make(number)` returns: one argument, or a std::tuple of them. Calls that are compared
    /// with each other get the same number; else each has its own, which makes a key for `persist`.
    template <class Make>
    [[nodiscard]] auto with_each(Make&& make) const {
        static_assert(
            std::is_invocable_v<std::decay_t<Make> const&, std::uint64_t>,
            "recoup: the function of with_each takes the number of the call, a std::uint64_t");
        return validator<std::decay_t<Make>, Measurement>{given_, std::forward<Make>(make),
                                                          measured_with_};
    }

    /// Measures with `port`, which must outlive this: for tests of judgements.
    template <measurement Port>
    [[nodiscard]] auto measured_with(Port& port) const {
        return validator<Arguments, Port>{given_, arguments_, &port};
    }

    /// Validates `callable`, decorated as by `with_recovery(callable, policies...)`.
    ///
    /// Whatever happens to the callable happens here, too: what it does is done, some ten thousand times.
    /// Throws: std::bad_alloc; what making arguments throws.
    template <class F, class... Policies>
    [[nodiscard]] verdict operator()(F&& callable, Policies&&... policies) const {
        static_assert(!detail::is_recovered<std::decay_t<F>>,
                      "recoup: validate takes the bare callable and its policies, not what "
                      "with_recovery made of "
                      "them: it has to compare the two, and to have the callable fail");
        auto held = recoup::detail::make_policies(std::forward<Policies>(policies)...);
        return run(std::make_shared<std::decay_t<F>>(std::forward<F>(callable)), std::move(held));
    }

  private:
    template <class F, class Held>
    verdict run(std::shared_ptr<F> callable, Held held) const {
        auto trial = detail::trial<F, Held, Arguments, Measurement>{
            given_, arguments_, *measured_with_, std::move(callable), std::move(held)};
        auto made = verdict{
            .wanted = given_.wanted, .seed = given_.seed, .failure_rate = given_.failure_rate};
        auto const works = detail::probe(trial, made);
        // Each part may take up to a share of the time; what one leaves, the next ones have.
        detail::run_overhead(trial, made, works, 0.4);
        detail::run_memory(trial, made, 0.48, 0.56);
        // The parts from here on may leave policies as a user's faults would: a breaker open, a budget empty.
        detail::run_recovery(trial, made, 0.85);
        detail::run_success(trial, made, 1);
        made.took = trial.elapsed();
        return made;
    }

    // Stateless, and so one for all.
    [[nodiscard]] static Measurement* default_measurement() noexcept {
        if constexpr (std::is_same_v<Measurement, machine_measurement>) {
            static constinit machine_measurement machine{};
            return &machine;
        } else {
            return nullptr;
        }
    }

    options given_;
    Arguments arguments_{};
    Measurement* measured_with_ = default_measurement();
};

validator() -> validator<>;
validator(options) -> validator<>;

/// Validates `callable`, which is called without arguments, decorated by `policies`, against the four requirements
/// that `requirements` has as defaults. A `validator` takes options and arguments.
///
/// Example: `auto const seen = recoup::validation::validate(import, recoup::retry{}, breaker);`
template <class F, class... Policies>
[[nodiscard]] verdict validate(F&& callable, Policies&&... policies) {
    return validator<>{}(std::forward<F>(callable), std::forward<Policies>(policies)...);
}

}  // namespace recoup::inline v1::validation
