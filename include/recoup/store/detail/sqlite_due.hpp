// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/sqlite_operation_table.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace recoup::inline v1::detail {

/// The rows that are due, of several names, in the order of time and number: those of each name come in that
/// order from the index, and are merged. What others wait for is never looked at.
class sqlite_due {
  public:
    /// Those behind `after`. Pre: the request outlives this.
    sqlite_due(sqlite_operation_table& table, claim_request const& request, due_place const& after)
        : table_{&table}, request_{&request}, after_{after} {}
    sqlite_due(sqlite_due const&) = delete;
    sqlite_due& operator=(sqlite_due const&) = delete;
    ~sqlite_due() {
        for (auto const& one : names_) one.rows->reset();
    }

    static due_place place_of(sqlite_statement const& row) noexcept {
        return {row.integer(5), static_cast<std::uint64_t>(row.integer(0))};
    }

    /// Gives each row to `take(row)`, until that says no; returns whether it never did.
    /// Complexity: a row costs a look at each name.
    template <class Take>
    result<bool> each(Take const& take) {
        if (auto begun = begin(); !begun.has_value()) return begun.error();
        while (!names_.empty()) {
            auto const first = std::min_element(
                names_.begin(), names_.end(),
                [](name_rows const& a, name_rows const& b) { return a.at < b.at; });
            if (!take(*first->rows)) return false;
            auto const more = step(*first);
            if (!more.has_value()) return more.error();
            if (!more.value()) names_.erase(first);
        }
        return true;
    }

  private:
    struct name_rows {
        sqlite_statement* rows;
        due_place at;
    };

    result<void> begin() {
        auto const& names = request_->names;
        for (std::size_t i = 0; i != names.size(); ++i) {
            auto const same =
                std::find(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(i), names[i]);
            if (same != names.begin() + static_cast<std::ptrdiff_t>(i)) continue;
            auto rows = table_->due(i, request_->space, names[i], after_, request_->now);
            if (!rows.has_value()) return rows.error();
            names_.push_back({rows.value(), {}});
            auto const any = step(names_.back());
            if (!any.has_value()) return any.error();
            if (!any.value()) names_.pop_back();
        }
        return success();
    }

    /// Whether there is one more; its statement is given back where there is none.
    result<bool> step(name_rows& of) {
        auto const code = of.rows->step();
        if (code == SQLITE_ROW) {
            of.at = place_of(*of.rows);
            return true;
        }
        of.rows->reset();
        if (code != SQLITE_DONE) return table_->fail(code, "listing operations", false);
        return false;
    }

    sqlite_operation_table* table_;
    claim_request const* request_;
    due_place after_;
    std::vector<name_rows> names_;
};

}  // namespace recoup::inline v1::detail
