// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/callable.hpp>
#include <recoup/core/fingerprint.hpp>
#include <recoup/core/on.hpp>
#include <recoup/core/returns.hpp>
#include <recoup/detail/either_stop.hpp>
#include <recoup/durable/detail/step_frame.hpp>
#include <recoup/durable/detail/step_row_store.hpp>
#include <recoup/store/persist.hpp>
#include <recoup/with_recovery.hpp>

#include <stop_token>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

// A step that calls something: whatever can be called, or what `with_recovery` made.

namespace recoup::inline v1::detail {

template <class F>
inline constexpr bool is_recovered = false;
template <class F, class Policies>
inline constexpr bool is_recovered<recovered<F, Policies>> = true;

/// One step: its callable and its arguments.
template <class F, class... Args>
class step_call {
  public:
    using value = returned_value_t<raw_return_t<F, Args...>>;
    using outcome = result<value>;

    step_call(operation_run& run, step_options const& options, F& callable, Args&&... args)
        : frame_{run, options}, callable_{callable}, args_{std::forward<Args>(args)...} {
        static_assert(!takes_attempt(call_form_of<F, Args...>),
                      "recoup: a step's callable that takes recoup::attempt& is wrapped in "
                      "with_recovery, which makes the attempts");
    }

    outcome run() {
        return frame_.run(
            [this] {
                return std::apply([](auto const&... one) { return detail::fingerprint_of(one...); },
                                  args_);
            },
            [this] { return make(); });
    }

  private:
    static constexpr bool recovers = is_recovered<std::remove_const_t<F>>;

    outcome make() {
        auto got = call();
        // A wrapped callable takes an interruption for a failure of its own, and gives that back.
        if (frame_.run_of().why() != interruption::none) throw operation_interrupted{};
        return got.has_value() ? frame_.record(std::move(got))
                               : frame_.failed(std::move(got), recovers);
    }

    outcome call() {
        if constexpr (recovers) {
            return call_recovered(callable_.policies());
        } else {
            return call_guarded<outcome>([this]() -> decltype(auto) {
                return invoke_form<call_form_of<F, Args...>>(callable_, nullptr, args_,
                                                             std::index_sequence_for<Args...>{});
            });
        }
    }

    /// With the step's row for a store, and with the run's clock and stop token.
    template <class Policies>
    outcome call_recovered(Policies const& own) {
        auto& run = frame_.run_of();
        auto rows = step_row_store{run, frame_.row()};
        auto memory = persist(rows,
                              persist_options{.name = frame_.options().name,
                                              .when = persist_when::failure,
                                              .retain_failed = unlimited,
                                              .on_store_failure = on_store_failure::stop},
                              [](auto const&...) { return std::string_view{"step"}; });
        auto const stop = either_stop{run.stop_token(), [&] {
                                          if constexpr (Policies::template has<policy_kind::stop>)
                                              return own.template get<policy_kind::stop>().token;
                                          else
                                              return std::stop_token{};
                                      }()};
        return std::apply(
            [&](auto&&... one) -> outcome {
                if constexpr (Policies::template has<policy_kind::clock>)
                    return callable_.with(std::move(memory),
                                          stop.token())(std::forward<Args>(one)...);
                else
                    return callable_.with(std::move(memory), stop.token(),
                                          on(run.ports().clock()))(std::forward<Args>(one)...);
            },
            args_);
    }

    step_frame<value> frame_;
    F& callable_;
    std::tuple<Args&&...> args_;
};

}  // namespace recoup::inline v1::detail
