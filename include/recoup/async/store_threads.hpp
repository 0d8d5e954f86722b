// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <boost/asio/execution_context.hpp>
#include <boost/asio/thread_pool.hpp>

#include <cstddef>
#include <optional>

namespace recoup::inline v1 {

/// The threads on which the coroutines of one execution context call their stores (`persist`), which may block.
///
/// There is one such pool a context, made at the first call of a store, with `count_default` threads. A store
/// that commits in groups does better with more of them: as many calls share a commit as there are threads.
/// Make it by hand for that, before the first coroutine runs. What waits for a thread is bounded by the number of
/// coroutines, each of which waits for one call at a time.
///
/// The context ends its threads when it is destroyed, and waits for the calls that they are in: stores must
/// outlive it.
/// Example: `boost::asio::make_service<recoup::store_threads>(context, 16);`
class store_threads final : public boost::asio::execution_context::service {
  public:
    static constexpr std::size_t count_default = 4;
    using key_type = store_threads;
    inline static boost::asio::execution_context::id id{};

    /// Throws: std::bad_alloc; what the start of a thread throws.
    explicit store_threads(boost::asio::execution_context& owner, std::size_t count = count_default)
        : service{owner} {
        threads_.emplace(count);
    }
    store_threads(store_threads const&) = delete;
    store_threads& operator=(store_threads const&) = delete;

    [[nodiscard]] boost::asio::thread_pool::executor_type executor() noexcept {
        return threads_->get_executor();
    }

  private:
    // Here and not in the destructor: what waits holds coroutines, which need the context's other services to go.
    void shutdown() override { threads_.reset(); }

    std::optional<boost::asio::thread_pool> threads_{};
};

}  // namespace recoup::inline v1
