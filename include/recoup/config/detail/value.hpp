// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/config/detail/place.hpp>
#include <recoup/config/duration_text.hpp>
#include <recoup/core/time.hpp>
#include <recoup/json.hpp>

#include <array>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

// How each type stands in JSON: `value<T>::read` and `value<T>::write`. A structure is described once, by its
// fields (`describe(fields, structure)`), for both directions, so that neither can forget one.

namespace recoup::inline v1::config::detail {

/// What a whole number may be.
struct whole {
    std::uint64_t least = 0;
    std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
};

/// What a number may be, and in words.
struct real {
    double least;
    double most;
    std::string_view words;
    bool least_too = true;  ///< whether it may be the least itself
    bool most_too = true;
};

inline constexpr auto share = real{0, 1, "a share above 0 and up to 1", false};

/// What a duration may be.
struct span {
    duration least{};
    duration most = unlimited;
};

template <class T>
struct value;

template <>
struct value<bool> {
    static void read(nlohmann::json const& from, place const& at, bool& into) {
        if (!from.is_boolean()) return at.expect(from, "true or false");
        into = from.get<bool>();
    }
    static nlohmann::json write(bool from) { return from; }
};

template <std::unsigned_integral T>
    requires(!std::same_as<T, bool>)
struct value<T> {
    static void read(nlohmann::json const& from, place const& at, T& into, whole range = {}) {
        constexpr auto highest = std::uint64_t{std::numeric_limits<T>::max()};
        if (range.most > highest) range.most = highest;
        if (from.is_number_unsigned()) {
            auto const number = from.get<std::uint64_t>();
            if (number >= range.least && number <= range.most) {
                into = static_cast<T>(number);
                return;
            }
        } else if (from.is_number_integer() && from.get<std::int64_t>() >= 0) {
            // Made by hand from a signed number.
            return read(static_cast<std::uint64_t>(from.get<std::int64_t>()), at, into, range);
        }
        at.expect(from, (from.is_number_float() ? "a whole number from " : "") +
                            std::to_string(range.least) + " to " + std::to_string(range.most));
    }
    static nlohmann::json write(T from) { return from; }
};

template <>
struct value<double> {
    static void read(nlohmann::json const& from, place const& at, double& into, real range) {
        if (from.is_number()) {
            auto const number = from.get<double>();
            auto const above = range.least_too ? number >= range.least : number > range.least;
            auto const below = range.most_too ? number <= range.most : number < range.most;
            if (above && below) {
                into = number;
                return;
            }
        }
        at.expect(from, range.words);
    }
    static nlohmann::json write(double from) { return from; }
};

template <>
struct value<duration> {
    static void read(nlohmann::json const& from, place const& at, duration& into, span range = {}) {
        if (!from.is_string())
            return at.expect(from, "a duration as text with its unit, such as \"200ms\"");
        auto const found = parse_duration(from.get_ref<std::string const&>());
        if (!found)
            return at.expect(from,
                             "a duration: a number and one of the units d, h, min, s, ms, us, ns, "
                             "such as \"200ms\", or \"unlimited\"");
        if (*found < range.least || *found > range.most)
            return at.expect(from, "\"" + duration_text(range.least) + "\" to \"" +
                                       duration_text(range.most) + "\"");
        into = *found;
    }
    static nlohmann::json write(duration from) { return duration_text(from); }
};

template <>
struct value<std::string> {
    static void read(nlohmann::json const& from, place const& at, std::string& into,
                     std::size_t bytes_max = 256) {
        if (!from.is_string() || from.get_ref<std::string const&>().size() > bytes_max)
            return at.expect(from, "text of at most " + std::to_string(bytes_max) + " bytes");
        into = from.get<std::string>();
    }
    static nlohmann::json write(std::string const& from) { return from; }
};

/// The words that stand for the values of an enumeration.
template <class E>
using words = std::pair<std::string_view, E>;

template <class List>
std::string one_of(List const& names) {
    std::string text{"one of: "};
    for (std::size_t i = 0; i != names.size(); ++i)
        (text += i == 0 ? "" : ", ") += std::string_view{names[i].first};
    return text;
}

template <class E, std::size_t N>
std::optional<E> find_word(std::array<words<E>, N> const& names, std::string_view word) {
    for (auto const& [name, meaning] : names)
        if (name == word) return meaning;
    return std::nullopt;
}

/// `word_list<E>::all` are the words of an enumeration.
template <class E>
struct word_list;

template <class E>
concept has_words = requires { word_list<E>::all.size(); };

/// What may stand where such an enumeration does.
template <has_words E>
std::string expected_word() {
    if constexpr (requires { word_list<E>::said; })
        return std::string{word_list<E>::said};  // a list too long for a message
    else
        return one_of(word_list<E>::all);
}

template <has_words E>
struct value<E> {
    static void read(nlohmann::json const& from, place const& at, E& into) {
        constexpr auto const& names = word_list<E>::all;
        if (from.is_string())
            if (auto const found = find_word(names, from.get_ref<std::string const&>())) {
                into = *found;
                return;
            }
        at.expect(from, expected_word<E>());
    }
    static nlohmann::json write(E from) {
        constexpr auto const& names = word_list<E>::all;
        for (auto const& [name, meaning] : names)
            if (meaning == from) return name;
        return static_cast<int>(from);  // outside of the enumeration: nobody reads that
    }
};

/// Says what `check` throws, a std::invalid_argument with `recoup: name: field is …, expected …`, of that field.
template <class Check>
void say_refusal(place const& at, Check&& check) {
    try {
        check();
    } catch (std::invalid_argument const& refused) {
        auto text = std::string_view{refused.what()};
        if (text.starts_with("recoup: ")) text.remove_prefix(8);
        if (auto const colon = text.find(": "); colon != text.npos) text.remove_prefix(colon + 2);
        auto const space = text.find(' ');
        if (space == text.npos) return at.say(std::string{text});
        at.child(text.substr(0, space)).say(std::string{text.substr(space + 1)});
    }
}

/// Reads the fields of one object, and knows which of them are none.
class field_reader {
  public:
    /// Pre: `from` is an object.
    field_reader(nlohmann::json const& from, place const& at)
        : from_{from}, at_{at}, before_{at.problems()} {}

