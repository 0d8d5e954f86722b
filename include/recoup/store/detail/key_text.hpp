// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/encoding.hpp>
#include <recoup/store/detail/decimal.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace recoup::inline v1::detail {

/// A copy of an operation's key, without an allocation for the usual length: the call must not
/// depend on arguments that the callable may change or consume.
class key_text {
  public:
    template <class K>
    explicit key_text(K const& key) {
        static_assert(std::integral<K> || textual<K>,
                      "recoup: the key function of persist returns text or an integer");
        if constexpr (std::integral<K> && !std::same_as<K, bool>) {
            auto* to = small_.data();
            auto number = static_cast<std::uint64_t>(key);
            if constexpr (std::is_signed_v<K>) {
                if (key < 0) {
                    *to++ = '-';
                    number = 0 - number;
                }
            }
            auto const* const end = put_decimal(to, number);
            size_ = static_cast<std::size_t>(end - small_.data());
            is_number_ = true;
        } else if constexpr (std::same_as<K, bool>) {
            assign(key ? "true" : "false");
        } else {
            assign(text_of(key));
        }
    }

    [[nodiscard]] std::string_view view() const noexcept {
        return size_ <= small_.size() ? std::string_view{small_.data(), size_}
                                      : std::string_view{large_};
    }

    /// Whether it consists of digits, and perhaps a sign.
    [[nodiscard]] bool is_number() const noexcept { return is_number_; }

  private:
    void assign(std::string_view text) {
        size_ = text.size();
        if (size_ <= small_.size())
            std::memcpy(small_.data(), text.data(), size_);
        else
            large_ = text;
    }

    std::array<char, 112> small_;
    std::size_t size_ = 0;
    bool is_number_ = false;
    std::string large_{};
};

}  // namespace recoup::inline v1::detail
