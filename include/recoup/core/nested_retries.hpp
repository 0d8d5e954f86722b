// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/category.hpp>
#include <recoup/core/failure.hpp>
#include <recoup/core/stop_reason.hpp>

#include <cstdint>
#include <system_error>

namespace recoup::inline v1::detail {

/// What a wrapped call gave up on after it had tried again. Who calls it from within an attempt of another
/// wrapped call learns so that trying again has been tried: layers of retries would multiply.
struct given_up {
    std::uint64_t count = 0;  ///< how often in this thread
    int code = 0;
    std::error_category const* domain = nullptr;  ///< of `code`
    category what = category::unknown;
};

/// One for each thread, and the same in all shared libraries.
struct [[gnu::visibility("default")]] nested_retries {
    static inline constinit thread_local given_up last{};

    static void note(failure const& what) noexcept {
        ++last.count;
        last.code = what.code().value();
        last.domain = &what.code().category();
        last.what = what.category();
    }

    /// Whether `what` is a failure that was tried again since there were `before` of them: by a call in this
    /// thread, or in another one, where the failure itself came back.
    static bool tried(failure const& what, std::uint64_t before) noexcept {
        if (gave_up(what.stopped(), what.attempts())) return true;
        if (last.count == before) return false;
        return last.code != 0 ? what.code() == std::error_code{last.code, *last.domain}
                              : last.what == what.category();
    }

    /// Whether an operation that stopped for `why` after so many attempts had tried as often as it may; one
    /// that may try only once leaves that to others.
    static constexpr bool gave_up(stop_reason why, std::uint32_t attempts) noexcept {
        return why == stop_reason::budget_empty || why == stop_reason::retried_within ||
               (why == stop_reason::attempts_exhausted && attempts > 1);
    }
};

}  // namespace recoup::inline v1::detail
