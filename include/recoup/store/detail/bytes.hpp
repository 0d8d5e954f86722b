// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/record.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

// What the encodings of records, operations and steps have in common: little-endian numbers, texts as
// u32 length and bytes, failures.

namespace recoup::inline v1::detail {

/// Nothing that is kept is larger than this, whatever a store's options say.
inline constexpr std::size_t record_bytes_limit = std::size_t{512} << 20U;

template <std::integral Number>
void put_number(std::string& bytes, Number number) {
    auto rest = static_cast<std::make_unsigned_t<Number>>(number);
    char packed[sizeof rest];
    for (auto& byte : packed) {
        byte = static_cast<char>(static_cast<unsigned char>(rest & 0xFFU));
        if constexpr (sizeof rest > 1) rest = static_cast<decltype(rest)>(rest >> 8U);
    }
    bytes.append(packed, sizeof packed);
}

inline void put_text(std::string& bytes, std::string_view text) {
    put_number(bytes, static_cast<std::uint32_t>(text.size()));
    bytes.append(text);
}

inline std::size_t encoded_size(recorded_failure const& what) noexcept {
    return 1 + 4 + 4 + what.code_category.size() + 4 + what.message.size();
}

inline void put_failure(std::string& bytes, recorded_failure const& what) {
    put_number(bytes, static_cast<std::uint8_t>(what.category));
    put_number(bytes, what.code);
    put_text(bytes, what.code_category);
    put_text(bytes, what.message);
}

/// Reads from bytes that may hold anything; never past their end. The first error sticks.
class byte_reader {
  public:
    explicit byte_reader(std::string_view bytes) noexcept : rest_{bytes} {}

    template <std::integral Number>
    Number number() noexcept {
        std::make_unsigned_t<Number> value = 0;
        if (rest_.size() < sizeof value) {
            fail("it ends too early");
            return 0;
        }
        for (std::size_t i = sizeof value; i-- != 0;) {
            if constexpr (sizeof value > 1) value = static_cast<decltype(value)>(value << 8U);
            value = static_cast<decltype(value)>(value | static_cast<unsigned char>(rest_[i]));
        }
        rest_.remove_prefix(sizeof value);
        return static_cast<Number>(value);
    }

    std::string text(std::size_t bytes_max, char const* wrong) {
        auto const size = std::size_t{number<std::uint32_t>()};
        if (wrong_ == nullptr && (size > bytes_max || size > rest_.size())) fail(wrong);
        if (wrong_ != nullptr) return {};
        std::string text{rest_.substr(0, size)};
        rest_.remove_prefix(size);
        return text;
    }

    void require(bool holds, char const* wrong) noexcept {
        if (!holds) fail(wrong);
    }
    [[nodiscard]] char const* wrong() const noexcept { return wrong_; }
    [[nodiscard]] bool at_end() const noexcept { return rest_.empty(); }

  private:
    void fail(char const* wrong) noexcept {
        if (wrong_ == nullptr) wrong_ = wrong;
        rest_ = {};
    }
    std::string_view rest_;
    char const* wrong_ = nullptr;
};

inline recorded_failure read_failure(byte_reader& from) {
    recorded_failure seen;
    auto const what = from.number<std::uint8_t>();
    from.require(what < category_count, "the last failure's category is unknown");
    seen.category = static_cast<category>(what);
    seen.code = from.number<std::int32_t>();
    seen.code_category = from.text(record_bytes_limit, "the name of the error category is cut");
    seen.message = from.text(record_bytes_limit, "the last failure's text is cut");
    return seen;
}

}  // namespace recoup::inline v1::detail
