// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/encoding.hpp>

#include <concepts>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

namespace recoup::inline v1::detail {

/// A hash of an operation's input that is the same for every compiler and machine.
///
/// It tells one input from another by accident apart, not by malice: 64 bits, no key.
/// Source: the folded multiplication of wyhash (Wang Yi), words read as little-endian.
class fingerprint {
  public:
    /// Complexity: linear, 16 bytes a nanosecond or so.
    void add(std::string_view bytes) noexcept {
        mix(bytes.size());  // so that ("ab", "c") differs from ("a", "bc")
        while (bytes.size() >= 8) {
            mix(word(bytes.substr(0, 8)));
            bytes.remove_prefix(8);
        }
        if (!bytes.empty()) mix(word(bytes));
    }

    void add_number(encoding_tag tag, std::uint64_t number) noexcept {
        mix(static_cast<unsigned char>(tag));
        mix(number);
    }

    [[nodiscard]] std::uint64_t value() const noexcept { return state_; }

  private:
    static std::uint64_t word(std::string_view bytes) noexcept {
        std::uint64_t out = 0;
        if constexpr (std::endian::native == std::endian::little) {
            std::memcpy(&out, bytes.data(), bytes.size());
        } else {
            for (std::size_t i = bytes.size(); i != 0; --i)
                out = out << 8U | static_cast<unsigned char>(bytes[i - 1]);
        }
        return out;
    }

    void mix(std::uint64_t word) noexcept {
        __extension__ using wide = unsigned __int128;
        auto const product = wide{state_ ^ word ^ 0xA0761D6478BD642FULL} *
                             (0xE7037ED1A0B428DBULL ^ (word << 32U | word >> 32U));
        state_ = static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
    }

    std::uint64_t state_ = 0x8EBC6AF09C88C6E3ULL;
};

/// Whether adding a T to a fingerprint costs nanoseconds and allocates nothing.
template <class T>
concept cheap_input = std::integral<T> || std::is_enum_v<T> || std::floating_point<T> ||
                      textual<T> || is_secret<T>::value;

template <class T>
void add_input(fingerprint& sum, T const& value) {
    if constexpr (is_secret<T>::value) {
        sum.add_number(encoding_tag::none, 0);  // a hash of a secret would be a trace of it
    } else if constexpr (std::signed_integral<T>) {
        sum.add_number(encoding_tag::sint, static_cast<std::uint64_t>(std::int64_t{value}));
    } else if constexpr (std::unsigned_integral<T>) {
        sum.add_number(encoding_tag::sint, std::uint64_t{value});
    } else if constexpr (std::is_enum_v<T>) {
        add_input(sum, static_cast<std::underlying_type_t<T>>(value));
    } else if constexpr (std::floating_point<T>) {
        sum.add_number(encoding_tag::real,
                       std::bit_cast<std::uint64_t>(static_cast<double>(value)));
    } else if constexpr (textual<T>) {
        sum.add(text_of(value));
    } else {
        sum.add(detail::encode(value));
    }
}

/// The fingerprint of all arguments of a call.
template <class... Args>
std::uint64_t fingerprint_of(Args const&... args) {
    fingerprint sum;
    (add_input(sum, args), ...);
    return sum.value();
}

}  // namespace recoup::inline v1::detail
