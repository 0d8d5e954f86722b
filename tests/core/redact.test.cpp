// SPDX-License-Identifier: BSL-1.0
#include <recoup/core/redact.hpp>

#include <chrono>
#include <cstddef>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"

using recoup::escape;
using recoup::redact;
using recoup::redacted_prefix;
using recoup::detail::printable_message;

namespace {

struct sample {
    std::string_view text;
    std::string_view redacted;
};

using generator = std::mt19937_64;

std::size_t below(generator& random, std::size_t limit) {
    return static_cast<std::size_t>(random() % limit);
}

std::string_view pick(generator& random, std::vector<std::string_view> const& from) {
    return from[below(random, from.size())];
}

// Pieces that a scanner could stumble over: quotes, escapes, half URLs, names with nothing after.
std::string noise(generator& random, std::size_t pieces_max) {
    static std::vector<std::string_view> const pieces{
        " ",     "\n",     "\t",      "\"",         "'",       "\\",        "\\\"",     "://",
        "http",  "https:", "//",      "@",          "/",       "?",         "&",        "=",
        ":",     "%3D",    "#",       "token",      "key",     "password",  "--secret", "Bearer",
        "Basic", "error",  "a.b-c_d", "\xC3\xA9",   "\xFF",    "\x01",      "***",      "[",
        "]",     "{",      "Cookie",  "max_tokens", "; ",      ", ",        "42",       "<",
        ">",     "`",      "x=y",     "api_key",    "eyJ",     "http://h/", "\r\n",     "sig",
        "pass",  "auth",   "digest",  "user:",      "host:80", "ghp_",      "-",        ".",
    };
    std::string text;
    for (auto count = below(random, pieces_max + 1); count != 0; --count)
        text += pick(random, pieces);
    return text;
}

std::string make_secret(generator& random) {
    constexpr std::string_view letters =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
    std::string secret = "Q7";  // neither a scheme nor a name
    for (auto count = 10 + below(random, 20); count != 0; --count)
        secret += letters[below(random, letters.size())];
    return secret + "7Q";
}

// `$` stands for the secret.
std::vector<std::string_view> const places{
    "https://user:$@host.test/path",
    "https://$@host.test",
    "ftp://u:pa/$@host/x",
    "postgres://admin:$@db:5432/x",
    "?token=$&x=1",
    "&access_token=$",
    "&api_key=$;x",
    "apikey=$",
    "&key=$&",
    "secret=$",
    "password = $",
    "Password: $",
    "passwd=$",
    "PWD=$",
    "?signature=$",
    "&sig=$",
    "X-Amz-Signature=$&",
    "X-Amz-Security-Token=$",
    "\nAuthorization: Basic $",
    "\nAuthorization: Bearer $\r\n",
    "\nproxy-authorization: Digest username=\"x\", response=\"$\"",
    "\nCookie: a=b; session=$",
    "\nSet-Cookie: session=$; HttpOnly",
    " Bearer $",
    " bearer   $",
    "X-Api-Key: $",
    "{\"password\": \"$\"}",
    "{\"password\":\"a \\\" $\"}",
    "{\"x\":\"{\\\"token\\\":\\\"$\\\"}\"}",
    "{'client_secret': '$'}",
    "headers[\"Authorization\"] = \"Token $\"",
    " --password $ ",
    " --api-key=$ ",
    "AWS_SECRET_ACCESS_KEY=$",
    "redirect=https%3A%2F%2Fh%2F%3Ftoken%3D$",
    " ghp_$$ ",
    " eyJhbGciOi.$.$ ",
};

std::string plant(std::string_view place, std::string_view secret) {
    std::string text;
    for (auto const letter : place) {
        if (letter == '$')
            text += secret;
        else
            text += letter;
    }
    return text;
}

}  // namespace

