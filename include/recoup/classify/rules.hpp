// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/classify/default_classifier.hpp>
#include <recoup/classify/detail/asked_rule.hpp>
#include <recoup/classify/detail/rule_set.hpp>
#include <recoup/classify/error_classifier.hpp>
#include <recoup/classify/never.hpp>
#include <recoup/core/category.hpp>
#include <recoup/core/failure.hpp>

#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

namespace recoup::inline v1 {

/// The default rules and, before them, rules of your own.
///
/// A value: each function that adds a rule returns a new classifier and leaves this one as it is;
/// copies share their rules. For one failure
/// 1. the rules for codes, exceptions and predicates are asked in the order in which they were
///    written, and the first that matches wins, as with `catch`; they overrule a category that the
///    failure already has. A second rule for the same code or type takes the place of the first;
/// 2. else the failure keeps the category that it has, else `default_classifier` finds one; where
///    an exception says nothing, the one nested in it is taken through 1 and 2 in its turn;
/// 3. what is then still unknown goes to the rules for messages;
/// 4. what 2 found and 3 left is renamed by the rules for categories.
///
/// A rule that throws says nothing. Thread safety: const members may be called concurrently, and
/// so may the functions that were given to it.
/// Complexity: for codes constant and without an allocation, but for conditions of categories other
/// than `std::errc`, which are compared one by one.
class classifier {
  public:
    /// The default rules alone.
    classifier() noexcept = default;

    /// This error code, or error enumerator, is a `to`.
    [[nodiscard]] classifier on(std::error_code code, category to) const {
        return with([&](detail::rule_set& rules) { rules.add(code, to); });
    }

    /// Every code that is equal to this condition (`std::errc`, or one of your own) is a `to`.
    [[nodiscard]] classifier on(std::error_condition condition, category to) const {
        return with([&](detail::rule_set& rules) { rules.add(condition, to); });
    }

    /// What would be a `from` by its own word or by the default rules is a `to`.
    [[nodiscard]] classifier on(category from, category to) const {
        return with([&](detail::rule_set& rules) {
            auto const index = static_cast<std::size_t>(from);
            if (index < category_count) rules.renamed[index] = to;
        });
    }

    /// An exception that `catch (E const&)` would catch is a `to`; E need not be a std::exception.
    template <class E>
    [[nodiscard]] classifier on_exception(category to) const {
        return on_exception<E>(detail::tell_always{to});
    }

    /// An exception that `catch (E const&)` would catch is what `tell` says of it: a category, or
    /// an optional one.
    template <class E, std::move_constructible Tell>
        requires detail::tells_category<std::invoke_result_t<Tell const&, E const&>>
    [[nodiscard]] classifier on_exception(Tell tell) const {
        static_assert(std::is_same_v<E, std::remove_cvref_t<E>>,
                      "recoup: on_exception<E> takes a plain type, without const or &");
        return ask(std::make_shared<detail::exception_rule<E, Tell>>(std::move(tell)));
    }

    /// A failure for which `holds` is true is a `to`.
    template <std::move_constructible Predicate>
        requires std::predicate<Predicate const&, failure const&>
    [[nodiscard]] classifier when(Predicate holds, category to) const {
        return ask(std::make_shared<detail::predicate_rule<Predicate>>(std::move(holds), to));
    }

    /// A failure is what `tell` says of it, where it says anything.
    template <std::move_constructible Tell>
        requires std::same_as<std::invoke_result_t<Tell const&, failure const&>,
                              std::optional<category>>
    [[nodiscard]] classifier when(Tell tell) const {
        return ask(
            std::make_shared<detail::predicate_rule<Tell>>(std::move(tell), category::unknown));
    }

    /// The last resort: a failure that nothing else recognised, and whose message holds `part`
    /// whatever the case of its ASCII letters, is a `to`. Messages change with versions and
    /// languages; prefer any other rule. An empty `part` is in every message.
    [[nodiscard]] classifier on_message(std::string_view part, category to) const {
        return with([&](detail::rule_set& rules) { rules.add_message(part, to); });
    }

    /// What nothing recognises is not retried.
    [[nodiscard]] classifier unknown(never_t) const {
        return with([](detail::rule_set& rules) { rules.retries_unknown = false; });
    }

    /// What kind of failure `what` is.
    [[nodiscard]] classification classify(failure const& what) const noexcept {
        if (!rules_) [[likely]]
            return default_classifier::classify(what);
        return detail::classify_by(*rules_, what);
    }

  private:
    template <class Change>
    [[nodiscard]] classifier with(Change change) const {
        auto rules = rules_ ? std::make_shared<detail::rule_set>(*rules_)
                            : std::make_shared<detail::rule_set>();
        change(*rules);
        classifier changed;
        changed.rules_ = std::move(rules);
        return changed;
    }

    [[nodiscard]] classifier ask(std::shared_ptr<detail::asked_rule const> rule) const {
        return with([&](detail::rule_set& rules) { rules.add(std::move(rule)); });
    }

    std::shared_ptr<detail::rule_set const> rules_;
};

static_assert(error_classifier<classifier>);

/// The default rules, to add rules of your own to; `default_classifier` where there are none.
inline classifier default_rules() noexcept { return {}; }

}  // namespace recoup::inline v1
