// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/classify/default_classifier.hpp>
#include <recoup/classify/detail/asked_rule.hpp>
#include <recoup/classify/detail/code_table.hpp>
#include <recoup/classify/detail/exception_category.hpp>
#include <recoup/classify/error_classifier.hpp>
#include <recoup/core/category.hpp>
#include <recoup/core/failure.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <typeinfo>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

constexpr char ascii_lower(char letter) noexcept {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + ('a' - 'A')) : letter;
}

/// The rules of a classifier; never changed once a classifier holds it.
struct rule_set {
    struct condition_rule {
        std::error_condition condition;
        ranked_category to;
    };
    struct ranked_rule {
        std::shared_ptr<asked_rule const> rule;
        std::uint32_t rank;
    };
    struct message_rule {
        std::string part;  ///< in lower case
        recoup::category to;
    };

    code_table codes;
    code_table errno_conditions;             ///< conditions of the generic category, by value
    std::vector<condition_rule> conditions;  ///< all conditions
    std::vector<ranked_rule> asked;          ///< in the order of their ranks
    std::vector<message_rule> messages;
    std::array<std::optional<category>, category_count> renamed{};
    bool retries_unknown = true;
    std::uint32_t next_rank = 0;

    void add(std::error_code code, category to) {
        codes.put(code.category(), code.value(), {next_rank++, to});
    }

    void add(std::error_condition condition, category to) {
        auto const ranked = ranked_category{next_rank++, to};
        if (condition.category() == std::generic_category())
            errno_conditions.put(condition.category(), condition.value(), ranked);
        for (auto& each : conditions) {
            if (each.condition == condition) {
                each.to.category = to;
                return;
            }
        }
        conditions.push_back({condition, ranked});
    }

    void add(std::shared_ptr<asked_rule const> rule) {
        if (auto const* const type = rule->for_exception()) {
            for (auto& each : asked) {
                auto const* const other = each.rule->for_exception();
                if (other && *other == *type) {
                    each.rule = std::move(rule);
                    return;
                }
            }
        }
        asked.push_back({std::move(rule), next_rank++});
    }

    void add_message(std::string_view part, category to) {
        auto lower = std::string{part};
        for (auto& letter : lower) letter = ascii_lower(letter);
        messages.push_back({std::move(lower), to});
    }

    /// What the rules for codes, exceptions and predicates say of `what`; the first one wins.
    [[nodiscard]] std::optional<category> match(failure const& what) const noexcept {
        auto best = match_code(what.code());
        auto needs_exception = false;
        for (auto const& each : asked) {
            if (each.rank > best.rank) break;
            needs_exception = needs_exception || each.rule->for_exception() != nullptr;
        }
        if (!needs_exception || !what.exception()) return match_asked(what, nullptr, best);
        try {
            std::rethrow_exception(what.exception());
        } catch (std::exception const& caught) {
            return match_asked(what, &caught, best);
        } catch (...) {
            return match_asked(what, nullptr, best);
        }
    }

    /// What the rules for messages say of `what`; nothing, where memory for it is lacking.
    [[nodiscard]] std::optional<category> match_message(failure const& what) const noexcept try {
        if (messages.empty()) return std::nullopt;
        auto text = what.message();
        for (auto& letter : text) letter = ascii_lower(letter);
        for (auto const& each : messages)
            if (text.find(each.part) != std::string::npos) return each.to;
        return std::nullopt;
    } catch (...) {
        return std::nullopt;
    }

  private:
    [[nodiscard]] ranked_category match_code(std::error_code code) const noexcept {
        if (!code) return {};
        auto best = codes.find(code.category(), code.value());
        auto const errno_like =
            code.category() == std::generic_category() || code.category() == std::system_category();
        if (errno_like && !errno_conditions.empty()) {
            auto const meaning = code.default_error_condition();
            auto const found = errno_conditions.find(meaning.category(), meaning.value());
            if (found.rank < best.rank) best = found;
        }
        for (auto const& each : conditions) {
            if (each.to.rank > best.rank) break;
            if (errno_like && each.condition.category() == std::generic_category()) continue;
            if (code == each.condition) best = each.to;
        }
        return best;
    }

    [[nodiscard]] std::optional<category> match_asked(failure const& what,
                                                      std::exception const* caught,
                                                      ranked_category best) const noexcept {
        for (auto const& each : asked) {
            if (each.rank > best.rank) break;
            try {
                if (auto const told = each.rule->ask(what, caught)) return told;
            } catch (...) {
                // A rule that throws says nothing: the failure that is looked at matters more.
                continue;
            }
        }
        return best.found() ? std::optional{best.category} : std::nullopt;
    }
};

/// What `rules` and then the default rules say of `what`.
[[gnu::noinline]] inline classification classify_by(rule_set const& rules,
                                                    failure const& what) noexcept {
    auto const ruled = [&](category to) -> classification {
        auto const known = info(to).recoverability;
        auto const never_retried = to == category::unknown && !rules.retries_unknown;
        return {to, never_retried ? recoverability::permanent : known};
    };
    if (auto const told = rules.match(what)) return ruled(*told);

    auto found = what.category();
    if (!failure_access::classified(what)) {
        found = category_by_code(what);
        // As category_of_exception does, but asking the rules about each nested exception too.
        auto exception = found == category::unknown ? what.exception() : nullptr;
        for (auto depth = 0U; exception && depth != nested_exceptions_max; ++depth) {
            auto finding = look_at(exception);
            if (depth != 0) {
                if (auto const told = rules.match(failure{exception, finding.code}))
                    return ruled(*told);
            }
            found = finding.category;
            if (found != category::unknown) break;
            exception = std::move(finding.nested);
        }
    }
    if (found == category::unknown) {
        if (auto const told = rules.match_message(what)) return ruled(*told);
    }
    auto const index = static_cast<std::size_t>(found);
    if (index < category_count && rules.renamed[index]) return ruled(*rules.renamed[index]);
    if (found == category::unknown) return ruled(found);
    return {.category = found};
}

}  // namespace recoup::inline v1::detail
