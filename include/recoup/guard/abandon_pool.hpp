// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/event.hpp>
#include <recoup/core/time.hpp>
#include <recoup/guard/abandon_pool_options.hpp>
#include <recoup/guard/detail/abandon_core.hpp>
#include <recoup/guard/detail/thread_race.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

namespace recoup::inline v1 {

/// The threads on which attempts run that may be let go: those of `abandon_after`, and those of a plain call with a
/// `hedge`, which names it as a policy.
///
/// An attempt that finds all threads taken is rejected at once, with `errc::abandon_pool_full`: nothing queues
/// up behind what is stuck. (With a `hedge` it runs on the thread of its caller, alone.) Put a `bulkhead` of as many
/// in front where callers shall wait for one another.
/// Threads are begun when they are needed, and end with the pool. They do not survive a fork: a child makes a
/// pool of its own.
/// The observer is told of what goes on after its call: `abandoned_ended`, with what it ended with and how
/// long it took, and `abandoned_lost` for each that still runs when the pool has ended, after which nothing is
/// heard of it. It is called on the threads of the pool, and is not called any more once the pool has ended.
///
/// Thread safety: all members may be called concurrently.
/// Example: `abandon_pool parsers{{.threads = 4}, [](recoup::event const& what) { log(what.kind); }};`
class abandon_pool {
  public:
    using is_thread_pool = void;
    using observer_function = std::function<void(event const&)>;

    /// What it has at the moment.
    struct counters {
        std::size_t threads = 0;
        std::size_t running = 0;           ///< attempts, those included that were let go
        std::size_t abandoned = 0;         ///< of these: let go
        std::uint64_t abandoned_ever = 0;  ///< let go since the pool was made
    };

    /// Throws: std::invalid_argument that names the option that is wrong.
    explicit abandon_pool(abandon_pool_options const& options = {}, observer_function observer = {})
        : core_{std::make_shared<detail::abandon_core>(detail::checked(options),
                                                       std::move(observer))} {}
    abandon_pool(abandon_pool const&) = delete;
    abandon_pool& operator=(abandon_pool const&) = delete;
    /// Waits for what runs, `join_within` at the most.
    ~abandon_pool() { core_->shut_down(core_->join_within()); }

    /// How many attempts were let go and still run.
    [[nodiscard]] std::size_t abandoned() const { return core_->count().abandoned; }

    [[nodiscard]] counters snapshot() const {
        auto const now = core_->count();
        return {now.threads, now.running, now.abandoned, now.abandoned_ever};
    }

    /// Admits no attempt any more, and waits for those that run, the others included.
    ///
    /// Returns: how many still run. They go on with what they own; each was told of as `abandoned_lost`.
    std::size_t shutdown(duration at_most) { return core_->shut_down(at_most); }

    /// Goes on with other options. Where there are fewer threads what runs goes on, and as many as are too many rest
    /// until the pool ends; an attempt is rejected for as long as more than that run.
    ///
    /// Throws: std::invalid_argument that names the option that is wrong; std::bad_alloc. Then nothing changes.
    void change(abandon_pool_options const& to) { core_->change(to); }

    /// What it was made with, or changed to.
    [[nodiscard]] abandon_pool_options options() const { return core_->options(); }

    // ---- for the engine

    template <class Operation>
    using race = detail::thread_race<Operation>;
    [[nodiscard]] detail::abandon_core& core() noexcept { return *core_; }

  private:
    friend struct abandon_after;
    std::shared_ptr<detail::abandon_core> core_;
};

}  // namespace recoup::inline v1
