// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/event.hpp>
#include <recoup/core/failure.hpp>
#include <recoup/core/time.hpp>

#include <cstdint>
#include <new>
#include <optional>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// What observers have yet to be told of an operation, part of which goes on on a thread that is not theirs.
class deferred_events {
  public:
    /// One of them.
    struct one {
        event_kind kind;
        std::uint32_t attempt;
        std::optional<failure> what;
        duration delay;

        [[nodiscard]] failure const* cause() const noexcept { return what ? &*what : nullptr; }
    };

    void begin() noexcept { keeps_ = true; }

    /// Returns: false where it is to be told at once, since nothing is kept, or there is no memory for that.
    bool keep(event_kind kind, std::uint32_t attempt, failure const* what,
              duration delay) noexcept {
        if (!keeps_) return false;
        try {
            kept_.push_back({kind, attempt, what ? std::optional{*what} : std::nullopt, delay});
            return true;
        } catch (std::bad_alloc const&) {
            return false;
        }
    }

    /// Ends keeping. Returns: what was kept, in its order.
    [[nodiscard]] std::vector<one> take() noexcept {
        keeps_ = false;
        return std::exchange(kept_, {});
    }

  private:
    bool keeps_ = false;
    std::vector<one> kept_{};
};

}  // namespace recoup::inline v1::detail