TEST_CASE("A secret is replaced and what surrounds it stays") {
    auto const [text, redacted] = GENERATE(values<sample>({
        {"", ""},
        {"no secret here", "no secret here"},
        {"GET https://bob:hunter2@host/a?b=c failed", "GET https://***@host/a?b=c failed"},
        {"https://ghp_0123@github.com/x", "https://***@github.com/x"},
        {"https://u:p@ss@host/x", "https://***@host/x"},
        {"https://u:p/ss@host/x", "https://***@host/x"},
        {"https://host:8080/@scope/name", "https://host:8080/@scope/name"},
        {"http://[::1]:80/@scope", "http://[::1]:80/@scope"},
        {"https://host/x?token=abc&page=2", "https://host/x?token=***&page=2"},
        {"https://host/x?access_token=abc#top", "https://host/x?access_token=***"},
        {"?X-Amz-Credential=id&X-Amz-Signature=0f&X-Amz-Date=1",
         "?X-Amz-Credential=***&X-Amz-Signature=***&X-Amz-Date=1"},
        {"Authorization: Bearer abc.def\r\nHost: x", "Authorization: ***\r\nHost: x"},
        {"proxy-authorization: Basic dTpw", "proxy-authorization: ***"},
        {"Cookie: a=1; b=2\nAccept: */*", "Cookie: ***\nAccept: */*"},
        {"X-API-Key: abc, retry", "X-API-Key: *** retry"},
        {"sent Bearer abc to host", "sent Bearer *** to host"},
        {R"({"password": "a\"b", "user": "bob"})", R"({"password": "***", "user": "bob"})"},
        {R"({\"token\":\"abc\",\"n\":1})", R"({\"token\":\"***\",\"n\":1})"},
        {"curl --password hunter2 -v", "curl --password *** -v"},
        {"token: Bearer abc", "token: *** ***"},
        {"Bearer token: abc", "Bearer *** ***"},
        {"Bearer \"abc\" ok", "Bearer \"***\" ok"},
        {"secret = 'two words' end", "secret = '***' end"},
        {"password=\"never closed", "password=\"***\""},
        {"token=\"\nAuthorization: Digest a=\"b\", c=\"d\"\nx", "token=\"***\"\nx"},
        {"://token:80/x&b@c", "://token:***&b@c"},
        {"duplicate key: users", "duplicate key: users"},
        {"?key=AIza&v=1", "?key=***&v=1"},
        {R"({"key":"abc"})", R"({"key":"***"})"},
        {"max_tokens=5 monkey=banana", "max_tokens=5 monkey=banana"},
        {"password=", "password="},
        {"the password is wrong", "the password is wrong"},
        {"saw hf_abcdefghijklmnopqrstuv today", "saw *** today"},
        {"%3Ftoken%3Dabc", "%3Ftoken%3D***"},
    }));
    CHECK(redact(text) == redacted);
    CHECK(redact(redacted) == redacted);
}

TEST_CASE("A secret never gets through, wherever it stands") {
    generator random{20240607};
    for (auto round = 0; round != 30'000; ++round) {
        auto const secret = make_secret(random);
        auto const place = pick(random, places);
        // A line break or a blank before it, as a text that names its secrets has.
        auto text = noise(random, 12);
        text += pick(random, {" ", "\n", ", "});
        text += plant(place, secret);
        text += pick(random, {"", " ", "\n"});
        text += noise(random, 12);
        auto const redacted = redact(text);
        if (redacted.find(secret) != std::string::npos) {
            FAIL("round " << round << ", " << place << "\n" << text << "\n=>\n" << redacted);
        }
    }
}

TEST_CASE("Redacting twice is redacting once, for any text") {
    generator random{7};
    for (auto round = 0; round != 50'000; ++round) {
        auto const once = redact(noise(random, 40));
        auto const twice = redact(once);
        if (once != twice) FAIL("round " << round << "\n" << once << "\n=>\n" << twice);
    }
}

