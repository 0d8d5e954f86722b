// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/failure.hpp>
#include <recoup/core/identity.hpp>
#include <recoup/store/detail/identity_order.hpp>
#include <recoup/store/operation_request.hpp>
#include <recoup/store/store_errc.hpp>

#include <algorithm>
#include <iterator>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// Whether somebody else has the operation: nothing was done, and it is theirs to go on with.
inline bool is_elsewhere(failure const& why) noexcept {
    return why.code() == store_errc::owned || why.code() == store_errc::conflict ||
           why.code() == store_errc::fenced;
}

/// What a store that failed, or whose answer was lost, may take for ours though nobody here runs it, or may
/// want to be ended though nobody heard of it. As long as we live nobody else could take that up.
///
/// All members may be called concurrently.
class unsettled {
  public:
    struct matters {
        std::set<operation_id, identity_order> operations{};
        bool claim = false;  ///< nobody knows what a claim gave
        std::vector<operation_request> requests{};

        [[nodiscard]] bool empty() const noexcept {
            return operations.empty() && !claim && requests.empty();
        }
    };

    void add(operation_id const& id) {
        std::lock_guard const lock{mutex_};
        open_.operations.insert(id);
    }
    /// What somebody has asked for, who is not told that it came to nothing.
    void add(operation_request what) {
        std::lock_guard const lock{mutex_};
        open_.requests.push_back(std::move(what));
    }
    void add_claim() noexcept {
        std::lock_guard const lock{mutex_};
        open_.claim = true;
    }

    /// All that there is, which is no longer here.
    [[nodiscard]] matters take() {
        std::lock_guard const lock{mutex_};
        return std::exchange(open_, {});
    }

    void put_back(matters&& what) {
        std::lock_guard const lock{mutex_};
        open_.operations.merge(what.operations);
        open_.claim |= what.claim;
        std::move(what.requests.begin(), what.requests.end(), std::back_inserter(open_.requests));
    }

  private:
    std::mutex mutex_;
    matters open_{};
};

}  // namespace recoup::inline v1::detail
