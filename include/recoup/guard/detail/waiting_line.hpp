// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <stop_token>

namespace recoup::inline v1::detail {

/// Those who wait for something, first come first served: a list of places that live where each of them
/// waits.
///
/// Thread safety: none; whoever has it guards it.
class waiting_line {
  public:
    /// One who waits, on the clock of its call, until it is admitted, stopped, or out of time.
    class place {
      public:
        /// `stop` ends the wait, too. Throws: std::bad_alloc.
        explicit place(std::stop_token const& stop) : stopped_{stop, waker{&wake_}} {}
        place(place const&) = delete;
        place& operator=(place const&) = delete;

        /// What is requested to stop once the wait is over.
        [[nodiscard]] std::stop_token wake() const noexcept { return wake_.get_token(); }
        [[nodiscard]] bool admitted() const noexcept { return admitted_; }

      private:
        friend class waiting_line;
        struct waker {
            std::stop_source* source;
            void operator()() const noexcept { source->request_stop(); }
        };

        std::stop_source wake_{};
        std::stop_callback<waker> stopped_;
        place* before_ = nullptr;
        place* behind_ = nullptr;
        bool admitted_ = false;
    };

    void join(place& last) noexcept {
        last.before_ = last_;
        (last_ ? last_->behind_ : first_) = &last;
        last_ = &last;
    }

    void leave(place& one) noexcept {
        (one.before_ ? one.before_->behind_ : first_) = one.behind_;
        (one.behind_ ? one.behind_->before_ : last_) = one.before_;
    }

    /// Who is next; null where nobody waits.
    [[nodiscard]] place* first() const noexcept { return first_; }

    /// Tells the first that its wait is over. Returns: false where nobody waits.
    bool admit_first() noexcept {
        if (!first_) return false;
        auto& one = *first_;
        leave(one);
        one.admitted_ = true;
        // Still in the lock: its place may be gone as soon as it can look.
        one.wake_.request_stop();
        return true;
    }

  private:
    place* first_ = nullptr;
    place* last_ = nullptr;
};

}  // namespace recoup::inline v1::detail
