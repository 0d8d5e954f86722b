// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/identity.hpp>

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

namespace recoup::inline v1::detail {

template <std::size_t Size>
std::uint64_t little_endian(char const* from) noexcept {
    static_assert(Size == 4 || Size == 8);
    std::conditional_t<Size == 8, std::uint64_t, std::uint32_t> word = 0;
    std::memcpy(&word, from, Size);
    if constexpr (std::endian::native == std::endian::big) {
        if constexpr (Size == 8)
            word = __builtin_bswap64(word);
        else
            word = __builtin_bswap32(word);
    }
    return word;
}

/// A number that is the same for an identity on every machine and run, and spreads well: it is kept in
/// files. Two lanes, so that one multiplication need not wait for the other.
///
/// The lengths go in as well, so that ("a", "bc") and ("ab", "c") differ.
inline std::uint64_t hash_of(operation_ref id) noexcept {
    constexpr std::uint64_t odd = 0x9E3779B97F4A7C15U;
    auto const mix = [](std::uint64_t lane, std::uint64_t word) {
        lane = (lane ^ word) * odd;
        return lane ^ (lane >> 32U);
    };
    auto even = mix(0x243F6A8885A308D3U, id.space.size() | id.name.size() << 20U |
                                             static_cast<std::uint64_t>(id.key.size()) << 40U);
    auto rest = std::uint64_t{0x13198A2E03707344U};
    for (auto const text : {id.space, id.name, id.key}) {
        auto const* const at = text.data();
        auto const size = text.size();
        if (size >= 8) {
            std::size_t i = 0;
            for (; size - i >= 16; i += 16) {
                even = mix(even, little_endian<8>(at + i));
                rest = mix(rest, little_endian<8>(at + i + 8));
            }
            if (size - i >= 8) even = mix(even, little_endian<8>(at + i));
            rest = mix(rest, little_endian<8>(at + size - 8));  // some of it for the second time
        } else if (size >= 4) {
            even = mix(even, little_endian<4>(at) | little_endian<4>(at + size - 4) << 32U);
        } else if (size > 0) {
            auto const byte = [&](std::size_t i) {
                return std::uint64_t{static_cast<unsigned char>(at[i])};
            };
            even = mix(even, byte(0) | byte(size / 2) << 8U | byte(size - 1) << 16U);
        }
    }
    auto hash = (even ^ std::rotl(rest, 29)) * 0xBF58476D1CE4E5B9U;
    hash = (hash ^ (hash >> 31U)) * 0x94D049BB133111EBU;
    return hash ^ (hash >> 30U);
}

/// Which identities a store may hold: a set of 41-bit fingerprints of fixed size (32 KiB).
///
/// There is no false negative. It is exact but for one in some 10^9 while no bucket overflows, which
/// begins beyond some 4,000 identities; what falls into a bucket that did is "maybe" from then on.
/// It counts: two identities with one fingerprint take two slots.
///
/// Thread safety: `may_contain` at any time, without a lock; the others one at a time.
class membership {
  public:
    /// What is known of an identity.
    enum class answer : std::uint8_t { no, yes, maybe };

    [[nodiscard]] bool may_contain(operation_ref id) const noexcept {
        if (size_.load(std::memory_order_relaxed) == 0) return false;
        return ask(id) != answer::no;
    }

    /// `yes`: it was added (or another with its fingerprint); `maybe`: its bucket overflowed.
    [[nodiscard]] answer ask(operation_ref id) const noexcept {
        auto const [index, print] = place(hash_of(id));
        auto const wanted = std::uint64_t{print} << 32U | print;
        // The usual trick for a zero in a word, here for either half of it: no branch but the last.
        std::uint64_t zero = 0;
        for (auto const& word : buckets_[index]) {
            auto const other = word.load(std::memory_order_relaxed) ^ wanted;
            zero |= (other - 0x0000000100000001U) & ~other;
        }
        auto const found = (zero & 0x8000000080000000U) != 0;
        // Read last: whoever overflows a bucket while we look has overwritten what we missed.
        if (buckets_[index][0].load(std::memory_order_relaxed) == overflowed) return answer::maybe;
        return found ? answer::yes : answer::no;
    }

    void insert(operation_ref id) noexcept {
        auto const [index, print] = place(hash_of(id));
        size_.fetch_add(1, std::memory_order_relaxed);
        if (replace(index, 0, print)) return;
        buckets_[index][0].store(overflowed, std::memory_order_relaxed);
    }

    /// Takes out one of what was inserted.
    void erase(operation_ref id) noexcept {
        auto const [index, print] = place(hash_of(id));
        if (buckets_[index][0].load(std::memory_order_relaxed) != overflowed)
            static_cast<void>(replace(index, print, 0));
        size_.fetch_sub(1, std::memory_order_relaxed);
    }

    void clear() noexcept {
        for (auto& bucket : buckets_)
            for (auto& word : bucket) word.store(0, std::memory_order_relaxed);
        size_.store(0, std::memory_order_relaxed);
    }

  private:
    static constexpr std::size_t bucket_count = 512;
    // Two prints a word, eight words a bucket: a cache line. A print is never 0 and never all ones.
    static constexpr std::uint64_t overflowed = ~std::uint64_t{0};
    struct position {
        std::size_t bucket;
        std::uint32_t print;
    };

    static position place(std::uint64_t hash) noexcept {
        auto const print = static_cast<std::uint32_t>(hash);
        return {static_cast<std::size_t>(hash >> 32U) % bucket_count,
                print == 0 || print == 0xFFFFFFFFU ? 1U : print};
    }

    bool replace(std::size_t index, std::uint32_t old, std::uint32_t print) noexcept {
        for (auto& word : buckets_[index]) {
            auto const both = word.load(std::memory_order_relaxed);
            for (auto const shift : {0U, 32U}) {
                if (static_cast<std::uint32_t>(both >> shift) != old) continue;
                auto const cleared = both & ~(std::uint64_t{0xFFFFFFFFU} << shift);
                word.store(cleared | std::uint64_t{print} << shift, std::memory_order_relaxed);
                return true;
            }
        }
        return false;
    }

    std::atomic<std::size_t> size_{0};
    alignas(64) std::array<std::array<std::atomic<std::uint64_t>, 8>, bucket_count> buckets_{};
};

}  // namespace recoup::inline v1::detail
