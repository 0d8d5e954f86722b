// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include <sqlite3.h>

namespace recoup::inline v1::detail {

/// A prepared statement, kept for as long as its connection. Values are bound, never spliced.
///
/// What is bound must live until the statement is reset: nothing is copied.
class sqlite_statement {
  public:
    sqlite_statement() noexcept = default;
    sqlite_statement(sqlite_statement&& other) noexcept
        : raw_{std::exchange(other.raw_, nullptr)} {}
    sqlite_statement& operator=(sqlite_statement&& other) noexcept {
        if (this != &other) {
            finalize();
            raw_ = std::exchange(other.raw_, nullptr);
        }
        return *this;
    }
    ~sqlite_statement() { finalize(); }

    /// Compiles `text`; a code of SQLite.
    int prepare(sqlite3* db, std::string_view text) noexcept {
        finalize();
        return sqlite3_prepare_v3(db, text.data(), static_cast<int>(text.size()),
                                  SQLITE_PREPARE_PERSISTENT, &raw_, nullptr);
    }
    [[nodiscard]] bool ready() const noexcept { return raw_ != nullptr; }
    void finalize() noexcept {
        sqlite3_finalize(raw_);
        raw_ = nullptr;
    }
    /// Forgets it without freeing: in a forked child the connection belongs to the parent.
    void abandon() noexcept { raw_ = nullptr; }

    void bind(int place, std::int64_t value) noexcept {
        note(sqlite3_bind_int64(raw_, place, value));
    }
    void bind_text(int place, std::string_view text) noexcept {
        note(sqlite3_bind_text64(raw_, place, text.data() != nullptr ? text.data() : "",
                                 text.size(), SQLITE_STATIC, SQLITE_UTF8));
    }
    void bind_blob(int place, std::string_view bytes) noexcept {
        note(sqlite3_bind_blob64(raw_, place, bytes.data() != nullptr ? bytes.data() : "",
                                 bytes.size(), SQLITE_STATIC));
    }

    /// SQLITE_ROW, SQLITE_DONE or an extended error code: the first of a bind that failed.
    int step() noexcept {
        if (bound_ != SQLITE_OK) return bound_;
        return sqlite3_step(raw_);
    }
    void reset() noexcept {
        sqlite3_reset(raw_);
        sqlite3_clear_bindings(raw_);
        bound_ = SQLITE_OK;
    }

    [[nodiscard]] bool is_integer(int column) const noexcept {
        return sqlite3_column_type(raw_, column) == SQLITE_INTEGER;
    }
    [[nodiscard]] bool is_text(int column) const noexcept {
        return sqlite3_column_type(raw_, column) == SQLITE_TEXT;
    }
    [[nodiscard]] bool is_blob(int column) const noexcept {
        return sqlite3_column_type(raw_, column) == SQLITE_BLOB;
    }
    [[nodiscard]] std::int64_t integer(int column) const noexcept {
        return sqlite3_column_int64(raw_, column);
    }
    /// Valid until the next step or reset.
    [[nodiscard]] std::string_view text(int column) const noexcept {
        auto const* const bytes = sqlite3_column_text(raw_, column);
        if (bytes == nullptr) return {};
        return {reinterpret_cast<char const*>(bytes),
                static_cast<std::size_t>(sqlite3_column_bytes(raw_, column))};
    }
    [[nodiscard]] std::string_view blob(int column) const noexcept {
        auto const* const bytes = sqlite3_column_blob(raw_, column);
        if (bytes == nullptr) return {};
        return {static_cast<char const*>(bytes),
                static_cast<std::size_t>(sqlite3_column_bytes(raw_, column))};
    }

  private:
    void note(int code) noexcept {
        if (bound_ == SQLITE_OK) bound_ = code;
    }
    sqlite3_stmt* raw_ = nullptr;
    int bound_ = SQLITE_OK;
};

/// Resets a statement at the end of a scope, so that it holds no read transaction open.
class statement_use {
  public:
    explicit statement_use(sqlite_statement& of) noexcept : of_{&of} {}
    statement_use(statement_use const&) = delete;
    statement_use& operator=(statement_use const&) = delete;
    ~statement_use() { of_->reset(); }
    sqlite_statement* operator->() const noexcept { return of_; }

  private:
    sqlite_statement* of_;
};

}  // namespace recoup::inline v1::detail
