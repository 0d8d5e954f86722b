// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/sqlite_connection.hpp>
#include <recoup/store/detail/sqlite_schema.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace recoup::inline v1 {

/// One row that a query gave; valid until the function that it was given to returns.
class sqlite_result_row {
  public:
    explicit sqlite_result_row(sqlite3_stmt* of) noexcept : of_{of} {}

    [[nodiscard]] int columns() const noexcept { return sqlite3_column_count(of_); }
    [[nodiscard]] bool is_null(int column) const noexcept {
        return sqlite3_column_type(of_, column) == SQLITE_NULL;
    }
    [[nodiscard]] std::int64_t integer(int column) const noexcept {
        return sqlite3_column_int64(of_, column);
    }
    [[nodiscard]] double real(int column) const noexcept {
        return sqlite3_column_double(of_, column);
    }
    /// Text or a blob.
    [[nodiscard]] std::string_view text(int column) const noexcept {
        auto const* const bytes = sqlite3_column_blob(of_, column);
        if (bytes == nullptr) return {};
        return {static_cast<char const*>(bytes),
                static_cast<std::size_t>(sqlite3_column_bytes(of_, column))};
    }

  private:
    sqlite3_stmt* of_;
};

/// The user's own rows in the file of a `sqlite_store`, for as long as the body of `transact` runs.
///
/// It begins and ends nothing: what is done here is recorded with the step that the body returns, or not
/// at all. Tables of the store (recoup_*), ATTACH, PRAGMA, triggers, views, virtual tables and the control
/// of transactions are refused. Values are bound: `run("UPDATE stock SET left = left - ?1 WHERE id = ?2",
/// 3, "bolt")`.
class sqlite_transaction {
  public:
    explicit sqlite_transaction(detail::sqlite_connection& on) noexcept : on_{&on} {
        sqlite3_set_authorizer(on_->get(), &sqlite_transaction::may, this);
    }
    sqlite_transaction(sqlite_transaction const&) = delete;
    sqlite_transaction& operator=(sqlite_transaction const&) = delete;
    ~sqlite_transaction() { close(); }

    /// Runs one statement. Returns: how many rows it changed.
    template <class... Values>
    result<std::uint64_t> run(std::string_view sql, Values const&... values) {
        auto const none = [](sqlite_result_row const&) {};
        if (auto done = query(sql, none, values...); !done.has_value()) return done.error();
        return static_cast<std::uint64_t>(on_->changes());
    }

    /// Runs one statement, and gives each row of its result to `take(sqlite_result_row const&)`.
    template <std::invocable<sqlite_result_row const&> Take, class... Values>
    result<void> query(std::string_view sql, Take&& take, Values const&... values) {
        statement made;
        if (auto ready = prepare(sql, sizeof...(values), made); !ready.has_value()) return ready;
        int place = 0;
        auto code = SQLITE_OK;
        auto const bind_next = [&](auto const& value) {
            ++place;
            if (code == SQLITE_OK) code = bind(made.raw, place, value);
        };
        (bind_next(values), ...);
        static_cast<void>(bind_next);
        while (code == SQLITE_OK || code == SQLITE_ROW) {
            code = sqlite3_step(made.raw);
            if (code == SQLITE_ROW) take(sqlite_result_row{made.raw});
        }
        if (code == SQLITE_DONE) return success();
        return failed(code, sql);
    }

    /// The first column of the first row as an integer; nothing where there is no row, or it is NULL.
    template <class... Values>
    result<std::optional<std::int64_t>> number(std::string_view sql, Values const&... values) {
        std::optional<std::int64_t> found;
        auto first = true;
        auto const take = [&](sqlite_result_row const& row) {
            if (first && !row.is_null(0)) found = row.integer(0);
            first = false;
        };
        if (auto done = query(sql, take, values...); !done.has_value()) return done.error();
        return found;
    }

    /// Whether a statement failed after which the transaction is no more; nothing of it is recorded.
    [[nodiscard]] bool broken() const noexcept { return broken_ || !on_->in_transaction(); }
    void close() noexcept {
        if (on_ != nullptr && !closed_) sqlite3_set_authorizer(on_->get(), nullptr, nullptr);
        closed_ = true;
    }

  private:
    struct statement {
        sqlite3_stmt* raw = nullptr;
        statement() = default;
        statement(statement const&) = delete;
        statement& operator=(statement const&) = delete;
        ~statement() { sqlite3_finalize(raw); }
    };