TEST_CASE("Any bytes can be redacted and escaped, and come out printable") {
    generator random{11};
    for (auto round = 0; round != 5'000; ++round) {
        std::string bytes(below(random, 200), '\0');
        for (auto& byte : bytes) byte = static_cast<char>(random());
        auto const line = printable_message(bytes);
        for (auto const letter : line) {
            auto const byte = static_cast<unsigned char>(letter);
            REQUIRE(byte >= 0x20);
            REQUIRE(byte != 0x7F);
        }
        REQUIRE(escape(line) == line);
    }
}

TEST_CASE("The time to redact grows with the length of the text, not faster") {
    auto const time_of = [](std::string const& text) {
        auto best = std::chrono::nanoseconds::max();
        for (auto i = 0; i != 3; ++i) {
            auto const start = std::chrono::steady_clock::now();
            auto const redacted = redact(text);
            auto const spent = std::chrono::steady_clock::now() - start;
            if (!redacted.empty() && spent < best) best = spent;
        }
        return best;
    };
    auto const piece = std::string{
        GENERATE(as<std::string_view>{}, "://", "://a:b/", "://a:b", "token", "token ", "token\\",
                 "token=", "token=\"", "password: ", "Bearer ", "\\", "\"", "@", "://@",
                 "a:", "key : ", "=", " ", "sk-", "://u:p ", "Cookie\\\"")};
    auto const repeated = [&](std::size_t bytes) {
        std::string text;
        while (text.size() < bytes) text += piece;
        return text;
    };
    auto const small = time_of(repeated(1 << 14));
    auto const large = time_of(repeated(1 << 18));  // 16 times
    INFO(piece << ": " << small.count() << " ns, " << large.count() << " ns");
    // A quadratic scan takes 256 times as long, and the floor is for the clock.
    CHECK(large < 100 * small + std::chrono::milliseconds{20});
}

TEST_CASE("Escaping keeps text and shows what would disturb a log") {
    auto const [text, escaped] = GENERATE(values<sample>({
        {"", ""},
        {"plain \\ text", "plain \\ text"},
        {"a\nb\r\tc", "a\\nb\\r\\tc"},
        {std::string_view{"\0x", 2}, "\\x00x"},
        {"\x1B[31mred\x7F", "\\x1B[31mred\\x7F"},
        {"caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80", "caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80"},
        {"\xC2\x85", "\\xC2\\x85"},           // C1
        {"\xFF\xC3", "\\xFF\\xC3"},           // not UTF-8, cut short
        {"\xC0\x80", "\\xC0\\x80"},           // overlong
        {"\xED\xA0\x80", "\\xED\\xA0\\x80"},  // a surrogate
        {"\xE2\x80\xA8", "\\xE2\\x80\\xA8"},  // line separator
        {"\xE2\x80\xAE", "\\xE2\\x80\\xAE"},  // right-to-left override
        {"\xE2\x81\xA6", "\\xE2\\x81\\xA6"},  // isolate
    }));
    CHECK(escape(text) == escaped);
}

TEST_CASE("A prefix is cut after redaction, and not within a character") {
    CHECK(redacted_prefix("password=hunter2", 12) == "password=***");
    CHECK(redacted_prefix("password=hunter2", 11) == "password=**");
    // Cut first, the sign that ends the credentials would be gone and the password stay.
    CHECK(redacted_prefix("https://u:hunter2@host/", 15) == "https://***@hos");
    CHECK(redacted_prefix("abc", 3) == "abc");
    CHECK(redacted_prefix("abc", 0).empty());
    CHECK(redacted_prefix("a\xC3\xA9z", 2) == "a");
    CHECK(redacted_prefix("a\xC3\xA9z", 3) == "a\xC3\xA9");
    CHECK(redacted_prefix("\xF0\x9F\x98\x80z", 3).empty());
    CHECK(redacted_prefix("a\xF0\x9F\x98\x80", 4) == "a");
    CHECK(redacted_prefix("\x80\x80\x80\x80\x80\x80", 5) == "\x80\x80\x80\x80\x80");
}

TEST_CASE("What a failure prints is redacted first and escaped then") {
    CHECK(printable_message("token=a\x01z\nx") == "token=***\\nx");
}