    /// A field that may be left out: `into` keeps what it holds.
    template <class T, class... Constraint>
    void operator()(char const* name, T& into, Constraint const&... constraint) {
        names_.emplace_back(name);
        auto const found = from_.find(name);
        if (found != from_.end()) value<T>::read(*found, at_.child(name), into, constraint...);
    }

    /// A field that must be there.
    template <class T, class... Constraint>
    void required(char const* name, T& into, Constraint const&... constraint) {
        if (!from_.contains(name)) at_.child(name).say("is missing");
        (*this)(name, into, constraint...);
    }

    [[nodiscard]] bool has(char const* name) const { return from_.contains(name); }
    void say(char const* field, std::string text) const { at_.child(field).say(std::move(text)); }

    /// What holds between fields: `check` throws a std::invalid_argument that says
    /// `recoup: name: field is …, expected …`. Asked where each field by itself is right.
    template <class Check>
    void check(Check&& check) const {
        if (at_.problems() == before_) say_refusal(at_, check);
    }

    void finish() const {
        for (auto const& [name, ignored] : from_.items()) {
            auto known = false;
            for (auto const& field : names_) known = known || field == name;
            if (known) continue;
            std::string expected{"is not known, expected one of: "};
            for (auto const& field : names_)
                (expected += &field == &names_.front() ? "" : ", ") += field;
            at_.child(name).say(std::move(expected));
        }
    }

  private:
    nlohmann::json const& from_;
    place const& at_;
    std::size_t before_;
    std::vector<std::string_view> names_{};
};

/// Writes the fields of one object.
class field_writer {
  public:
    template <class T, class... Constraint>
    void operator()(char const* name, T const& from, Constraint const&...) {
        if constexpr (requires { value<T>::leaves_out(from); })
            if (value<T>::leaves_out(from)) return;
        made[name] = value<T>::write(from);
    }
    template <class T, class... Constraint>
    void required(char const* name, T const& from, Constraint const&... constraint) {
        (*this)(name, from, constraint...);
    }
    static bool has(char const* /*name*/) noexcept { return true; }
    static void say(char const* /*field*/, std::string const& /*text*/) noexcept {}
    template <class Check>
    static void check(Check const& /*check*/) noexcept {}

    nlohmann::json made = nlohmann::json::object();
};

/// A structure that `describe` knows the fields of.
template <class T>
    requires requires(field_reader& reader, T& one) { describe(reader, one); }
struct value<T> {
    static void read(nlohmann::json const& from, place const& at, T& into) {
        if (!from.is_object()) return at.expect(from, "an object");
        auto fields = field_reader{from, at};
        describe(fields, into);
        fields.finish();
    }
    static nlohmann::json write(T const& from) {
        auto fields = field_writer{};
        auto copy = from;
        describe(fields, copy);
        return std::move(fields.made);
    }
};

/// What may be left out.
template <class T>
struct value<std::optional<T>> {
    static bool leaves_out(std::optional<T> const& from) noexcept { return !from.has_value(); }
    template <class... Constraint>
    static void read(nlohmann::json const& from, place const& at, std::optional<T>& into,
                     Constraint const&... constraint) {
        into.emplace();
        value<T>::read(from, at, *into, constraint...);
    }
    static nlohmann::json write(std::optional<T> const& from) { return value<T>::write(*from); }
};

/// Things by a name that the document chooses.
template <class T>
struct value<std::map<std::string, T>> {
    static constexpr std::size_t names_max = 10'000;

    static void read(nlohmann::json const& from, place const& at, std::map<std::string, T>& into) {
        if (!from.is_object() || from.size() > names_max)
            return at.expect(from, "an object of at most " + std::to_string(names_max) + " names");
        for (auto const& [name, one] : from.items())
            value<T>::read(one, at.child(name), into[name]);
    }
    static nlohmann::json write(std::map<std::string, T> const& from) {
        auto made = nlohmann::json::object();
        for (auto const& [name, one] : from) made[name] = value<T>::write(one);
        return made;
    }
};

}  // namespace recoup::inline v1::config::detail
