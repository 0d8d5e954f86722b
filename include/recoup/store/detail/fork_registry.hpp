// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/platform/file.hpp>
#include <recoup/platform/process.hpp>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <utility>

namespace recoup::inline v1::detail {

class fork_registry;

/// A descriptor that belongs to this process alone: a forked child closes its copy at once, and knows
/// that it is one. Without that a child would keep its parent's lock alive.
class process_bound_fd {
  public:
    process_bound_fd() = default;
    process_bound_fd(process_bound_fd const&) = delete;
    process_bound_fd& operator=(process_bound_fd const&) = delete;
    ~process_bound_fd() { close(); }

    /// Opens with `open()`, which returns a `unique_fd`, so that no fork falls between.
    template <class Open>
    bool open(Open const& open_it);
    void close() noexcept;

    [[nodiscard]] int get() const noexcept { return file_.get(); }

    /// Whether this is a child's copy. A few ns; sees forks that go through the C library.
    [[nodiscard]] bool forked() const noexcept { return forked_.load(std::memory_order_relaxed); }

    /// The same, and sure: it asks the kernel.
    [[nodiscard]] bool in_another_process() const noexcept {
        return forked() || (owner_ != 0 && owner_ != platform::process_number());
    }

  private:
    friend class fork_registry;
    platform::unique_fd file_;
    std::int64_t owner_ = 0;
    std::atomic<bool> forked_{false};
    process_bound_fd* previous_ = nullptr;
    process_bound_fd* next_ = nullptr;
};

/// All such descriptors of the process.
class fork_registry {
  public:
    static fork_registry& instance() {
        // Never destroyed: stores with static storage duration may outlive any order of destruction.
        static auto* const registry = new fork_registry;
        return *registry;
    }

    template <class Open>
    void add(process_bound_fd& one, Open const& open_it) {
        std::lock_guard const lock{mutex_};
        one.file_ = open_it();
        if (!one.file_) return;
        one.owner_ = platform::process_number();
        one.previous_ = nullptr;
        one.next_ = first_;
        if (first_ != nullptr) first_->previous_ = &one;
        first_ = &one;
    }

    void remove(process_bound_fd& one) noexcept {
        std::lock_guard const lock{mutex_};
        if (one.owner_ == 0) return;
        (one.previous_ != nullptr ? one.previous_->next_ : first_) = one.next_;
        if (one.next_ != nullptr) one.next_->previous_ = one.previous_;
        one.file_.reset();
        one.owner_ = 0;
    }

  private:
    fork_registry() {
        platform::at_fork([] { instance().mutex_.lock(); }, [] { instance().mutex_.unlock(); },
                          [] { instance().in_child(); });
    }

    void in_child() noexcept {
        for (auto* one = first_; one != nullptr; one = one->next_) {
            one->forked_.store(true, std::memory_order_relaxed);
            one->file_.reset();
        }
        mutex_.unlock();
    }

    std::mutex mutex_;
    process_bound_fd* first_ = nullptr;
};

template <class Open>
bool process_bound_fd::open(Open const& open_it) {
    fork_registry::instance().add(*this, open_it);
    return static_cast<bool>(file_);
}

inline void process_bound_fd::close() noexcept {
    if (owner_ != 0) fork_registry::instance().remove(*this);
}

}  // namespace recoup::inline v1::detail
