// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/config/detail/value.hpp>
#include <recoup/core/category.hpp>
#include <recoup/core/time.hpp>
#include <recoup/json.hpp>
#include <recoup/retry/backoff.hpp>
#include <recoup/retry/backoff_models.hpp>
#include <recoup/retry/jitter.hpp>
#include <recoup/retry/not_idempotent.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/retry/retry_budget.hpp>

#include <array>
#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace recoup::inline v1::config::detail {

template <>
struct word_list<recoup::jitter> {
    static constexpr std::array<words<recoup::jitter>, 3> all{
        {{"none", jitter::none}, {"full", jitter::full}, {"equal", jitter::equal}}};
};

template <>
struct word_list<category> {
    static constexpr auto all = [] {
        auto names = std::array<words<category>, category_count>{};
        for (std::size_t i = 0; i != category_count; ++i)
            names[i] = {to_string(static_cast<category>(i)), static_cast<category>(i)};
        return names;
    }();
};

/// A list of names.
template <>
struct value<category_set> {
    static void read(nlohmann::json const& from, place const& at, category_set& into) {
        if (!from.is_array() || from.size() > category_count)
            return at.expect(from, "a list of categories");
        auto found = category_set{};
        for (std::size_t i = 0; i != from.size(); ++i) {
            auto one = category{};
            value<category>::read(from[i], at.item(i), one);
            found.insert(one);
        }
        into = found;
    }
    static nlohmann::json write(category_set from) {
        auto made = nlohmann::json::array();
        for (auto const& [name, one] : word_list<category>::all)
            if (from.contains(one)) made.push_back(name);
        return made;
    }
};

template <class Fields>
void describe(Fields& fields, constant_backoff& it) {
    fields("every", it.every);
    fields("jitter", it.jitter);
}

template <class Fields>
void describe(Fields& fields, linear_backoff& it) {
    fields("first", it.first);
    fields("cap", it.cap);
    if (!fields.has("step")) it.step = it.first;  // as recoup::linear does
    fields("step", it.step);
    fields("jitter", it.jitter);
}

template <class Fields>
void describe(Fields& fields, exponential_backoff& it) {
    fields("first", it.first);
    fields("cap", it.cap);
    fields("factor", it.factor, real{1, std::numeric_limits<double>::max(), "a number, 1 or more"});
    fields("jitter", it.jitter);
}

template <class Fields>
void describe(Fields& fields, fibonacci_backoff& it) {
    fields("first", it.first);
    fields("cap", it.cap);
    fields("jitter", it.jitter);
}

template <class Fields>
void describe(Fields& fields, decorrelated_backoff& it) {
    fields("first", it.first);
    fields("cap", it.cap);
}

/// An object with the model's fields, and its name as `model`.
template <>
struct value<backoff> {
    static void read(nlohmann::json const& from, place const& at, backoff& into) {
        if (!from.is_object()) return at.expect(from, "an object");
        auto const found = from.find("model");
        if (found == from.end())
            return at.child("model").say(std::string{"is missing, expected "} + names);
        auto const word = found->is_string()
                              ? std::string_view{found->get_ref<std::string const&>()}
                              : std::string_view{};
        if (word == "constant")
            read_as<constant_backoff>(from, at, into);
        else if (word == "linear")
            read_as<linear_backoff>(from, at, into);
        else if (word == "exponential")
            read_as<exponential_backoff>(from, at, into);
        else if (word == "fibonacci")
            read_as<fibonacci_backoff>(from, at, into);
        else if (word == "decorrelated")
            read_as<decorrelated_backoff>(from, at, into);
        else
            at.child("model").expect(*found, names);
    }

    static nlohmann::json write(backoff const& from) {
        auto fields = field_writer{};
        auto const holds = [&]<class Model>(char const* name, Model const* model) {
            if (!model) return false;
            auto copy = *model;
            describe(fields, copy);
            fields.made["model"] = name;
            return true;
        };
        if (holds("constant", from.get_if<constant_backoff>()) ||
            holds("linear", from.get_if<linear_backoff>()) ||
            holds("exponential", from.get_if<exponential_backoff>()) ||
            holds("fibonacci", from.get_if<fibonacci_backoff>()) ||
            holds("decorrelated", from.get_if<decorrelated_backoff>()))
            return std::move(fields.made);
        return "a model of your own";  // which nobody reads
    }

  private:
    static constexpr auto names = "one of: constant, linear, exponential, fibonacci, decorrelated";

    template <class Model>
    static void read_as(nlohmann::json const& from, place const& at, backoff& into) {
        auto model = Model{};
        auto fields = field_reader{from, at};
        auto name = std::string{};
        fields("model", name);
        describe(fields, model);
        fields.finish();
        into = model;
    }
};

template <class Fields>
void describe(Fields& fields, category_budget& it) {
    fields("max_attempts", it.max_attempts);
    fields("backoff", it.backoff);
}

/// An object from the names of categories to their budgets, or to `never`.
template <>
struct value<std::vector<category_rule>> {
    static void read(nlohmann::json const& from, place const& at,
                     std::vector<category_rule>& into) {
        if (!from.is_object()) return at.expect(from, "an object");
        auto found = std::vector<category_rule>{};
        constexpr auto const& names = word_list<category>::all;
        for (auto const& [name, one] : from.items()) {
            auto const what = find_word(names, name);
            auto const here = at.child(name);
            auto rule = category_rule{};
            if (!what)
                here.say("is no category, expected " + one_of(names));
            else
                rule.category = *what;
            if (one == "never")
                rule.budget = category_budget::never();
            else if (one.is_object())
                value<category_budget>::read(one, here, rule.budget);
            else
                here.expect(one, "an object, or \"never\"");
            found.push_back(std::move(rule));
        }
        into = std::move(found);
    }

    static nlohmann::json write(std::vector<category_rule> const& from) {
        auto made = nlohmann::json::object();
        for (auto const& rule : from) {
            auto const name = std::string{to_string(rule.category)};
            if (made.contains(name)) continue;  // the first one is the one that holds
            if (rule.budget == category_budget::never())
                made[name] = "never";
            else
                made[name] = value<category_budget>::write(rule.budget);
        }
        return made;
    }
};

template <class Fields>
void describe(Fields& fields, retry& it) {
    fields("max_attempts", it.max_attempts);
    fields("backoff", it.backoff);
    fields("per_category", it.per_category);
    fields("retry_after_max", it.retry_after_max);
    fields("wait_when_rejected", it.wait_when_rejected);
    fields("refill_on_progress", it.refill_on_progress);
    fields("retry_nested", it.retry_nested);
}

template <class Fields>
void describe(Fields& fields, retry_budget_options& it) {
    fields("ratio", it.ratio, real{0, 100, "0 to 100"});
    fields("per_second", it.per_second, whole{0, 1'000'000});
    fields("reserve", it.reserve, whole{0, 1'000'000});
    fields("at_most", it.at_most, whole{0, 1'000'000});
    fields.check([&] { static_cast<void>(retry_budget{it}); });
}

template <class Fields>
void describe(Fields& fields, not_idempotent& it) {
    fields("nothing_happened", it.nothing_happened);
}

}  // namespace recoup::inline v1::config::detail
