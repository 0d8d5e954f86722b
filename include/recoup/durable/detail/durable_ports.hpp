// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/errc.hpp>
#include <recoup/core/event.hpp>
#include <recoup/durable/detail/durable_backend.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// What a wait on the machine's clock is given: to `unlimited` no moment can be added.
inline duration real_wait(duration wanted) noexcept {
    return std::clamp<duration>(wanted, duration{}, std::chrono::hours{24 * 365});
}

/// What durable operations touch of the world outside: the store, the clock and the observers.
///
/// A body that did not end in time for a shutdown may still run when the store is gone: nothing reaches
/// the store any more once the ports are closed.
class durable_ports {
  public:
    using observer_function = std::function<void(event const&)>;

    durable_ports(std::unique_ptr<durable_backend> store, std::unique_ptr<any_clock> time,
                  std::vector<observer_function> observers)
        : store_{std::move(store)}, clock_{std::move(time)}, observers_{std::move(observers)} {}

    /// Calls `use(store)`, or fails because the ports are closed.
    template <class Use>
    std::invoke_result_t<Use, durable_backend&> with_store(Use&& use) {
        auto const inside = passage{*this};
        if (!inside.open) return failure{category::cancelled, errc::shut_down};
        return std::forward<Use>(use)(*store_);
    }

    [[nodiscard]] any_clock& clock() noexcept { return *clock_; }

    /// Lets nobody use the store any more, and waits for those who do.
    ///
    /// Returns: false where one still does after `at_most`.
    bool close(duration at_most) {
        std::unique_lock lock{mutex_};
        closed_ = true;
        return left_.wait_for(lock, real_wait(at_most), [&] { return inside_ == 0; });
    }

    void emit(event const& what) const noexcept {
        for (auto const& one : observers_) {
            try {
                one(what);
            } catch (...) {
                // An observer that throws harms nobody; there is nobody to tell.
            }
        }
    }
    [[nodiscard]] bool observed() const noexcept { return !observers_.empty(); }

  private:
    struct passage {
        explicit passage(durable_ports& of) : ports{of} {
            std::lock_guard const lock{ports.mutex_};
            open = !ports.closed_;
            ports.inside_ += open ? 1U : 0U;
        }
        passage(passage const&) = delete;
        passage& operator=(passage const&) = delete;
        ~passage() {
            if (!open) return;
            std::lock_guard const lock{ports.mutex_};
            if (--ports.inside_ == 0 && ports.closed_) ports.left_.notify_all();
        }
        durable_ports& ports;
        bool open = false;
    };

    std::unique_ptr<durable_backend> store_;
    std::unique_ptr<any_clock> clock_;
    std::vector<observer_function> const observers_;
    std::mutex mutex_;
    std::condition_variable left_;
    std::size_t inside_ = 0;
    bool closed_ = false;
};

}  // namespace recoup::inline v1::detail
