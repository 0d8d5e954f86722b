// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstring>
#include <iosfwd>
#include <memory>
#include <type_traits>
#include <utility>

namespace recoup::inline v1 {

template <class T>
class secret;

namespace detail {

template <class T>
struct is_secret;  // with the encodings: a secret has none
template <class T>
struct is_secret<secret<T>> : std::true_type {};

/// Overwrites memory in a manner that the compiler does not leave out.
inline void wipe_bytes(void* memory, std::size_t size) noexcept {
    if (size == 0) return;
    std::memset(memory, 0, size);
#if defined(__GNUC__)
    __asm__ __volatile__("" : : "r"(memory) : "memory");
#endif
}

template <class T>
concept wipeable_buffer = requires(T& buffer) {
    buffer.resize(buffer.capacity());
    requires std::is_trivially_copyable_v<std::remove_reference_t<decltype(*buffer.data())>>;
    requires !std::is_const_v<std::remove_reference_t<decltype(*buffer.data())>>;
};

template <class T>
void wipe(T& value) noexcept {
    if constexpr (std::is_trivially_copyable_v<T>) {
        wipe_bytes(std::addressof(value), sizeof value);
    } else if constexpr (wipeable_buffer<T>) {
        // What lies between size and capacity may be left of a longer value. It allocates nothing.
        value.resize(value.capacity());
        wipe_bytes(value.data(), value.size() * sizeof *value.data());
        value.clear();
    }
}

}  // namespace detail

/// Holds what must not get into a log, an error text or a store: a password, a token, a key.
///
/// It cannot be streamed, formatted, compared or stored; `reveal()` is the only way to it, and easy
/// to search for. The memory of strings, vectors of plain data and plain data is overwritten when
/// the secret ends, is moved from or assigned to: as far as a program can, since a copy that you
/// made, a swap file or a core dump is out of its reach.
/// Thread safety: as T.
template <class T>
class secret {
    static_assert(std::is_object_v<T> && !std::is_const_v<T>,
                  "recoup: secret<T> holds a value: T must not be const or a reference");

  public:
    using value_type = T;

    secret() = default;
    explicit secret(T value) : value_{std::move(value)} { detail::wipe(value); }

    secret(secret const&) = default;
    secret(secret&& other) noexcept(std::is_nothrow_move_constructible_v<T>)
        : value_{std::move(other.value_)} {
        detail::wipe(other.value_);
    }
    secret& operator=(secret const& other) {
        if (this != &other) *this = secret{other};
        return *this;
    }
    secret& operator=(secret&& other) noexcept(std::is_nothrow_move_assignable_v<T>) {
        if (this == &other) return *this;
        detail::wipe(value_);
        value_ = std::move(other.value_);
        detail::wipe(other.value_);
        return *this;
    }
    ~secret() { detail::wipe(value_); }

    /// The value; valid as long as the secret.
    [[nodiscard]] T const& reveal() const noexcept { return value_; }

  private:
    T value_{};
};

/// A secret is not printed: call `reveal()` where you really mean to.
template <class Char, class Traits, class T>
std::basic_ostream<Char, Traits>& operator<<(std::basic_ostream<Char, Traits>& out,
                                             secret<T> const& not_printable) = delete;

}  // namespace recoup::inline v1
