// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/clock.hpp>
#include <recoup/platform/process.hpp>
#include <recoup/store/detail/store_failure.hpp>
#include <recoup/store/detail/write_behind_log_keeper.hpp>
#include <recoup/store/detail/write_behind_operations.hpp>
#include <recoup/store/detail/write_behind_queue.hpp>
#include <recoup/store/detail/write_behind_records.hpp>
#include <recoup/store/durable_store.hpp>
#include <recoup/store/write_behind_options.hpp>

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace recoup::inline v1::detail {

inline real_clock& shared_real_clock() noexcept {
    static real_clock clock;
    return clock;
}

/// What a `write_behind` is made of, and the thread that hands over what waits.
template <class Store, class Log, class Clock>
class write_behind_engine {
    using queue_type = write_behind_queue<Clock>;
    using lock_type = typename queue_type::lock_type;
    using operations_type =
        std::conditional_t<durable_store<Store>, write_behind_operations<Store, Log, Clock>,
                           std::monostate>;

  public:
    write_behind_engine(Store& store, Log& log, Clock& clock, write_behind_options&& options)
        : store_{&store},
          queue_{clock, std::move(options), write_behind_log_keeper<Log>::has_log},
          log_{log, queue_.options().store_wait},
          records_{store, queue_, log_} {
        if constexpr (durable_store<Store>) operations_.emplace(store, queue_, log_);
        log_.replay(store, [&](write_loss lost) {
            std::vector<write_loss> losses;
            queue_.lose(std::move(lost), losses);
            queue_.report(losses);
        });
        writer_ = std::thread{[this] { run(); }};
    }
    write_behind_engine(write_behind_engine const&) = delete;
    write_behind_engine& operator=(write_behind_engine const&) = delete;
    ~write_behind_engine() {
        if (writer_.joinable()) writer_.join();
    }

    [[nodiscard]] write_behind_options const& options() const noexcept { return queue_.options(); }
    [[nodiscard]] bool forked() const noexcept { return process_ != platform::process_number(); }
    [[nodiscard]] recoup::durability durability() const noexcept { return log_.durability(); }
    [[nodiscard]] write_behind_statistics statistics() const {
        std::lock_guard const lock{queue_.mutex()};
        return queue_.statistics();
    }

    // ---- records

    result<std::optional<record>> load(operation_ref id, duration at_most) {
        if (forked()) return in_child();
        return records_.load(id, at_most);
    }
    result<std::uint64_t> save(record const& what, duration at_most) {
        if (forked()) return in_child();
        return records_.save(what, at_most);
    }
    result<void> erase(operation_ref id, std::uint64_t revision, duration at_most) {
        if (forked()) return in_child();
        return records_.erase(id, revision, at_most);
    }
    result<std::vector<record>> list(record_filter const& filter) {
        auto listed = read([&](Store& store) { return store.list(filter); });
        if (listed.has_value()) records_.show_given(listed.value());
        return listed;
    }
    result<std::size_t> clean_up(system_time now, std::size_t most) {
        auto cleaned = change([&](Store& store) { return store.clean_up(now, most); });
        if (forked()) return cleaned;
        records_.doubt_all();
        if constexpr (durable_store<Store>) operations_->forget_idle();
        return cleaned;
    }
    bool may_contain(operation_ref id) const noexcept {
        return forked() || records_.knows(id) || store_->may_contain(id);
    }

    // ---- durable operations

    result<started_operation> start(operation_record const& head, std::uint64_t owner,
                                    duration at_most) {
        if (auto const bytes = encoded_size(head); bytes > options().record_bytes_max)
            return too_large(head.id, bytes, options().record_bytes_max);
        auto started =
            change([&](Store& store) { return store.start(head, owner, at_most); }, at_most);
        if (started.has_value() && started.value().made) operations_->adopt(started.value().record);
        return started;
    }
    result<std::vector<operation_record>> claim(claim_request const& request) {
        auto claimed = change([&](Store& store) { return store.claim(request); });
        if (claimed.has_value())
            for (auto const& one : claimed.value()) operations_->adopt(one);
        return claimed;
    }
    result<operation_record> take(std::uint64_t number, std::uint64_t epoch, std::uint64_t owner) {
        auto taken = change([&](Store& store) { return store.take(number, epoch, owner); });
        if (taken.has_value()) operations_->adopt(taken.value());
        return taken;
    }
    result<write_receipt> write(operation_write const& what, duration at_most) {
        if (forked()) return in_child();
        return operations_->write(what, at_most);
    }
    result<void> request_cancel(std::uint64_t number) {
        auto asked = change([&](Store& store) { return store.request_cancel(number); });
        if (asked.has_value()) operations_->note_wish(number);
        return asked;
    }
    result<void> remove(std::uint64_t number, std::uint64_t epoch) {
        auto removed = change([&](Store& store) { return store.remove(number, epoch); });
        if (removed.has_value()) operations_->note_removed(number);
        return removed;
    }

    // ---- the store's own calls

    /// What `call` gives, where that concerns nothing that waits.
    template <class Call>
    auto directly(Call const& call) -> decltype(call(std::declval<Store&>())) {
        if (forked()) return in_child();
        {
            std::lock_guard const lock{queue_.mutex()};
            if (auto usable = queue_.check_open(); !usable.has_value()) return usable.error();
        }
        return call(*store_);
    }

    /// What `call`, which reads, gives once the store has all that was accepted.
    template <class Call>
    auto read(Call const& call, duration at_most = unlimited)
        -> decltype(call(std::declval<Store&>())) {
        return after_all(call, at_most, [&] { return queue_.check_visible(); });
    }
    /// The same, for a `call` that changes something: not after the end.
    template <class Call>
    auto change(Call const& call, duration at_most = unlimited)
        -> decltype(call(std::declval<Store&>())) {
        return after_all(call, at_most, [&] { return queue_.check_open(); });
    }

    // ---- the end

    result<void> flush(duration at_most) {
        if (forked()) return in_child();
        lock_type lock{queue_.mutex()};
        return queue_.flush(lock, queue_.after(at_most));
    }

    result<void> shutdown(duration at_most) {
        if (forked()) return in_child();
        lock_type lock{queue_.mutex()};
        queue_.close();
        auto flushed = queue_.flush(lock, queue_.after(at_most));
        std::vector<write_loss> losses;
        if (!flushed.has_value() && !queue_.stopped()) queue_.stop(flushed.error(), losses);
        queue_.end();
        lock.unlock();
        queue_.report(losses);
        std::lock_guard const joining{join_mutex_};
        if (writer_.joinable()) writer_.join();
        return flushed;
    }

  private:
    static failure in_child() {
        return store_failure(store_errc::forked,
                             "this write_behind belongs to the process that forked this one");
    }

    template <class Call, class Check>
    auto after_all(Call const& call, duration at_most, Check const& check)
        -> decltype(call(std::declval<Store&>())) {
        if (forked()) return in_child();
        {
            lock_type lock{queue_.mutex()};
            if (auto usable = check(); !usable.has_value()) return usable.error();
            if (!queue_.is_drained())
                if (auto flushed = queue_.flush(lock, queue_.patience(at_most));
                    !flushed.has_value())
                    return flushed.error();
        }
        return call(*store_);
    }

    void run() {
        lock_type lock{queue_.mutex()};
        while (auto const item = queue_.take_first(lock)) {
            std::vector<write_loss> losses;
            auto const done = deliver(lock, *item, losses);
            queue_.finish(*item, done);
            if (!losses.empty()) {
                lock.unlock();
                queue_.report(losses);
                lock.lock();
            }
            queue_.rest(lock, done);
        }
    }

    bool deliver(lock_type& lock, queued_write const& item, std::vector<write_loss>& losses) {
        if (item.one != nullptr) return records_.deliver(lock, *item.one, losses);
        if constexpr (durable_store<Store>) return operations_->deliver(lock, *item.other, losses);
        return true;
    }

    Store* store_;
    std::int64_t process_ = platform::process_number();
    queue_type queue_;
    write_behind_log_keeper<Log> log_;
    write_behind_records<Store, Log, Clock> records_;
    std::optional<operations_type> operations_;
    std::mutex join_mutex_;
    std::thread writer_;
};

}  // namespace recoup::inline v1::detail
