// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/record.hpp>

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

// What the encodings of records, operations and steps have in common: little-endian numbers, texts as
// u32 length and bytes, failures.

namespace recoup::inline v1::detail {

/// Nothing that is kept is larger than this, whatever a store's options say.
inline constexpr std::size_t record_bytes_limit = std::size_t{512} << 20U;

/// Writes `number` to `to`. Pre: there is room for it.
template <class Number>
void place_number(char* to, Number number) noexcept {
    if constexpr (std::endian::native == std::endian::little) {
        std::memcpy(to, &number, sizeof number);
    } else {
        for (std::size_t i = 0; i != sizeof number; ++i)
            to[i] = static_cast<char>(static_cast<std::uint64_t>(number) >> (8 * i));
    }
}

template <std::integral Number>
void put_number(std::string& bytes, Number number) {
    char packed[sizeof number];
    place_number(packed, number);
    bytes.append(packed, sizeof packed);
}

inline void put_text(std::string& bytes, std::string_view text) {
    put_number(bytes, static_cast<std::uint32_t>(text.size()));
    bytes.append(text);
}

inline std::size_t encoded_size(recorded_failure const& what) noexcept {
    return 1 + 4 + 4 + what.code_category.size() + 4 + what.message.size();
}

/// Writes where there is room for all that is written: its size is known beforehand.
class byte_writer {
  public:
    explicit byte_writer(char* to) noexcept : at_{to} {}

    template <std::integral Number>
    void number(Number number) noexcept {
        place_number(at_, number);
        at_ += sizeof number;
    }
    void bytes(void const* from, std::size_t size) noexcept {
        if (size != 0) std::memcpy(at_, from, size);
        at_ += size;
    }
    void text(std::string_view text) noexcept {
        number(static_cast<std::uint32_t>(text.size()));
        bytes(text.data(), text.size());
    }
    void failure(recorded_failure const& what) noexcept {
        number(static_cast<std::uint8_t>(what.category));
        number(what.code);
        text(what.code_category);
        text(what.message);
    }
    /// Where the next byte goes.
    [[nodiscard]] char* at() const noexcept { return at_; }

  private:
    char* at_;
};

/// The number at `from`. Pre: that many bytes are there.
template <class Number>
Number number_at(char const* from) noexcept {
    Number number{};
    if constexpr (std::endian::native == std::endian::little) {
        std::memcpy(&number, from, sizeof number);
    } else {
        std::uint64_t wide = 0;
        for (std::size_t i = sizeof number; i-- != 0;)
            wide = wide << 8U | static_cast<unsigned char>(from[i]);
        number = static_cast<Number>(wide);
    }
    return number;
}

/// Reads from bytes that may hold anything; never past their end. The first error sticks.
class byte_reader {
  public:
    explicit byte_reader(std::string_view bytes) noexcept : rest_{bytes} {}

    template <std::integral Number>
    Number number() noexcept {
        if (rest_.size() < sizeof(Number)) {
            fail("it ends too early");
            return 0;
        }
        auto const value = number_at<Number>(rest_.data());
        rest_.remove_prefix(sizeof value);
        return value;
    }

    template <std::size_t Size>
    void bytes(std::array<std::uint8_t, Size>& into) noexcept {
        if (rest_.size() < Size) return fail("it ends too early");
        std::memcpy(into.data(), rest_.data(), Size);
        rest_.remove_prefix(Size);
    }

    /// A text, as a view of the bytes.
    std::string_view text(std::size_t bytes_max, char const* wrong) noexcept {
        auto const size = std::size_t{number<std::uint32_t>()};
        if (wrong_ == nullptr && (size > bytes_max || size > rest_.size())) fail(wrong);
        if (wrong_ != nullptr) return {};
        auto const text = rest_.substr(0, size);
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
