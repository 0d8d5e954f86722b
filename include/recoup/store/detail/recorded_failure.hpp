// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/errc.hpp>
#include <recoup/core/failure.hpp>
#include <recoup/core/redact.hpp>
#include <recoup/store/record.hpp>
#include <recoup/store/store_errc.hpp>

#include <cstddef>
#include <system_error>

namespace recoup::inline v1::detail {

/// The longest text of a failure that is kept, after redaction.
inline constexpr std::size_t recorded_message_bytes_max = 1024;

/// A failure as it is kept.
inline recorded_failure to_record(failure const& what) {
    auto const code = what.code();
    return {.category = what.category(),
            .code = code.value(),
            .code_category = code ? code.category().name() : "",
            .message = redacted_prefix(what.message(), recorded_message_bytes_max)};
}

/// A failure as far as a record can tell it: with its code, where the code's category is known here.
inline failure restored(recorded_failure const& last) {
    for (auto const* domain : {&std::generic_category(), &std::system_category(),
                               &recoup_category(), &store_category()}) {
        if (last.code_category == domain->name())
            return failure{last.category, std::error_code{last.code, *domain}, last.message};
    }
    return failure{last.category, last.message};
}

}  // namespace recoup::inline v1::detail
