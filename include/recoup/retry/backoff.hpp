// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>
#include <recoup/retry/backoff_models.hpp>
#include <recoup/retry/backoff_policy.hpp>

#include <concepts>
#include <memory>
#include <utility>

namespace recoup::inline v1 {

/// Any backoff: one of the library's own, held without allocation, or a user's model of
/// `backoff_policy`, shared by copies.
///
/// Exponential unless told otherwise: 200 ms × 2 up to 30 s with full jitter. One that was moved
/// from waits not at all.
class backoff {
  public:
    backoff() noexcept : backoff{exponential_backoff{}} {}
    backoff(constant_backoff const& model) noexcept : kind_{kind::constant}, constant_{model} {}
    backoff(linear_backoff const& model) noexcept : kind_{kind::linear}, linear_{model} {}
    backoff(exponential_backoff const& model) noexcept
        : kind_{kind::exponential}, exponential_{model} {}
    backoff(fibonacci_backoff const& model) noexcept : kind_{kind::fibonacci}, fibonacci_{model} {}
    backoff(decorrelated_backoff const& model) noexcept
        : kind_{kind::decorrelated}, decorrelated_{model} {}

    /// From a user's own model.
    ///
    /// Throws: std::bad_alloc, and what copying the model throws.
    template <class Model>
        requires(!std::same_as<Model, backoff> && backoff_policy<Model>)
    backoff(Model model)
        : kind_{kind::custom},
          constant_{},
          custom_{std::make_shared<held<Model> const>(std::move(model))} {}

    /// How long to wait before the retry; never negative.
    [[nodiscard, gnu::always_inline]] inline duration delay(
        backoff_step const& step) const noexcept {
        // The usual one in place: a branch that is foreseen costs less than a jump through a table, and a
        // step that is handed over goes through memory.
        if (kind_ == kind::exponential) [[likely]]
            return exponential_.delay(step);
        return delay_of_others(step);
    }

    /// What no delay exceeds.
    [[nodiscard]] duration longest() const noexcept {
        switch (kind_) {
            case kind::exponential: return exponential_.longest();
            case kind::constant: return constant_.longest();
            case kind::linear: return linear_.longest();
            case kind::fibonacci: return fibonacci_.longest();
            case kind::decorrelated: return decorrelated_.longest();
            case kind::custom: return custom_ ? at_least_zero(custom_->longest()) : duration{};
        }
        return duration{};
    }

    /// The model that it holds, where that is this one of the library's own; else null.
    template <class Model>
    [[nodiscard]] Model const* get_if() const noexcept {
        if constexpr (std::same_as<Model, exponential_backoff>)
            return kind_ == kind::exponential ? &exponential_ : nullptr;
        else if constexpr (std::same_as<Model, constant_backoff>)
            return kind_ == kind::constant ? &constant_ : nullptr;
        else if constexpr (std::same_as<Model, linear_backoff>)
            return kind_ == kind::linear ? &linear_ : nullptr;
        else if constexpr (std::same_as<Model, fibonacci_backoff>)
            return kind_ == kind::fibonacci ? &fibonacci_ : nullptr;
        else {
            static_assert(std::same_as<Model, decorrelated_backoff>,
                          "recoup: backoff::get_if knows the library's own models");
            return kind_ == kind::decorrelated ? &decorrelated_ : nullptr;
        }
    }

    /// Equal models of the library's own, or one and the same of a user's.
    // A template, so that nothing is converted to a backoff only to be compared with one.
    template <std::same_as<backoff> Backoff>
    friend bool operator==(Backoff const& left, Backoff const& right) noexcept {
        if (left.kind_ != right.kind_) return false;
        switch (left.kind_) {
            case kind::exponential: return left.exponential_ == right.exponential_;
            case kind::constant: return left.constant_ == right.constant_;
            case kind::linear: return left.linear_ == right.linear_;
            case kind::fibonacci: return left.fibonacci_ == right.fibonacci_;
            case kind::decorrelated: return left.decorrelated_ == right.decorrelated_;
            case kind::custom: return left.custom_ == right.custom_;
        }
        return false;
    }

  private:
    enum class kind : unsigned char {
        exponential,
        constant,
        linear,
        fibonacci,
        decorrelated,
        custom
    };

    struct any_held {
        any_held() = default;
        any_held(any_held const&) = delete;
        any_held& operator=(any_held const&) = delete;
        virtual ~any_held() = default;
        virtual duration delay(backoff_step step) const noexcept = 0;
        virtual duration longest() const noexcept = 0;
    };

    template <class Model>
    struct held final : any_held {
        explicit held(Model&& from) : model{std::move(from)} {}
        duration delay(backoff_step step) const noexcept override { return model.delay(step); }
        duration longest() const noexcept override { return model.longest(); }
        Model model;
    };

    [[nodiscard, gnu::noinline]] duration delay_of_others(backoff_step const& step) const noexcept {
        switch (kind_) {
            case kind::exponential: break;
            case kind::constant: return constant_.delay(step);
            case kind::linear: return linear_.delay(step);
            case kind::fibonacci: return fibonacci_.delay(step);
            case kind::decorrelated: return decorrelated_.delay(step);
            case kind::custom: return custom_ ? at_least_zero(custom_->delay(step)) : duration{};
        }
        return duration{};
    }

    static duration at_least_zero(duration span) noexcept {
        return duration{detail::not_negative(span)};
    }

    kind kind_;
    // Plain data all of them, so that copying the whole copies whichever it is.
    union {
        constant_backoff constant_;
        linear_backoff linear_;
        exponential_backoff exponential_;
        fibonacci_backoff fibonacci_;
        decorrelated_backoff decorrelated_;
    };
    std::shared_ptr<any_held const> custom_;
};

static_assert(backoff_policy<backoff>);

}  // namespace recoup::inline v1
