// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/classify/condition.hpp>
#include <recoup/classify/detail/errno_table.hpp>
#include <recoup/core/category.hpp>
#include <recoup/core/errc.hpp>
#include <recoup/store/store_errc.hpp>

#include <string_view>
#include <system_error>

namespace recoup::inline v1::detail {

constexpr category category_of_errc(errc code) noexcept {
    switch (code) {
        case errc::breaker_open:
        case errc::rejected:
        case errc::bulkhead_full:
        case errc::concurrency_limited: return category::service_unavailable;
        case errc::rate_limited: return category::rate_limited;
        case errc::attempt_timed_out:
        case errc::deadline_exceeded: return category::network_timeout;
        case errc::abandon_pool_full: return category::cpu_exhausted;
        case errc::cancelled: return category::cancelled;
        case errc::no_value:
        case errc::value_rejected:
        case errc::process_ended: return category::unknown;
        case errc::result_unstorable: return category::defect;
        case errc::crash_budget_spent: return category::defect;
        case errc::input_mismatch: return category::invalid_input;
        case errc::already_running: return category::service_unavailable;
        case errc::joins_itself: return category::defect;
        case errc::key_invalid: return category::invalid_input;
        case errc::value_unreadable: return category::invalid_schema;
        case errc::trace_unreadable: return category::invalid_format;
        case errc::operation_blocked:
        case errc::operation_dead: return category::unknown;
        case errc::operation_undone:
        case errc::shut_down: return category::cancelled;
        case errc::no_such_operation: return category::not_found;
        case errc::request_refused: return category::invalid_input;
        case errc::not_transactional: return category::configuration;
        case errc::step_mismatch:
        case errc::step_running:
        case errc::step_limit: return category::defect;
    }
    return category::unknown;
}

// OpenSSL packs the library into the high bits and the reason into the low ones.
constexpr category category_of_openssl(int code) noexcept {
    constexpr auto certificate_verify_failed = 134U;
    auto const reason = static_cast<unsigned>(code) & 0xFFFU;
    return reason == certificate_verify_failed ? category::configuration : category::network_tls;
}

// Asio and Beast, also where Boost wraps their codes into std::error_code: known by name, so that
// no header of theirs is needed.
inline category category_of_named(std::string_view name, int code) noexcept {
    if (name == "future") return category::defect;
    if (name == "asio.netdb") return category::network_dns;
    if (name == "asio.addrinfo") return category::configuration;
    if (name == "asio.misc") {
        switch (code) {
            case 1: return category::defect;              // already open
            case 2: return category::network_connection;  // end of file
            case 3: return category::not_found;
            case 4: return category::out_of_memory;  // the descriptor does not fit into select
            default: return category::unknown;
        }
    }
    if (name == "asio.ssl") return category_of_openssl(code);
    if (name == "asio.ssl.stream")
        return code == 1 ? category::network_connection : category::network_tls;  // 1: truncated
    if (name == "boost.beast") return code == 1 ? category::network_timeout : category::unknown;
    if (name == "beast.http")  // 1: end of stream, 2: partial message
        return code == 1 || code == 2 ? category::network_connection : category::invalid_format;
    return category::unknown;
}

[[gnu::noinline]] inline category category_of_foreign(std::error_code code) noexcept {
    auto const& domain = code.category();
    if (domain == recoup_category()) return category_of_errc(static_cast<errc>(code.value()));
    auto const meaning = code.default_error_condition();
    if (meaning.category() == condition_category()) {
        auto const known =
            meaning.value() >= 0 && meaning.value() < static_cast<int>(category_count);
        return known ? static_cast<category>(meaning.value()) : category::unknown;
    }
    if (meaning.category() == std::generic_category()) {
        auto const found = category_of_errno(meaning.value());
        if (found != category::unknown) return found;
    }
    if (domain == store_category()) return category_of(static_cast<store_errc>(code.value()));
    return category_of_named(domain.name(), code.value());
}

}  // namespace recoup::inline v1::detail

namespace recoup::inline v1 {

/// What kind of failure `code` is by the default rules; `unknown` where they do not know it.
///
/// Complexity: constant. A code of the generic or the system category is an array look-up, any
/// other asks its `default_error_condition` for a category (see condition.hpp) or a `std::errc`.
inline category category_of(std::error_code code) noexcept {
    auto const& domain = code.category();
    if (domain == std::generic_category() || domain == std::system_category()) [[likely]]
        return detail::category_of_errno(code.value());
    return detail::category_of_foreign(code);
}

}  // namespace recoup::inline v1
