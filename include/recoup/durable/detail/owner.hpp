// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/result.hpp>
#include <recoup/durable/detail/durable_ports.hpp>
#include <recoup/durable/operations_options.hpp>
#include <recoup/store/store_errc.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// This process as an owner of operations: enters the store when it is first needed.
class owner {
  public:
    /// `on_entered` is called, without a lock, each time that there is a new number.
    owner(std::shared_ptr<durable_ports> ports, operations_options const& options,
          std::function<void()> on_entered)
        : ports_{std::move(ports)}, options_{options}, on_entered_{std::move(on_entered)} {}
    owner(owner const&) = delete;
    owner& operator=(owner const&) = delete;

    result<std::uint64_t> number() {
        {
            std::lock_guard const lock{mutex_};
            if (number_ != 0) return number_;
            auto entered = ports_->with_store([&](durable_backend& store) {
                return store.enter(options_.who.empty() ? "recoup" : options_.who, options_.lease);
            });
            if (!entered.has_value()) return entered;
            number_ = entered.assume_value();
        }
        on_entered_();
        return number_now();
    }

    /// Renews the lease. Returns: the operations of ours that somebody wants to end.
    std::vector<std::uint64_t> renew() {
        auto const mine = number_now();
        if (mine == 0) return {};
        auto renewed = ports_->with_store(
            [&](durable_backend& store) { return store.renew(mine, options_.lease); });
        if (renewed.has_value()) return std::move(renewed).assume_value();
        // Counted as dead: what runs finds out by its own writes, what comes next needs a new owner.
        if (renewed.assume_error().code() == store_errc::fenced) {
            std::lock_guard const lock{mutex_};
            if (number_ == mine) number_ = 0;
        }
        return {};
    }

    void leave() {
        auto mine = std::uint64_t{0};
        {
            std::lock_guard const lock{mutex_};
            mine = std::exchange(number_, 0);
        }
        if (mine == 0) return;
        static_cast<void>(
            ports_->with_store([&](durable_backend& store) { return store.leave(mine); }));
    }

  private:
    std::uint64_t number_now() const {
        std::lock_guard const lock{mutex_};
        return number_;
    }

    std::shared_ptr<durable_ports> ports_;
    operations_options const& options_;
    std::function<void()> const on_entered_;
    mutable std::mutex mutex_;
    std::uint64_t number_ = 0;
};

}  // namespace recoup::inline v1::detail
