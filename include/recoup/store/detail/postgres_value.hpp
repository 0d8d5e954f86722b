// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <libpq-fe.h>

namespace recoup::inline v1::detail {

// The types that are used, by the numbers that they have in every server that speaks the protocol.
inline constexpr Oid pg_bytea = 17;
inline constexpr Oid pg_bigint = 20;
inline constexpr Oid pg_text = 25;

template <class Unsigned>
void put_big_endian(std::string& to, Unsigned value) {
    for (auto shift = sizeof value * 8; shift != 0;) {
        shift -= 8;
        to.push_back(static_cast<char>(static_cast<unsigned char>((value >> shift) & 0xFFU)));
    }
}

inline std::uint64_t from_big_endian(std::string_view bytes) noexcept {
    std::uint64_t value = 0;
    for (auto const byte : bytes) value = value << 8U | static_cast<unsigned char>(byte);
    return value;
}

/// An array in the protocol's binary form, one dimension.
class postgres_array {
  public:
    explicit postgres_array(Oid type, std::size_t bytes = 0) : type_{type} {
        bytes_.reserve(head_bytes + bytes);
        put_big_endian(bytes_, std::uint32_t{1});  // dimensions
        put_big_endian(bytes_, std::uint32_t{1});  // may hold nulls
        put_big_endian(bytes_, std::uint32_t{type});
        put_big_endian(bytes_, std::uint32_t{0});  // the count, known at the end
        put_big_endian(bytes_, std::uint32_t{1});  // the index of the first
    }
    void add(std::int64_t value) {
        put_big_endian(bytes_, std::uint32_t{8});
        put_big_endian(bytes_, static_cast<std::uint64_t>(value));
        ++count_;
    }
    void add(std::string_view text) {
        put_big_endian(bytes_, static_cast<std::uint32_t>(text.size()));
        bytes_.append(text);
        ++count_;
    }
    void add_null() {
        put_big_endian(bytes_, ~std::uint32_t{0});
        ++count_;
    }
    [[nodiscard]] Oid type() const noexcept {
        return type_ == pg_bytea ? 1001 : type_ == pg_bigint ? 1016 : 1009;
    }
    /// An array that is whole: nothing is added to it any more.
    [[nodiscard]] postgres_array finish() && {
        std::string count;
        put_big_endian(count, static_cast<std::uint32_t>(count_));
        bytes_.replace(12, 4, count);
        return std::move(*this);
    }
    /// Pre: it is finished.
    [[nodiscard]] std::string_view bytes() const noexcept { return bytes_; }
    [[nodiscard]] std::string take() && {
        auto whole = std::move(*this).finish();
        return std::move(whole.bytes_);
    }

  private:
    static constexpr std::size_t head_bytes = 20;
    Oid type_;
    std::size_t count_ = 0;
    std::string bytes_;
};

/// The values that a statement is run with, in the protocol's binary form. Bound, never spliced.
///
/// Texts and bytes are not copied: they must live until the statement has been sent.
class postgres_values {
  public:
    postgres_values& integer(std::int64_t value) {
        std::string bytes;
        put_big_endian(bytes, static_cast<std::uint64_t>(value));
        return own(std::move(bytes), pg_bigint);
    }
    postgres_values& text(std::string_view value) { return view(value, pg_text); }
    postgres_values& bytes(std::string_view value) { return view(value, pg_bytea); }
    postgres_values& array(postgres_array&& value) {
        auto const type = value.type();
        return own(std::move(value).take(), type);
    }
    /// Pre: it is finished, and lives until the statement has been sent.
    postgres_values& array(postgres_array const& value) {
        return view(value.bytes(), value.type());
    }
    postgres_values& null(Oid type) {
        all_.push_back({{}, {}, type, 1, false, true});
        return *this;
    }
    /// As a text that the server reads as what it needs there.
    postgres_values& shown(std::string value) {
        all_.push_back({std::move(value), {}, 0, 0, true, false});
        return *this;
    }

    /// The arguments of libpq's functions.
    struct arguments {
        std::vector<Oid> types;
        std::vector<char const*> values;
        std::vector<int> lengths;
        std::vector<int> formats;
        [[nodiscard]] int count() const noexcept { return static_cast<int>(values.size()); }
    };
    [[nodiscard]] arguments get() const {
        arguments all;
        for (auto const& one : all_) {
            auto const shown = one.owns ? std::string_view{one.own} : one.view;
            all.types.push_back(one.type);
            all.values.push_back(one.null ? nullptr : shown.data() != nullptr ? shown.data() : "");
            all.lengths.push_back(static_cast<int>(shown.size()));
            all.formats.push_back(one.format);
        }
        return all;
    }

  private:
    struct one_value {
        std::string own;
        std::string_view view;
        Oid type;
        int format;  ///< 1: binary
        bool owns;
        bool null;
    };
    postgres_values& own(std::string bytes, Oid type) {
        all_.push_back({std::move(bytes), {}, type, 1, true, false});
        return *this;
    }
    postgres_values& view(std::string_view bytes, Oid type) {
        all_.push_back({{}, bytes, type, 1, false, false});
        return *this;
    }
    std::vector<one_value> all_;
};

/// What a statement gave, in binary form.
class postgres_rows {
  public:
    postgres_rows() noexcept = default;
    explicit postgres_rows(PGresult* raw) noexcept : raw_{raw} {}
    postgres_rows(postgres_rows&& other) noexcept : raw_{std::exchange(other.raw_, nullptr)} {}
    postgres_rows& operator=(postgres_rows&& other) noexcept {
        if (this != &other) {
            PQclear(raw_);
            raw_ = std::exchange(other.raw_, nullptr);
        }
        return *this;
    }
    ~postgres_rows() { PQclear(raw_); }

    [[nodiscard]] PGresult* get() const noexcept { return raw_; }
    [[nodiscard]] int size() const noexcept { return raw_ == nullptr ? 0 : PQntuples(raw_); }
    [[nodiscard]] int columns() const noexcept { return raw_ == nullptr ? 0 : PQnfields(raw_); }
    [[nodiscard]] bool is_null(int row, int column) const noexcept {
        return PQgetisnull(raw_, row, column) != 0;
    }
    /// Text as text, bytea as bytes; valid as long as this.
    [[nodiscard]] std::string_view text(int row, int column) const noexcept {
        auto const bytes = static_cast<std::size_t>(PQgetlength(raw_, row, column));
        return {PQgetvalue(raw_, row, column), bytes};
    }
    [[nodiscard]] std::int64_t integer(int row, int column) const noexcept {
        auto const bytes = text(row, column);
        return bytes.size() == 8 ? static_cast<std::int64_t>(from_big_endian(bytes)) : 0;
    }
    /// How many rows a statement changed.
    [[nodiscard]] std::uint64_t changed() const noexcept {
        std::uint64_t count = 0;
        for (auto const* digit = raw_ == nullptr ? "" : PQcmdTuples(raw_); *digit != 0; ++digit)
            count = count * 10 + static_cast<std::uint64_t>(*digit - '0');
        return count;
    }

  private:
    PGresult* raw_ = nullptr;
};

}  // namespace recoup::inline v1::detail
