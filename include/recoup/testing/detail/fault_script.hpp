// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/category.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace recoup::inline v1::testing::detail {

enum class fault_kind : std::uint8_t { none, failed, thrown };

/// What becomes of one attempt.
struct fault {
    fault_kind kind = fault_kind::none;
    category what = category::network_connection;
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

    [[nodiscard]] fault at(std::uint64_t index) const noexcept {
        for (auto const& one : entries)
            if (index < one.before) return one.what;
        return {};
    }
};

/// Reads a script, word by word.
class script_reader {
  public:
    explicit script_reader(std::string_view text) : text_{text} {}

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
        throw std::invalid_argument{"recoup: fault_plan: bad script \"" + std::string{text_} +
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
        for (std::size_t i = 0; i != category_count; ++i) {
            auto const what = static_cast<category>(i);
            if (word == to_string(what)) return {fault_kind::failed, what};
        }
        at_ = start;
        fail("expected ok, fail, throw or the name of a category");
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
    std::size_t at_ = 0;
};

inline fault_script read_script(std::string_view text) { return script_reader{text}.read(); }

}  // namespace recoup::inline v1::testing::detail