    static int may(void*, int what, char const* first, char const* second, char const* schema,
                   char const*) noexcept {
        switch (what) {
            case SQLITE_ATTACH:
            case SQLITE_DETACH:
            case SQLITE_PRAGMA:
            case SQLITE_TRANSACTION:
            case SQLITE_SAVEPOINT:
            case SQLITE_CREATE_TRIGGER:
            case SQLITE_CREATE_TEMP_TRIGGER:
            case SQLITE_CREATE_VIEW:
            case SQLITE_CREATE_TEMP_VIEW:
            case SQLITE_CREATE_VTABLE:
            case SQLITE_DROP_VTABLE: return SQLITE_DENY;
            default: break;
        }
        static_cast<void>(schema);
        // Names of tables and indices stand in the first two texts, whatever is done.
        for (auto const* name : {first, second})
            if (name != nullptr && detail::is_name_of_store(name)) return SQLITE_DENY;
        return SQLITE_OK;
    }

    result<void> prepare(std::string_view sql, std::size_t values, statement& into) {
        if (closed_ || broken_ || !on_->in_transaction())
            return detail::store_failure(
                store_errc::unavailable,
                "the transaction is over, or a statement before failed and took it back");
        char const* rest = nullptr;
        if (sql.size() > sql_bytes_max)
            return detail::store_failure(store_errc::too_large, "the SQL statement is too long");
        auto const code = sqlite3_prepare_v2(on_->get(), sql.data(), static_cast<int>(sql.size()),
                                             &into.raw, &rest);
        if (code != SQLITE_OK) return failed(code, sql);
        auto const left = sql.substr(static_cast<std::size_t>(rest - sql.data()));
        if (into.raw == nullptr || left.find_first_not_of(" \t\r\n;") != std::string_view::npos)
            return refuse(sql, "expected exactly one statement");
        auto const expected = sqlite3_bind_parameter_count(into.raw);
        if (static_cast<std::size_t>(expected) != values)
            return refuse(sql, "it has " + std::to_string(expected) + " parameters, and " +
                                   std::to_string(values) + " values were given");
        return success();
    }

    static failure refuse(std::string_view sql, std::string const& why) {
        return failure{category::invalid_input, make_error_code(store_errc::conflict),
                       "the SQL statement \"" + std::string{sql} + "\" was refused: " + why};
    }

    failure failed(int code, std::string_view sql) {
        if (code == SQLITE_AUTH)
            return failure{category::permission, make_error_code(store_errc::read_only),
                           "the SQL statement \"" + std::string{sql} +
                               "\" was refused: a transaction may only use tables of the user's"};
        auto const why = on_->fail(code, "\"" + std::string{sql} + "\" on " + on_->path(), true);
        if (!on_->in_transaction()) broken_ = true;
        if ((code & 0xFF) == SQLITE_ERROR || (code & 0xFF) == SQLITE_CONSTRAINT ||
            (code & 0xFF) == SQLITE_MISMATCH)
            return failure{category::invalid_input, make_error_code(store_errc::conflict),
                           why.message()};
        return why;
    }

    template <class Value>
    static int bind(sqlite3_stmt* to, int place, Value const& value) noexcept {
        if constexpr (std::is_same_v<Value, std::nullptr_t>) {
            return sqlite3_bind_null(to, place);
        } else if constexpr (std::is_integral_v<Value>) {
            if constexpr (std::is_unsigned_v<Value> && sizeof(Value) == 8)
                if (value > static_cast<Value>(std::numeric_limits<std::int64_t>::max()))
                    return SQLITE_TOOBIG;
            return sqlite3_bind_int64(to, place, static_cast<std::int64_t>(value));
        } else if constexpr (std::is_floating_point_v<Value>) {
            return sqlite3_bind_double(to, place, static_cast<double>(value));
        } else {
            static_assert(std::is_convertible_v<Value const&, std::string_view>,
                          "recoup: a value for SQL is a number, text or nullptr");
            std::string_view const text{value};
            return sqlite3_bind_text64(to, place, text.data() != nullptr ? text.data() : "",
                                       text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
        }
    }

    static constexpr std::size_t sql_bytes_max = 1'000'000;
    detail::sqlite_connection* on_;
    bool broken_ = false;
    bool closed_ = false;
};

}  // namespace recoup::inline v1
