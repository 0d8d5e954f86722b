// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/category.hpp>
#include <recoup/core/errc.hpp>
#include <recoup/core/failure.hpp>

#include <system_error>

namespace recoup::inline v1 {

/// Declares that the callable does something that must not happen twice: an order, a payment. Then an attempt
/// that failed is followed by another one only where its failure proves that nothing has happened (no
/// connection was made, a guard did not admit it), or where the callable has handed on its
/// `idempotency_token()`, by which the other side knows a repetition. Otherwise the operation ends with
/// `stop_reason::not_idempotent`; so does one that is persisted and was interrupted by a crash.
///
/// Plain data, copied.
/// Example: `with_recovery(pay, recoup::not_idempotent{}, recoup::retry{.max_attempts = 5})`.
struct not_idempotent {
    /// Failures of these categories prove that nothing has happened, beside those that always do.
    category_set nothing_happened{category::network_dns};

    [[nodiscard]] bool proves_nothing_happened(failure const& what) const noexcept {
        return nothing_happened.contains(what.category()) || never_reached(what.code());
    }

    friend bool operator==(not_idempotent const&, not_idempotent const&) = default;

  private:
    static bool never_reached(std::error_code const& code) noexcept {
        for (auto const one :
             {errc::breaker_open, errc::rejected, errc::rate_limited, errc::bulkhead_full,
              errc::concurrency_limited, errc::abandon_pool_full})
            if (code == one) return true;
        for (auto const one : {std::errc::connection_refused, std::errc::host_unreachable,
                               std::errc::network_unreachable, std::errc::network_down,
                               std::errc::address_not_available, std::errc::too_many_files_open,
                               std::errc::too_many_files_open_in_system})
            if (code == one) return true;
        return false;
    }
};

}  // namespace recoup::inline v1
