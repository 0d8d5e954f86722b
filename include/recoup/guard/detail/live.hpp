// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace recoup::inline v1::detail {

/// A few numbers that are changed now and then while many read them, all of them at once.
///
/// A change is written into the other of two places and then published; whoever reads goes by the place that
/// was published last, and reads again only where two changes were begun in the meantime. So a writer that is
/// held up holds nobody up. Every word is atomic, and the loads acquire what the stores release: who sees a
/// word of a later change sees as well that this was begun.
///
/// Thread safety: `get` may be called concurrently with everything; it takes no lock and allocates nothing.
template <class T>
    requires std::is_trivially_copyable_v<T>
class live {
  public:
    explicit live(T const& first) noexcept { write(0, first); }
    live(live const&) = delete;
    live& operator=(live const&) = delete;

    [[nodiscard]] T get() const noexcept {
        while (true) {
            auto const version = published_.load(std::memory_order_acquire);
            std::array<std::uint64_t, words> copy;
            auto const& place = places_[version % places];
            for (std::size_t i = 0; i != words; ++i)
                copy[i] = place[i].load(std::memory_order_acquire);
            if (begun_.load(std::memory_order_relaxed) - version < places) [[likely]] {
                T value;
                std::memcpy(static_cast<void*>(&value), copy.data(), sizeof value);
                return value;
            }
        }
    }

    /// Pre: nobody else is in it.
    void set(T const& value) noexcept {
        auto const version = begun_.load(std::memory_order_relaxed) + 1;
        begun_.store(version, std::memory_order_relaxed);
        write(version, value);
        published_.store(version, std::memory_order_release);
    }

  private:
    static constexpr std::uint64_t places = 2;
    static constexpr std::size_t words = (sizeof(T) + 7) / 8;

    void write(std::uint64_t version, T const& value) noexcept {
        std::array<std::uint64_t, words> copy{};
        std::memcpy(copy.data(), &value, sizeof value);
        for (std::size_t i = 0; i != words; ++i)
            places_[version % places][i].store(copy[i], std::memory_order_release);
    }

    std::atomic<std::uint64_t> published_{0};
    std::array<std::array<std::atomic<std::uint64_t>, words>, places> places_{};
    std::atomic<std::uint64_t> begun_{0};
};

}  // namespace recoup::inline v1::detail
