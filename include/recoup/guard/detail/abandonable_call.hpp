// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/failure.hpp>
#include <recoup/core/nested_retries.hpp>
#include <recoup/core/returns.hpp>
#include <recoup/guard/detail/abandon_core.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace recoup::inline v1::detail {

/// One attempt of a plain call on a thread of a pool, with copies of the callable and of the arguments.
///
/// `Frame` is called with what calls it, given what stands in front of the arguments, and catches what ends it.
template <class Result, class Frame, class F, class... Args>
class abandonable_call final : public abandonable {
  public:
    template <class Callable, class... Given>
    abandonable_call(std::uint32_t attempt, std::shared_ptr<abandonable> beside, Frame frame,
                     Callable const& callable, Given&&... given)
        : abandonable{attempt, std::move(beside)},
          frame_{std::move(frame)},
          call_{std::in_place, callable, std::forward<Given>(given)...} {}

    void run() noexcept override {
        auto const before = nested_retries::last.count;
        outcome_.emplace(frame_([this](auto&... first) {
            return invoke_to_result<Result>([&]() -> decltype(auto) {
                return std::apply(
                    [&](F& callable, Args&... args) -> decltype(auto) {
                        return std::invoke(callable, first..., std::move(args)...);
                    },
                    *call_);
            });
        }));
        if (nested_retries::last.count != before) gave_up_ = nested_retries::last;
        // Here, and not on whichever thread comes last.
        call_.reset();
    }

    [[nodiscard]] failure const* failed() const noexcept override {
        return outcome_->has_value() ? nullptr : &outcome_->assume_error();
    }

    [[nodiscard]] Frame& frame() noexcept { return frame_; }

    /// Pre: it has ended, and was waited for.
    [[nodiscard]] Result take() {
        if (gave_up_) {
            // As if it had run on this thread.
            auto const count = nested_retries::last.count + 1;
            nested_retries::last = *gave_up_;
            nested_retries::last.count = count;
        }
        return *std::move(outcome_);
    }

  private:
    [[no_unique_address]] Frame frame_;
    std::optional<std::tuple<F, Args...>> call_;
    std::optional<Result> outcome_{};
    std::optional<given_up> gave_up_{};
};

/// What policies that have attempts run elsewhere call by.
struct abandonable_calls {
    template <class Result, class Frame, class F, class... Args>
    using call = abandonable_call<Result, Frame, F, Args...>;
};

}  // namespace recoup::inline v1::detail
