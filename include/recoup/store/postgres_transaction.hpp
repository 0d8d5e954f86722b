// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/result.hpp>
#include <recoup/store/detail/postgres_connection.hpp>

#include <algorithm>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace recoup::inline v1 {

/// One row that a query gave; valid until the function that it was given to returns.
class postgres_result_row {
  public:
    postgres_result_row(detail::postgres_rows const& rows, int row) noexcept
        : rows_{&rows}, row_{row} {}

    [[nodiscard]] int columns() const noexcept { return rows_->columns(); }
    [[nodiscard]] bool is_null(int column) const noexcept { return rows_->is_null(row_, column); }
    /// As the server writes it; bytea as `\x` and digits.
    [[nodiscard]] std::string_view text(int column) const noexcept {
        return rows_->text(row_, column);
    }
    /// Nothing where it is no whole number of this range.
    [[nodiscard]] std::optional<std::int64_t> integer(int column) const noexcept {
        return number<std::int64_t>(column);
    }
    [[nodiscard]] std::optional<double> real(int column) const noexcept {
        return number<double>(column);
    }

  private:
    template <class Number>
    [[nodiscard]] std::optional<Number> number(int column) const noexcept {
        auto const shown = text(column);
        Number value{};
        auto const read = std::from_chars(shown.data(), shown.data() + shown.size(), value);
        if (read.ec != std::errc{} || read.ptr != shown.data() + shown.size()) return std::nullopt;
        return value;
    }
    detail::postgres_rows const* rows_;
    int row_;
};

/// The user's own rows in the database of a `postgres_store`, for as long as the body of `transact` runs.
///
/// It begins and ends nothing: what is done here is recorded with the step that the body returns, or not at
/// all. Control of transactions, SET and COPY are refused; leave the store's own schema alone. Values are
/// bound: `run("UPDATE stock SET left = left - $1 WHERE id = $2", 3, "bolt")`.
class postgres_transaction {
  public:
    postgres_transaction(detail::postgres_connection& on, std::string const& where,
                         steady_time until)
        : on_{&on}, where_{&where}, until_{until} {}
    postgres_transaction(postgres_transaction const&) = delete;
    postgres_transaction& operator=(postgres_transaction const&) = delete;
    ~postgres_transaction() = default;

    /// Runs one statement. Returns: how many rows it changed.
    template <class... Values>
    result<std::uint64_t> run(std::string_view sql, Values const&... values) {
        auto rows = ask(sql, values...);
        if (!rows.has_value()) return rows.error();
        return rows.value().changed();
    }

    /// Runs one statement, and gives each row of its result to `take(postgres_result_row const&)`.
    template <std::invocable<postgres_result_row const&> Take, class... Values>
    result<void> query(std::string_view sql, Take&& take, Values const&... values) {
        auto rows = ask(sql, values...);
        if (!rows.has_value()) return rows.error();
        for (int row = 0; row != rows.value().size(); ++row)
            take(postgres_result_row{rows.value(), row});
        return success();
    }

    /// The first column of the first row as an integer; nothing where there is no row, or it is none.
    template <class... Values>
    result<std::optional<std::int64_t>> number(std::string_view sql, Values const&... values) {
        auto rows = ask(sql, values...);
        if (!rows.has_value()) return rows.error();
        if (rows.value().size() == 0 || rows.value().columns() == 0)
            return std::optional<std::int64_t>{};
        return postgres_result_row{rows.value(), 0}.integer(0);
    }

    /// What made the transaction useless, if anything did: a failed statement does in this database.
    [[nodiscard]] std::optional<detail::postgres_problem> const& broken() const noexcept {
        return broken_;
    }
    void close() noexcept { closed_ = true; }

