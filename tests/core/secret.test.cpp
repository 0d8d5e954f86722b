// SPDX-License-Identifier: BSL-1.0
#include <recoup/core/secret.hpp>

#include <recoup/core/encoding.hpp>

#include <concepts>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <ostream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/catch.hpp"

using recoup::secret;

namespace {

template <class T>
concept streamable = requires(std::ostream& out, T const& value) { out << value; };

static_assert(streamable<std::string>);
static_assert(!streamable<secret<std::string>>);
static_assert(!streamable<secret<int>>);
static_assert(!std::convertible_to<secret<std::string>, std::string>);
static_assert(!std::convertible_to<std::string, secret<std::string>>);
static_assert(!std::equality_comparable<secret<std::string>>);
static_assert(std::copyable<secret<std::string>>);
static_assert(std::is_nothrow_move_constructible_v<secret<std::string>>);
static_assert(recoup::detail::is_secret<secret<int>>::value);
static_assert(!recoup::detail::is_secret<int>::value);
static_assert(!recoup::encodable<secret<std::string>>);
static_assert(!recoup::encodable<secret<int>>);

/// Memory that can be looked at after it was given back.
struct pool {
    std::vector<char> bytes = std::vector<char>(4096);
    std::size_t used = 0;

    [[nodiscard]] bool holds(std::string_view text) const {
        return std::string_view{bytes.data(), bytes.size()}.find(text) != std::string_view::npos;
    }
};

template <class T>
struct pool_allocator {
    using value_type = T;
    using propagate_on_container_move_assignment = std::true_type;

    explicit pool_allocator(pool& from) noexcept : memory{&from} {}
    template <class U>
    pool_allocator(pool_allocator<U> const& other) noexcept : memory{other.memory} {}

    T* allocate(std::size_t count) {
        auto* const given = memory->bytes.data() + memory->used;
        memory->used += (count * sizeof(T) + alignof(T) - 1) / alignof(T) * alignof(T);
        if (memory->used > memory->bytes.size()) throw std::bad_alloc{};
        return reinterpret_cast<T*>(given);
    }
    void deallocate(T*, std::size_t) noexcept {}
    friend bool operator==(pool_allocator, pool_allocator) noexcept = default;

    pool* memory;
};

using pooled_string = std::basic_string<char, std::char_traits<char>, pool_allocator<char>>;

constexpr std::string_view text = "correct horse battery staple";

}  // namespace

TEST_CASE("A secret gives its value only to who asks for it by name") {
    secret<std::string> const password{"hunter2"};
    CHECK(password.reveal() == "hunter2");
    CHECK(secret<int>{}.reveal() == 0);
    CHECK(secret<std::unique_ptr<int>>{std::make_unique<int>(3)}.reveal() != nullptr);
}

TEST_CASE("Copies of a secret are independent, and a moved one is empty") {
    secret<std::string> first{std::string{text}};
    auto second = first;
    CHECK(second.reveal() == text);
    auto third = std::move(first);
    CHECK(third.reveal() == text);
    CHECK(first.reveal().empty());
    third = second;
    CHECK(third.reveal() == text);
    first = std::move(second);
    CHECK(first.reveal() == text);
    CHECK(second.reveal().empty());
    auto& same = first;
    first = same;
    CHECK(first.reveal() == text);
    first = std::move(same);
    CHECK(first.reveal() == text);
}

TEST_CASE("The memory of a string is wiped when its secret ends") {
    pool memory;
    {
        secret<pooled_string> const password{pooled_string{text, pool_allocator<char>{memory}}};
        REQUIRE(memory.holds(text));
    }
    CHECK_FALSE(memory.holds(text.substr(0, 4)));
}

TEST_CASE("What a longer value left behind a shorter one is wiped too") {
    pool memory;
    {
        pooled_string value{text, pool_allocator<char>{memory}};
        value.resize(3);
        secret<pooled_string> const password{std::move(value)};
        REQUIRE(memory.holds(text.substr(5)));
    }
    CHECK_FALSE(memory.holds(text.substr(5)));
}

TEST_CASE("A value that is assigned over is wiped") {
    pool memory;
    secret<pooled_string> password{pooled_string{text, pool_allocator<char>{memory}}};
    password = secret<pooled_string>{pooled_string{pool_allocator<char>{memory}}};
    CHECK_FALSE(memory.holds(text));
}

TEST_CASE("Short strings and plain data, which lie in the secret itself, are wiped") {
    struct key {
        unsigned char bytes[16];
    };
    alignas(secret<std::string>) alignas(secret<key>) unsigned char place[64]{};
    auto const holds = [&](std::string_view part) {
        // Read as the machine does: the object that was here has ended.
        char seen[sizeof place];
        for (std::size_t i = 0; i != sizeof place; ++i)
            seen[i] = static_cast<char>(*static_cast<unsigned char volatile*>(place + i));
        return std::string_view{seen, sizeof seen}.find(part) != std::string_view::npos;
    };

    auto* const word = ::new (place) secret<std::string>{std::string{"hunter2"}};
    REQUIRE(holds("hunter2"));
    auto const taken = std::move(*word);
    CHECK_FALSE(holds("hunter2"));
    *word = taken;
    REQUIRE(holds("hunter2"));
    word->~secret();
    CHECK_FALSE(holds("hunter2"));

    key value{};
    std::memcpy(value.bytes, "0123456789abcdef", sizeof value.bytes);
    auto* const plain = ::new (place) secret<key>{value};
    REQUIRE(holds("0123456789abcdef"));
    plain->~secret();
    CHECK_FALSE(holds("0123"));
}
