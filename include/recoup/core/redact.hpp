// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/identity.hpp>
#include <recoup/core/secrecy.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace recoup::inline v1 {

namespace detail {

/// Copies a text and leaves the secrets out. Every byte is looked at a fixed number of times.
class redactor {
  public:
    explicit redactor(std::string_view text) : text_{text} { out_.reserve(text.size()); }

    std::string run() {
        while (at_ != text_.size()) {
            if (text_.substr(at_).starts_with("://"))
                url();
            else if (is_word(text_[at_]))
                word();
            else
                copy_to(at_ + 1);
        }
        return std::move(out_);
    }

  private:
    static constexpr std::string_view mark = "***";

    void copy_to(std::size_t end) {
        out_ += text_.substr(at_, end - at_);
        at_ = end;
    }
    void hide_to(std::size_t end) {
        if (end == at_) return;
        out_ += mark;
        at_ = end;
    }
    template <class Ends>
    [[nodiscard]] std::size_t until(std::size_t from, Ends ends) const {
        while (from != text_.size() && !ends(text_[from])) ++from;
        return from;
    }
    [[nodiscard]] std::size_t skip_blanks(std::size_t from) const {
        return until(from, [](char letter) { return !is_blank(letter); });
    }

    // The user and the password before the `@`, which may hold a `/` that nobody encoded.
    void url() {
        copy_to(at_ + 3);
        if (at_ > url_end_ || url_end_ == 0) {
            // Looked for once, since a URL may hold another.
            url_end_ = until(at_, ends_url);
            auto const sign = text_.substr(at_, url_end_ - at_).rfind('@');
            url_sign_ = sign == std::string_view::npos ? 0 : at_ + sign;
        }
        auto authority = text_.substr(at_, text_.find_first_of("/?#", at_) - at_);
        authority = authority.substr(0, url_end_ - at_);
        auto const former = former_mark(authority);
        authority = authority.substr(0, former);
        if (auto const sign = authority.rfind('@'); sign != std::string_view::npos) {
            hide_to(at_ + sign);
            return;
        }
        auto const colon = authority.find(':');
        auto const port_or_none =
            colon == std::string_view::npos ||
            authority.find_first_not_of("0123456789", colon + 1) == std::string_view::npos;
        // An IPv6 address holds colons that are none of a password.
        auto const plain = port_or_none || authority.starts_with('[');
        if (!plain && former == std::string_view::npos && url_sign_ > at_) hide_to(url_sign_);
    }

    // Where an earlier run hid a value, what it hid may have ended the authority.
    [[nodiscard]] static std::size_t former_mark(std::string_view authority) {
        for (auto i = authority.find(mark); i != std::string_view::npos;
             i = authority.find(mark, i + 1)) {
            auto const after = i + mark.size();
            if (after == authority.size() || ends_value(authority[after])) return i;
        }
        return std::string_view::npos;
    }

    void word() {
        auto const end = until(at_, [](char letter) { return !is_word(letter); });
        auto const name = text_.substr(at_, end - at_);
        auto const how = secrecy_of(name);
        if (looks_like_token(name)) {
            hide_to(end);
        } else if (how != secrecy::none && assignment(end, how)) {
            return;
        } else if (same_letters(name, "bearer") || is_option(name)) {
            copy_to(end);
            if (skip_blanks(end) != end) hide_value();
        } else {
            copy_to(end);
        }
    }

    /// Hides what is assigned to the name that ends at `name_end`; false where nothing is.
    bool assignment(std::size_t name_end, secrecy how) {
        auto next = until(name_end, [](char letter) { return letter != '\\'; });
        auto const quoted = next != text_.size() && is_quote(text_[next]);
        next = quoted ? next + 1 : name_end;
        if (quoted && text_.substr(next).starts_with(']')) ++next;  // headers["Cookie"] = …
        next = skip_blanks(next);
        auto const rest = text_.substr(next, 3);
        auto const encoded = rest == "%3D" || rest == "%3d";
        if (!encoded && !rest.starts_with('=') && !rest.starts_with(':')) return false;
        if (rest.starts_with(':') && how == secrecy::parameter && !quoted) return false;
        copy_to(next + (encoded ? 3 : 1));
        if (how == secrecy::line && !quoted) {
            copy_to(skip_blanks(at_));
            hide_to(until(at_, [](char letter) { return letter == '\n' || letter == '\r'; }));
        } else {
            hide_value();
        }
        return true;
    }

    /// Hides the quoted text or the word that comes next, and more words as long as the hidden one
    /// cannot have been all: `Bearer` names a scheme, and `token:` announces a value.
    void hide_value() {
        while (true) {
            copy_to(skip_blanks(at_));
            auto const opening = until(at_, [](char letter) { return letter != '\\'; });
            if (opening != text_.size() && is_quote(text_[opening])) {
                hide_quoted(opening);
                return;
            }
            auto const end = until(at_, ends_value);
            auto const hidden = text_.substr(at_, end - at_);
            hide_to(end);
            auto const following = text_.substr(skip_blanks(end), 1);
            auto const announces = is_scheme(hidden) || is_option(hidden) ||
                                   hidden.ends_with(':') || hidden.ends_with('=');
            if (hidden.empty() || !(announces || following == ":" || following == "=")) return;
        }
    }