  private:
    template <class... Values>
    result<detail::postgres_rows> ask(std::string_view sql, Values const&... values) {
        if (closed_ || broken_)
            return detail::store_failure(
                store_errc::unavailable,
                "the transaction is over, or a statement before failed and took it back");
        if (sql.find('\0') != std::string_view::npos || is_refused(first_word(sql)))
            return refuse(sql,
                          "a transaction of a step may not begin, end or set anything, or copy");
        if ((has_nul(values) || ...))
            return refuse(sql,
                          "a text has a NUL in it, which this database cannot keep; bind bytes");
        detail::postgres_values bound;
        (bind(bound, values), ...);
        auto answer = on_->run(sql, bound, until_, false);
        if (!answer.failed()) return std::move(answer.rows);
        broken_ = std::move(answer.problem);
        auto const why = detail::failure_of(*broken_, '"' + std::string{sql} + '"', *where_);
        if (broken_->state.starts_with("22") || broken_->state.starts_with("23") ||
            broken_->state.starts_with("42"))
            return failure{category::invalid_input, make_error_code(store_errc::conflict),
                           why.message()};
        return why;
    }

    static failure refuse(std::string_view sql, std::string const& why) {
        return failure{category::invalid_input, make_error_code(store_errc::conflict),
                       "the SQL statement \"" + std::string{sql} + "\" was refused: " + why};
    }

    template <class Value>
    static bool has_nul(Value const& value) noexcept {
        if constexpr (std::is_convertible_v<Value const&, std::string_view> &&
                      !std::is_same_v<Value, std::nullptr_t>)
            return std::string_view{value}.find('\0') != std::string_view::npos;
        return false;
    }

    template <class Value>
    static void bind(detail::postgres_values& to, Value const& value) {
        if constexpr (std::is_same_v<Value, std::nullptr_t>) {
            to.null(0);
        } else if constexpr (std::is_same_v<Value, bool>) {
            to.shown(value ? "true" : "false");
        } else if constexpr (std::is_arithmetic_v<Value>) {
            char digits[64];
            auto const end = std::to_chars(digits, digits + sizeof digits, value).ptr;
            to.shown(std::string(digits, end));
        } else if constexpr (std::is_convertible_v<Value const&, std::span<std::byte const>>) {
            std::span<std::byte const> const bytes{value};
            to.bytes({reinterpret_cast<char const*>(bytes.data()), bytes.size()});
        } else {
            static_assert(std::is_convertible_v<Value const&, std::string_view>,
                          "recoup: a value for SQL is a number, text, bytes or nullptr");
            to.shown(std::string{std::string_view{value}});
        }
    }

    static bool is_refused(std::string_view word) noexcept {
        for (auto const* one : {"BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT",
                                "RELEASE", "PREPARE", "SET", "RESET", "DISCARD", "COPY"})
            if (word == one) return true;
        return false;
    }

    /// The first word behind blanks and comments, in capitals.
    static std::string first_word(std::string_view sql) {
        std::size_t at = 0;
        auto const is_letter = [](char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; };
        while (at < sql.size() && !is_letter(sql[at])) {
            if (sql.substr(at).starts_with("--")) {
                at = std::min(sql.find('\n', at), sql.size());
            } else if (sql.substr(at).starts_with("/*")) {
                // Comments of this language are nested.
                std::size_t depth = 0;
                do {
                    auto const two = sql.substr(at, 2);
                    depth += two == "/*" ? 1U : 0U;
                    depth -= two == "*/" ? 1U : 0U;
                    at += two == "/*" || two == "*/" ? 2U : 1U;
                } while (depth != 0 && at < sql.size());
            } else {
                ++at;
            }
        }
        std::string word;
        for (; at < sql.size() && is_letter(sql[at]); ++at)
            word.push_back(static_cast<char>(sql[at] & ~0x20));
        return word;
    }

    detail::postgres_connection* on_;
    std::string const* where_;
    steady_time until_;
    std::optional<detail::postgres_problem> broken_{};
    bool closed_ = false;
};

}  // namespace recoup::inline v1
