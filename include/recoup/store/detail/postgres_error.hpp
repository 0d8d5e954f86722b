// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/redact.hpp>
#include <recoup/store/detail/store_failure.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace recoup::inline v1::detail {

/// Why a statement did not succeed.
struct postgres_problem {
    std::string state{};  ///< SQLSTATE; empty where the server did not say
    std::string text{};
    /// The connection is of no use any more: what was under way may have been done, or not, or may be yet.
    bool lost = false;
    std::optional<store_errc> code{};  ///< where it is known otherwise than by the state
};

/// Whether the server took the transaction back for a reason that is gone when it is tried again.
inline bool may_succeed_again(postgres_problem const& why) noexcept {
    return why.state == "40001" || why.state == "40P01";
}

/// A write that should have changed a row and did not has met somebody in between, and is tried again; where
/// that goes on, the server does otherwise than it says.
class unchanged_rows {
  public:
    /// Why this try came to nothing.
    [[nodiscard]] postgres_problem another() {
        constexpr unsigned tries_max = 8;
        postgres_problem why{"40001", "it changed no row; expected 1", false, {}};
        if (++tries_ >= tries_max) {
            why.state = "";
            why.code = store_errc::corrupt;
        }
        return why;
    }

  private:
    unsigned tries_ = 0;
};

/// Whether the server ends the connection with this: it is shut down, restarted, or was told to.
inline bool ends_connection(std::string_view state) noexcept {
    return state.starts_with("57P") || state.starts_with("08") || state == "25P03" ||
           state == "26000";
}

/// Whether two at once made the same table or schema: the one that lost finds it there next time.
inline bool made_by_another(postgres_problem const& why) noexcept {
    return why.state == "23505" || why.state == "42P06" || why.state == "42P07" ||
           why.state == "42710" || why.state == "XX000" || may_succeed_again(why);
}

/// What an SQLSTATE means for a store.
inline store_errc code_of(std::string_view state) noexcept {
    if (state == "53100") return store_errc::full;
    if (state == "42501" || state == "25006") return store_errc::read_only;
    if (state == "54000") return store_errc::too_large;
    if (state.starts_with("XX001") || state.starts_with("XX002")) return store_errc::corrupt;
    // A number out of its range, a row that breaks a rule of the schema.
    if (state.starts_with("22") || state.starts_with("23")) return store_errc::corrupt;
    // A table, column or sequence is missing or of another type.
    if (state.starts_with("42") || state.starts_with("3F")) return store_errc::foreign_schema;
    return store_errc::unavailable;
}

/// For people: what was being done, where, and the server's words.
inline failure failure_of(postgres_problem const& why, std::string const& doing,
                          std::string const& where) {
    auto text = doing + " in " + where + " failed: " + why.text;
    if (!why.state.empty()) text += ", SQLSTATE " + why.state;
    if (why.lost) text += "; whether it was done is not known";
    auto const code = why.code   ? *why.code
                      : why.lost ? store_errc::unavailable
                                 : code_of(why.state);
    return store_failure(code, std::move(text));
}

/// A message of libpq or the server as one line, without the password, whatever form it takes there.
inline std::string without_password(std::string_view message, std::string_view password) {
    auto text = std::string{message};
    constexpr std::string_view mark = "***";
    for (std::size_t at = 0; !password.empty(); at += mark.size()) {
        at = text.find(password, at);
        if (at == std::string::npos) break;
        text.replace(at, password.size(), mark);
    }
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
    for (auto& letter : text)
        if (letter == '\n' || letter == '\t') letter = ' ';
    constexpr std::size_t message_bytes_max = 1000;
    return redacted_prefix(text, message_bytes_max);
}

}  // namespace recoup::inline v1::detail