    /// Hides what the quote at `opening` opens. Where that is not closed on its line, the quote may
    /// be a stray one and the next one open another value: the rest of that line goes too.
    void hide_quoted(std::size_t opening) {
        auto const quote = text_.substr(at_, opening + 1 - at_);
        copy_to(opening + 1);
        auto const closing = closing_quote(quote.back(), quote.size() - 1);
        auto const value = text_.substr(at_, closing - at_);
        auto const closed =
            closing != text_.size() && value.find_first_of("\r\n") == std::string_view::npos;
        if (closed) {
            hide_to(closing);
        } else if (at_ != text_.size()) {
            auto const end = text_.find_first_of("\r\n", closing);
            hide_to(end == std::string_view::npos ? text_.size() : end);
            out_ += quote;
        }
    }

    // A quote with more backslashes before it than the opening one had is part of the value.
    [[nodiscard]] std::size_t closing_quote(char quote, std::size_t backslashes) const {
        std::size_t run = 0;
        for (auto i = at_; i != text_.size(); ++i) {
            if (text_[i] == quote && run <= backslashes) return i - run;
            run = text_[i] == '\\' ? run + 1 : 0;
        }
        return text_.size();
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::size_t url_end_ = 0;   ///< of the URL looked at last
    std::size_t url_sign_ = 0;  ///< its last `@`, or 0
    std::string out_;
};

/// Whether a sequence of UTF-8 changes lines or the direction of what follows it.
constexpr bool disturbs_text(std::string_view sequence) noexcept {
    auto const byte = [&](std::size_t i) { return static_cast<unsigned char>(sequence[i]); };
    if (sequence.size() == 1) return byte(0) < 0x20 || byte(0) == 0x7F;
    if (sequence.size() == 2) return byte(0) == 0xC2 && byte(1) < 0xA0;  // C1
    if (sequence.size() != 3 || byte(0) != 0xE2) return false;
    return (byte(1) == 0x80 && byte(2) >= 0xA8 && byte(2) <= 0xAE) ||  // U+2028 to U+202E
           (byte(1) == 0x81 && byte(2) >= 0xA6 && byte(2) <= 0xA9);    // U+2066 to U+2069
}

}  // namespace detail

/// `text` with each secret that can be recognised as one replaced by `***`: the user and password
/// of a URL; what follows names such as `password`, `access_token`, `api_key`, `X-Amz-Signature`,
/// in a query, a header, JSON or a command line; `Authorization` and `Cookie` headers whole;
/// `Bearer …`; tokens that services mark as theirs.
///
/// Redacting twice is redacting once. A secret with nothing about it that tells is not recognised:
/// keep it in a `secret<T>`.
/// Throws: std::bad_alloc. Complexity: linear.
inline std::string redact(std::string_view text) { return detail::redactor{text}.run(); }

/// `text` on one line, safe for a log or a terminal: `\n`, `\r`, `\t`, and `\xNN` for the bytes of
/// other control characters, of what is not UTF-8, and of characters that break lines or turn the
/// direction of writing.
///
/// Throws: std::bad_alloc. Complexity: linear.
inline std::string escape(std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        auto const length = detail::utf8_sequence(text);
        auto const sequence = text.substr(0, length == 0 ? 1 : length);
        text.remove_prefix(sequence.size());
        if (length != 0 && !detail::disturbs_text(sequence)) {
            out += sequence;
        } else if (sequence == "\n") {
            out += "\\n";
        } else if (sequence == "\r") {
            out += "\\r";
        } else if (sequence == "\t") {
            out += "\\t";
        } else {
            for (auto const letter : sequence) {
                auto const byte = static_cast<unsigned char>(letter);
                out += "\\x";
                out += digits[byte >> 4U];
                out += digits[byte & 0x0FU];
            }
        }
    }
    return out;
}

/// The front of `redact(text)`, at most `bytes_max` bytes, not cut within a character. The secrets
/// are gone before the cut, which could otherwise hide what tells them.
///
/// Throws: std::bad_alloc. Complexity: linear in the whole of `text`.
inline std::string redacted_prefix(std::string_view text, std::size_t bytes_max) {
    auto whole = redact(text);
    if (whole.size() <= bytes_max) return whole;
    constexpr std::size_t tail_bytes_max = 3;
    auto cut = bytes_max;
    for (std::size_t i = 0; i != tail_bytes_max && cut != 0; ++i, --cut)
        if ((static_cast<unsigned char>(whole[cut]) & 0xC0U) != 0x80U) break;
    // A run of stray tail bytes is no character that could be spared.
    if ((static_cast<unsigned char>(whole[cut]) & 0xC0U) == 0x80U) cut = bytes_max;
    whole.resize(cut);
    return whole;
}

namespace detail {

/// What a failure prints of its message.
inline std::string printable_message(std::string_view text) { return escape(redact(text)); }

}  // namespace detail

}  // namespace recoup::inline v1
