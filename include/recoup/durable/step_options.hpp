// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/encoding.hpp>
#include <recoup/core/errc.hpp>
#include <recoup/core/result.hpp>
#include <recoup/core/returns.hpp>
#include <recoup/core/signature.hpp>

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace recoup::inline v1 {

/// What a crash between a step's effect and its record means: it may have happened, or not.
enum class in_doubt : std::uint8_t {
    rerun,  ///< the step is run again; nothing is written before it runs
    probe,  ///< an intent is written first; after a crash `step_options::probe` is asked
    stop,   ///< an intent is written first; after a crash the operation is parked as `blocked`
};

/// How a step is undone: a callable without parameters, or with one, the step's recorded result.
///
/// It may run after the body has returned, and in another process: it must not refer to the body's
/// variables, and is told the result for that reason. A failure of it is a failed result or an exception.
class undo_action {
  public:
    undo_action() = default;

    template <class F>
        requires(!std::same_as<std::remove_cvref_t<F>, undo_action>)
    undo_action(F&& callable) {
        using plain = std::decay_t<F>;
        auto const kept = std::make_shared<plain>(std::forward<F>(callable));
        if constexpr (std::is_invocable_v<plain&>) {
            run_ = [kept](std::string_view) {
                return call([&]() -> decltype(auto) { return std::invoke(*kept); });
            };
        } else {
            static_assert(
                detail::has_signature<plain>,
                "recoup: the undo of a step takes nothing, or the step's result by a type "
                "that is spelled out");
            using parts = detail::signature_parts<detail::signature_of_t<plain>>;
            static_assert(parts::count == 1, "recoup: the undo of a step takes at most its result");
            using value = std::decay_t<std::tuple_element_t<0, typename parts::parameters>>;
            static_assert(decodable<value>,
                          "recoup: the result that this undo takes cannot be read from a record");
            run_ = [kept](std::string_view recorded) -> result<void> {
                auto read = encoding<value>::decode(recorded);
                if (!read)
                    return failure{category::corruption, errc::value_unreadable,
                                   "the recorded result is not of the type that undo takes"};
                return call([&]() -> decltype(auto) { return std::invoke(*kept, *read); });
            };
        }
    }

    [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(run_); }

    /// Undoes the step whose result was recorded as `recorded`. Throws: what the callable throws.
    [[nodiscard]] result<void> operator()(std::string_view recorded) const {
        return run_(recorded);
    }

  private:
    template <class Call>
    static result<void> call(Call&& invoke) {
        using value = detail::returned_value_t<std::invoke_result_t<Call&>>;
        auto got = detail::invoke_to_result<result<value>>(invoke);
        if (got.has_value()) return success();
        return std::move(got).assume_error();
    }

    std::function<result<void>(std::string_view)> run_{};
};

/// How it is found out whether a step has happened: a callable without parameters that returns
/// `std::optional` of the step's result (nothing: it has not, and is run again), or, for a step
/// without a result, `bool`.
class probe_action {
  public:
    probe_action() = default;

    template <class F>
        requires(!std::same_as<std::remove_cvref_t<F>, probe_action>)
    probe_action(F&& callable) {
        using plain = std::decay_t<F>;
        static_assert(std::is_invocable_v<plain&>, "recoup: the probe of a step takes nothing");
        using found = std::invoke_result_t<plain&>;
        auto const kept = std::make_shared<plain>(std::forward<F>(callable));
        if constexpr (std::same_as<found, bool>) {
            run_ = [kept] {
                return std::invoke(*kept) ? std::optional<std::string>{std::string{}}
                                          : std::nullopt;
            };
        } else {
            static_assert(detail::optional_like<std::remove_cvref_t<found>>,
                          "recoup: the probe of a step returns std::optional of its result");
            run_ = [kept]() -> std::optional<std::string> {
                auto const value = std::invoke(*kept);
                if (!value.has_value()) return std::nullopt;
                return detail::encode(*value);
            };
        }
    }

    [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(run_); }

    /// Returns: the step's result, encoded, or nothing. Throws: what the callable throws.
    [[nodiscard]] std::optional<std::string> operator()() const { return run_(); }

  private:
    std::function<std::optional<std::string>()> run_{};
};

/// How a step is named, and what becomes of it after a crash or when it is undone: plain data.
struct step_options {
    std::string name{};
    std::string id{};  ///< tells steps of one name apart that run at the same time
    recoup::in_doubt in_doubt = recoup::in_doubt::rerun;
    /// Run, in reverse order of the steps, when the operation fails or is cancelled.
    undo_action undo{};
    probe_action probe{};  ///< required with `in_doubt::probe`, and only asked there
};

}  // namespace recoup::inline v1
