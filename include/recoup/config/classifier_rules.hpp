// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/classify/http.hpp>
#include <recoup/classify/never.hpp>
#include <recoup/classify/rules.hpp>
#include <recoup/config/detail/describe_retry.hpp>
#include <recoup/config/detail/errc_words.hpp>
#include <recoup/config/detail/value.hpp>
#include <recoup/core/category.hpp>
#include <recoup/json.hpp>

#include <charconv>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace recoup::inline v1::config {

/// The rules of a classifier that are data: those for codes, messages and categories. Those for exceptions and
/// predicates are code, and are added to what `classifier()` makes.
///
/// Example: `{"http": {"429": "rate_limited"}, "errc": {"timed_out": "service_unavailable"},
/// "categories": {"quota_exceeded": "rate_limited"}, "messages": [{"part": "try later",
/// "category": "maintenance"}], "retry_unknown": false}`.
struct classifier_rules {
    struct message_rule {
        std::string part{};
        recoup::category category{};

        friend bool operator==(message_rule const&, message_rule const&) = default;
    };
    std::map<int, category> http{};             ///< by status code, 100 to 599
    std::map<std::errc, category> errc{};       ///< by condition
    std::map<category, category> categories{};  ///< what would be this is that
    std::vector<message_rule> messages{};       ///< asked in this order
    bool retry_unknown = true;                  ///< whether what nothing recognises is tried again

    /// `base` with these rules added behind its own.
    [[nodiscard]] recoup::classifier classifier(recoup::classifier base = default_rules()) const {
        for (auto const& [status, to] : http) base = base.on(http_error(status), to);
        for (auto const& [condition, to] : errc)
            base = base.on(std::make_error_condition(condition), to);
        for (auto const& [from, to] : categories) base = base.on(from, to);
        for (auto const& one : messages) base = base.on_message(one.part, one.category);
        return retry_unknown ? base : base.unknown(never);
    }

    friend bool operator==(classifier_rules const&, classifier_rules const&) = default;
};

namespace detail {

/// An object from words to categories.
template <has_words E>
struct value<std::map<E, category>> {
    static void read(nlohmann::json const& from, place const& at, std::map<E, category>& into) {
        if (!from.is_object()) return at.expect(from, "an object");
        auto found = std::map<E, category>{};
        constexpr auto const& names = word_list<E>::all;
        for (auto const& [name, one] : from.items()) {
            auto const key = find_word(names, name);
            if (!key) at.child(name).say("is not known, expected " + expected_word<E>());
            auto to = category{};
            value<category>::read(one, at.child(name), to);
            if (key && !found.emplace(*key, to).second)
                at.child(name).say("is given twice, under another name as well");
        }
        into = std::move(found);
    }
    static nlohmann::json write(std::map<E, category> const& from) {
        auto made = nlohmann::json::object();
        for (auto const& [key, to] : from) {
            auto const name = value<E>::write(key);
            made[name.is_string() ? name.template get<std::string>() : name.dump()] =
                value<category>::write(to);
        }
        return made;
    }
};

/// An object from status codes, which are names in JSON, to categories.
template <>
struct value<std::map<int, category>> {
    static void read(nlohmann::json const& from, place const& at, std::map<int, category>& into) {
        if (!from.is_object()) return at.expect(from, "an object");
        auto found = std::map<int, category>{};
        for (auto const& [name, one] : from.items()) {
            auto status = 0;
            auto const end = name.data() + name.size();
            auto const got = std::from_chars(name.data(), end, status);
            // In one way of writing each, so that no status is given twice.
            if (got.ec != std::errc{} || got.ptr != end || name.size() != 3 || status < 100 ||
                status > 599)
                at.child(name).say("is no status code, expected 100 to 599");
            auto to = category{};
            value<category>::read(one, at.child(name), to);
            found[status] = to;
        }
        into = std::move(found);
    }
    static nlohmann::json write(std::map<int, category> const& from) {
        auto made = nlohmann::json::object();
        for (auto const& [status, to] : from)
            made[std::to_string(status)] = value<category>::write(to);
        return made;
    }
};

template <class Fields>
void describe(Fields& fields, classifier_rules::message_rule& it) {
    fields.required("part", it.part);
    fields.required("category", it.category);
    if (it.part.empty() && fields.has("part"))
        fields.say("part", "is \"\", which is in every message; expected a part of one");
}

template <>
struct value<std::vector<classifier_rules::message_rule>> {
    using rules = std::vector<classifier_rules::message_rule>;
    static constexpr std::size_t most = 1'000;

    static void read(nlohmann::json const& from, place const& at, rules& into) {
        if (!from.is_array() || from.size() > most)
            return at.expect(from, "a list of at most " + std::to_string(most));
        auto found = rules(from.size());
        for (std::size_t i = 0; i != from.size(); ++i)
            value<classifier_rules::message_rule>::read(from[i], at.item(i), found[i]);
        into = std::move(found);
    }
    static nlohmann::json write(rules const& from) {
        auto made = nlohmann::json::array();
        for (auto const& one : from)
            made.push_back(value<classifier_rules::message_rule>::write(one));
        return made;
    }
};

template <class Fields>
void describe(Fields& fields, classifier_rules& it) {
    fields("http", it.http);
    fields("errc", it.errc);
    fields("categories", it.categories);
    fields("messages", it.messages);
    fields("retry_unknown", it.retry_unknown);
}

}  // namespace detail

}  // namespace recoup::inline v1::config
