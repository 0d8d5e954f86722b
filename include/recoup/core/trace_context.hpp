// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/ambient_trace.hpp>
#include <recoup/core/category.hpp>
#include <recoup/core/errc.hpp>
#include <recoup/core/failure.hpp>
#include <recoup/core/result.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>

namespace recoup::inline v1 {

/// Where a call stands in a distributed trace: what the header `traceparent` carries.
///
/// It is passed through as it is: whoever begins spans of their own puts the new span's id into a copy.
/// Source: W3C Trace Context, https://www.w3.org/TR/trace-context/, section 3.2.
struct trace_context {
    std::array<std::uint8_t, 16> trace_id{};
    std::array<std::uint8_t, 8> span_id{};  ///< of the span that the call is made in: `parent-id`
    std::uint8_t flags = 0;

    /// Bits of `flags`. Others are reserved, and not written.
    static constexpr std::uint8_t sampled_flag = 0x01;
    static constexpr std::uint8_t random_flag = 0x02;  ///< the trace id is random, from level 2 on

    /// Whether neither of its ids is all zero, as one that was not set is.
    [[nodiscard]] constexpr bool valid() const noexcept {
        constexpr auto is_set = [](auto const& id) {
            return std::any_of(id.begin(), id.end(), [](auto byte) { return byte != 0; });
        };
        return is_set(trace_id) && is_set(span_id);
    }
    [[nodiscard]] constexpr bool sampled() const noexcept { return (flags & sampled_flag) != 0; }

    /// The value of the header, in version 00: `00-<trace id>-<span id>-<flags>`, 55 characters.
    ///
    /// Throws: std::bad_alloc.
    [[nodiscard]] std::string traceparent() const;

    /// Reads the value of the header: version 00, or what a higher one has in common with it.
    ///
    /// Returns: a failure of `category::invalid_format` that says at which character what was expected.
    [[nodiscard]] static result<trace_context> parse(std::string_view traceparent);

    friend constexpr bool operator==(trace_context const&, trace_context const&) = default;
};

namespace detail {

/// Reads a `traceparent` from left to right.
class traceparent_reader {
  public:
    explicit traceparent_reader(std::string_view text) : text_{text} {}

    result<trace_context> read() {
        auto made = trace_context{};
        auto version = std::array<std::uint8_t, 1>{};
        auto flags = std::array<std::uint8_t, 1>{};
        auto const is_read = hex(version, "the version") && dash("the version") &&
                             hex(made.trace_id, "the trace id") && dash("the trace id") &&
                             hex(made.span_id, "the parent id") && dash("the parent id") &&
                             hex(flags, "the flags") && end(version[0]);
        if (!is_read)
            return failure{category::invalid_format, errc::trace_unreadable,
                           "traceparent: " + wrong_};
        if (version[0] == 0xFF) return refuse("the version is ff, which is invalid");
        if (made.trace_id == decltype(made.trace_id){}) return refuse("the trace id is all zeros");
        if (made.span_id == decltype(made.span_id){}) return refuse("the parent id is all zeros");
        // What the other bits of a higher version mean, nobody knows here.
        made.flags = version[0] == 0
                         ? flags[0]
                         : static_cast<std::uint8_t>(flags[0] & trace_context::sampled_flag);
        return made;
    }

  private:
    static result<trace_context> refuse(std::string_view why) {
        return failure{category::invalid_format, errc::trace_unreadable,
                       "traceparent: " + std::string{why}};
    }

    bool expect(std::string const& what) {
        wrong_ = "at character " + std::to_string(at_ + 1) + " there is ";
        if (at_ == text_.size()) {
            wrong_ += "the end";
        } else {
            auto const byte = static_cast<unsigned char>(text_[at_]);
            constexpr char digits[] = "0123456789ABCDEF";
            if (byte > 0x20 && byte < 0x7F)
                ((wrong_ += '\'') += text_[at_]) += '\'';
            else
                ((wrong_ += "the byte 0x") += digits[byte >> 4U]) += digits[byte & 0x0FU];
        }
        wrong_ += "; expected " + what;
        return false;
    }

    /// The value of a lower-case digit, or 16.
    static unsigned digit(char letter) noexcept {
        if (letter >= '0' && letter <= '9') return static_cast<unsigned>(letter - '0');
        if (letter >= 'a' && letter <= 'f') return static_cast<unsigned>(letter - 'a') + 10;
        return 16;
    }

    template <std::size_t Size>
    bool hex(std::array<std::uint8_t, Size>& into, char const* of) {
        for (std::size_t i = 0; i != 2 * Size; ++i, ++at_) {
            auto const value = at_ == text_.size() ? 16U : digit(text_[at_]);
            if (value == 16) return expect(std::string{"a digit of "} + of + ": 0 to 9, or a to f");
            into[i / 2] = static_cast<std::uint8_t>(unsigned{into[i / 2]} << 4U | value);
        }
        return true;
    }
    bool dash(char const* after) {
        if (at_ == text_.size() || text_[at_] != '-')
            return expect(std::string{"'-' after "} + after);
        ++at_;
        return true;
    }
    bool end(std::uint8_t version) {
        if (at_ == text_.size()) return true;
        if (version == 0) return expect("the end of version 00");
        return text_[at_] == '-' || expect("the end, or '-' before what a higher version adds");
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::string wrong_;
};

}  // namespace detail

inline std::string trace_context::traceparent() const {
    constexpr char digits[] = "0123456789abcdef";
    std::string text;
    text.reserve(55);
    auto const add = [&](std::uint8_t byte) {
        text += digits[byte >> 4U];
        text += digits[byte & 0x0FU];
    };
    add(0);
    text += '-';
    for (auto const byte : trace_id) add(byte);
    text += '-';
    for (auto const byte : span_id) add(byte);
    text += '-';
    add(static_cast<std::uint8_t>(flags & (sampled_flag | random_flag)));
    return text;
}

inline result<trace_context> trace_context::parse(std::string_view traceparent) {
    return detail::traceparent_reader{traceparent}.read();
}

/// As `traceparent`.
template <class Char, class Traits>
std::basic_ostream<Char, Traits>& operator<<(std::basic_ostream<Char, Traits>& out,
                                             trace_context const& shown) {
    return out << shown.traceparent().c_str();
}

}  // namespace recoup::inline v1
