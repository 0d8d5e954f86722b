// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/category.hpp>
#include <recoup/core/failure.hpp>

#include <concepts>
#include <exception>
#include <functional>
#include <optional>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace recoup::inline v1::detail {

template <class T>
concept tells_category = std::same_as<T, category> || std::same_as<T, std::optional<category>>;

/// A rule that has to be asked, since no table can answer for it.
class asked_rule {
  public:
    asked_rule() = default;
    asked_rule(asked_rule const&) = delete;
    asked_rule& operator=(asked_rule const&) = delete;
    virtual ~asked_rule() = default;

    /// What it says of `what`, whose exception is being handled as `caught` where it is derived
    /// from std::exception; may throw, which says nothing.
    [[nodiscard]] virtual std::optional<category> ask(failure const& what,
                                                      std::exception const* caught) const = 0;

    /// The type of exception that it is for, or null.
    [[nodiscard]] virtual std::type_info const* for_exception() const noexcept { return nullptr; }
};

template <class Predicate>
class predicate_rule final : public asked_rule {
  public:
    predicate_rule(Predicate predicate, category to) : predicate_{std::move(predicate)}, to_{to} {}

    [[nodiscard]] std::optional<category> ask(failure const& what,
                                              std::exception const*) const override {
        if constexpr (tells_category<std::invoke_result_t<Predicate const&, failure const&>>)
            return std::invoke(predicate_, what);
        else
            return std::invoke(predicate_, what) ? std::optional{to_} : std::nullopt;
    }

  private:
    Predicate predicate_;
    category to_;
};

template <class E, class Tell>
class exception_rule final : public asked_rule {
  public:
    explicit exception_rule(Tell tell) : tell_{std::move(tell)} {}

    [[nodiscard]] std::optional<category> ask(failure const& what,
                                              std::exception const* caught) const override {
        if constexpr (std::is_polymorphic_v<E>) {
            if (caught) {
                auto const* const match = dynamic_cast<E const*>(caught);
                return match ? std::optional<category>{std::invoke(tell_, *match)} : std::nullopt;
            }
        }
        if (!what.exception()) return std::nullopt;
        try {
            std::rethrow_exception(what.exception());
        } catch (E const& match) {
            return std::invoke(tell_, match);
        } catch (...) {
            return std::nullopt;
        }
    }

    [[nodiscard]] std::type_info const* for_exception() const noexcept override {
        return &typeid(E);
    }

  private:
    Tell tell_;
};

/// Tells the same category of every exception.
struct tell_always {
    category to;
    template <class E>
    category operator()(E const&) const noexcept {
        return to;
    }
};

}  // namespace recoup::inline v1::detail
