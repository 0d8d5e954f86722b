// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/encoding.hpp>

#include <array>
#include <charconv>
#include <concepts>
#include <cstddef>
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
            auto const end = std::to_chars(small_.data(), small_.data() + small_.size(), key).ptr;
            size_ = static_cast<std::size_t>(end - small_.data());
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
    std::string large_{};
};

}  // namespace recoup::inline v1::detail
