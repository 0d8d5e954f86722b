// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/config/duration_text.hpp>
#include <recoup/core/category.hpp>
#include <recoup/core/failure.hpp>
#include <recoup/core/random.hpp>
#include <recoup/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace recoup::inline v1::detail {

enum class fault_kind : std::uint8_t { none, failed, thrown, slow, wrong, crash };

/// What becomes of one attempt.
struct fault {
    fault_kind kind = fault_kind::none;
    category what = category::network_connection;
    duration latency{};  ///< where it is slow
};

/// The most attempts that one word can stand for, and the most words.
inline constexpr std::uint64_t script_repeat_max = 1'000'000'000;
inline constexpr std::size_t script_words_max = 10'000;

/// A script that was read: which fault holds up to which attempt.
struct fault_script {
    struct entry {
        fault what;
        std::uint64_t before;  ///< the index of the first attempt that it does not hold for
    };
    std::vector<entry> entries{};

    /// Whether a word stands for this attempt.
    [[nodiscard]] bool covers(std::uint64_t index) const noexcept {
        return !entries.empty() && index < entries.back().before;
    }

    [[nodiscard]] fault at(std::uint64_t index) const noexcept {
        for (auto const& one : entries)
            if (index < one.before) return one.what;
        return {};
    }
};

/// Reads a script, word by word.
class script_reader {
  public:
    /// `what`: how a message names it. `all_words`: whether `slow`, `wrong` and `crash` are words.
    script_reader(std::string_view text, std::string_view what, bool all_words)
        : text_{text}, what_{what}, all_words_{all_words} {}

    fault_script read() {
        fault_script script;
        std::uint64_t until = 0;
        while (true) {
            if (script.entries.size() == script_words_max)
                fail("expected at most " + std::to_string(script_words_max) + " words");
            auto const what = read_word();
            auto const count = read_count();
            skip_spaces();
            auto const last = at_ == text_.size();
            if (!count && !last) fail("expected a number: only the last word may repeat for ever");
            until = count ? until + *count : UINT64_MAX;
            script.entries.push_back({what, until});
            if (last) return script;
            if (text_[at_] != ',') fail("expected ',' or the end");
            ++at_;
        }
    }

  private:
    [[noreturn]] void fail(std::string const& why) const {
        throw std::invalid_argument{"recoup: " + std::string{what_} + " \"" + std::string{text_} +
                                    "\" at position " + std::to_string(at_) + ": " + why};
    }

    void skip_spaces() {
        while (at_ < text_.size() && text_[at_] == ' ') ++at_;
    }

    fault read_word() {
        skip_spaces();
        auto const start = at_;
        auto const part = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
        while (at_ < text_.size() && part(text_[at_])) ++at_;
        auto const word = text_.substr(start, at_ - start);
        if (word == "ok") return {};
        if (word == "fail") return {fault_kind::failed, category::network_connection};
        if (word == "throw") return {fault_kind::thrown, category::network_connection};
        if (all_words_ && word == "wrong") return {fault_kind::wrong};
        if (all_words_ && word == "crash") return {fault_kind::crash};
        if (all_words_ && word == "slow")
            return {.kind = fault_kind::slow, .latency = read_latency()};
        for (std::size_t i = 0; i != category_count; ++i) {
            auto const what = static_cast<category>(i);
            if (word == to_string(what)) return {fault_kind::failed, what};
        }
        at_ = start;
        fail(all_words_ ? "expected ok, fail, throw, slow, wrong, crash or the name of a category"
                        : "expected ok, fail, throw or the name of a category");
    }

    duration read_latency() {
        skip_spaces();
        auto const start = at_;
        while (at_ < text_.size() && text_[at_] != ',' && text_[at_] != ' ' && text_[at_] != '*')
            ++at_;
        auto const found = config::parse_duration(text_.substr(start, at_ - start));
        if (found && *found >= duration{}) return *found;
        at_ = start;
        fail("expected how long it takes, such as 200ms");
    }

    /// Returns: how many attempts the word stands for; nothing for ever.
    std::optional<std::uint64_t> read_count() {
        skip_spaces();
        if (at_ == text_.size() || text_[at_] != '*') return 1;
        ++at_;
        skip_spaces();
        auto const digit = [&] {
            return at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9';
        };
        if (!digit()) return std::nullopt;
        std::uint64_t count = 0;
        while (digit()) {
            count = count * 10 + static_cast<std::uint64_t>(text_[at_] - '0');
            if (count > script_repeat_max)
                fail("expected at most " + std::to_string(script_repeat_max) + " repetitions");
            ++at_;
        }
        return count;
    }

    std::string_view text_;
    std::string_view what_;
    bool all_words_;
    std::size_t at_ = 0;
};

/// What an attempt fails with that is made to. Throws, in the name of `by`, where it is to throw.
///
/// Pre: `what` is failed or thrown.
inline failure injected_failure(fault const& what, char const* by) {
    auto const reset = std::make_error_code(std::errc::connection_reset);
    if (what.kind == fault_kind::thrown) throw std::system_error{reset, by};
    if (what.what == category::network_connection) return failure{what.what, reset};
    return failure{what.what};
}

/// Of the attempts of a sequence, the number that decides about one: evenly from 0 to 1. Equal seeds give
/// equal sequences, and neighbouring ones different sequences.
inline double share_of_attempt(std::uint64_t seed, std::uint64_t index) noexcept {
    // Two steps, for neighbouring seeds must not give neighbouring sequences.
    auto const draw = splitmix64{splitmix64{seed}() + index * 0x9E3779B97F4A7C15ULL}();
    return static_cast<double>(draw >> 11U) * 0x1p-53;
}

}  // namespace recoup::inline v1::detail
