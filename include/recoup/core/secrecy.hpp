// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

// What tells a secret in a text: the names before it, and its looks.

namespace recoup::inline v1::detail {

constexpr bool is_blank(char letter) noexcept { return letter == ' ' || letter == '\t'; }

constexpr bool is_quote(char letter) noexcept { return letter == '"' || letter == '\''; }

constexpr bool is_word(char letter) noexcept {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
           (letter >= '0' && letter <= '9') || letter == '_' || letter == '-' || letter == '.';
}

/// Whether a value that stands in no quotes ends here. Other signs may be part of a password, and
/// to take too much is the lesser fault.
constexpr bool ends_value(char letter) noexcept {
    return is_blank(letter) || is_quote(letter) || letter == '\n' || letter == '\r' ||
           letter == '&' || letter == '<' || letter == '>' || letter == '`';
}

constexpr bool ends_url(char letter) noexcept {
    return is_blank(letter) || is_quote(letter) || letter == '\n' || letter == '\r' ||
           letter == '<' || letter == '>' || letter == '`';
}

/// What follows a name in a text: `name=value`, `"name": "value"`, `Name: value to the line's end`.
enum class secrecy : unsigned char {
    none,
    parameter,  ///< a secret after `=`, or in quotes; after a bare `:` an ordinary word
    value,      ///< a secret after `=` and `:`
    line,       ///< the rest of the line is secret
};

/// How secret what follows `name` is: its case, `_`, `-` and `.` do not matter.
constexpr secrecy secrecy_of(std::string_view name) noexcept {
    // Only the end of a name tells, and no ending below is longer.
    constexpr std::size_t letters_max = 16;
    std::array<char, letters_max> letters{};
    auto first = letters.size();
    auto shortened = false;
    for (auto i = name.size(); i-- != 0;) {
        auto const letter = name[i];
        if (letter == '_' || letter == '-' || letter == '.') continue;
        if (first == 0) {
            shortened = true;
            break;
        }
        auto const upper = letter >= 'A' && letter <= 'Z';
        letters[--first] = upper ? static_cast<char>(letter + ('a' - 'A')) : letter;
    }
    auto const plain = std::string_view{letters.data() + first, letters.size() - first};

    constexpr std::array<std::string_view, 2> line_endings{"authorization", "cookie"};
    constexpr std::array<std::string_view, 23> value_endings{
        "bearer",     "token",      "secret",      "password",      "passwd",         "passphrase",
        "passcode",   "pwd",        "apikey",      "accesskey",     "secretkey",      "privatekey",
        "accountkey", "authkey",    "signingkey",  "encryptionkey", "masterkey",      "sharedkey",
        "signature",  "credential", "credentials", "sessionid",     "subscriptionkey"};
    constexpr std::array<std::string_view, 6> parameters{"key", "sig", "pass", "auth", "jwt", "pw"};
    for (auto const ending : line_endings)
        if (plain.ends_with(ending)) return secrecy::line;
    for (auto const ending : value_endings)
        if (plain.ends_with(ending)) return secrecy::value;
    for (auto const whole : parameters)
        if (!shortened && plain == whole) return secrecy::parameter;
    return secrecy::none;
}

/// Whether `word` is a token by its looks: of a service that marks its own, or a JSON web token.
constexpr bool looks_like_token(std::string_view word) noexcept {
    constexpr std::array<std::string_view, 16> marks{
        "ghp_",  "gho_",  "ghu_",  "ghs_", "ghr_", "github_pat_", "glpat-", "hf_",
        "xoxb-", "xoxp-", "xoxa-", "sk-",  "sk_",  "AKIA",        "ASIA",   "eyJ"};
    constexpr std::size_t bytes_min = 20;
    if (word.size() < bytes_min) return false;
    return std::any_of(marks.begin(), marks.end(),
                       [&](std::string_view mark) { return word.starts_with(mark); });
}

constexpr bool same_letters(std::string_view word, std::string_view lower) noexcept {
    return std::equal(word.begin(), word.end(), lower.begin(), lower.end(), [](char a, char b) {
        return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + ('a' - 'A')) : a) == b;
    });
}

/// Whether `word` names a scheme of authentication, which the secret follows.
constexpr bool is_scheme(std::string_view word) noexcept {
    constexpr std::array<std::string_view, 6> schemes{"bearer",    "basic", "digest",
                                                      "negotiate", "token", "apikey"};
    return std::any_of(schemes.begin(), schemes.end(),
                       [&](std::string_view scheme) { return same_letters(word, scheme); });
}

/// Whether `word` is an option of a command line that a secret follows: `--password`.
constexpr bool is_option(std::string_view word) noexcept {
    return word.starts_with("--") && secrecy_of(word) >= secrecy::value;
}

}  // namespace recoup::inline v1::detail
