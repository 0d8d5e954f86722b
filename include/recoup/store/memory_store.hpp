// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/identity_order.hpp>
#include <recoup/store/detail/membership.hpp>
#include <recoup/store/detail/memory_operations.hpp>
#include <recoup/store/detail/record_codec.hpp>
#include <recoup/store/detail/store_failure.hpp>
#include <recoup/store/durable_store.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace recoup::inline v1 {

/// The limits of a `memory_store`.
struct memory_store_options {
    std::size_t records_max = 100'000;                      ///< one more is `store_errc::full`
    std::size_t operations_max = 100'000;                   ///< the same for durable operations
    std::size_t record_bytes_max = std::size_t{16} << 20U;  ///< one larger is `too_large`
};

/// Keeps records in this process: they survive nothing, and cost no I/O.
///
/// What has ended and expired goes by `clean_up`, and by itself where room is needed: what counts
/// as now there is the newest `updated` that was saved.
///
/// Thread safety: all members may be called concurrently. No call waits for I/O, and so none needs
/// its `at_most`.
/// Complexity: logarithmic in the number of records; `may_contain` is constant and takes no lock.
class memory_store {
  public:
    explicit memory_store(memory_store_options options = {}) noexcept
        : options_{options}, operations_{options.operations_max, options.record_bytes_max} {}
    memory_store(memory_store const&) = delete;
    memory_store& operator=(memory_store const&) = delete;
    ~memory_store() = default;

    [[nodiscard]] result<std::optional<record>> load(operation_ref id,
                                                     duration /*at_most*/ = unlimited) {
        std::lock_guard const lock{mutex_};
        auto const found = records_.find(id);
        if (found == records_.end()) return std::optional<record>{};
        return std::optional<record>{found->second};
    }

    [[nodiscard]] result<std::uint64_t> save(record const& what, duration /*at_most*/ = unlimited) {
        auto const bytes = detail::encoded_size(what);
        if (bytes > options_.record_bytes_max)
            return detail::too_large(what.id, bytes, options_.record_bytes_max);
        auto copy = what;  // what may throw comes first: a save is whole or has not been
        std::lock_guard const lock{mutex_};
        auto const found = records_.find(what.id);
        return found == records_.end() ? insert(std::move(copy)) : replace(found, std::move(copy));
    }

    [[nodiscard]] result<void> erase(operation_ref id, std::uint64_t revision,
                                     duration /*at_most*/ = unlimited) {
        std::lock_guard const lock{mutex_};
        auto const found = records_.find(id);
        if (found == records_.end()) return success();
        if (found->second.revision != revision)
            return detail::conflict(id, revision, found->second.revision);
        remove(found);
        return success();
    }

    [[nodiscard]] result<std::vector<record>> list(record_filter const& filter = {}) const {
        std::vector<record> page;
        std::lock_guard const lock{mutex_};
        auto at = filter.after ? records_.upper_bound(*filter.after) : records_.begin();
        for (; at != records_.end() && page.size() < filter.limit; ++at) {
            if (filter.status && at->second.status != *filter.status) continue;
            if (filter.name && at->second.id.name != *filter.name) continue;
            page.push_back(at->second);
        }
        return page;
    }

    [[nodiscard]] result<std::size_t> clean_up(system_time now, std::size_t most) {
        std::lock_guard const lock{mutex_};
        auto const removed = remove_expired(now, most);
        return removed + operations_.clean_up(now, most - removed);
    }

    /// Whether `load` may give a record: where it says no, there is none. No lock; a few ns.
    [[nodiscard]] bool may_contain(operation_ref id) const noexcept {
        return members_.may_contain(id);
    }

    [[nodiscard]] std::size_t size() const {
        std::lock_guard const lock{mutex_};
        return records_.size();
    }

    [[nodiscard]] recoup::durability durability() const noexcept {
        return recoup::durability::none;
    }

    // ---- durable operations

    [[nodiscard]] result<std::uint64_t> enter(std::string const& /*who*/, duration /*lease*/) {
        std::lock_guard const lock{mutex_};
        return operations_.enter();
    }

    [[nodiscard]] result<std::vector<std::uint64_t>> renew(std::uint64_t owner,
                                                           duration /*lease*/) {
        std::lock_guard const lock{mutex_};
        return operations_.renew(owner);
    }

    [[nodiscard]] result<void> leave(std::uint64_t owner) {
        std::lock_guard const lock{mutex_};
        operations_.leave(owner);
        return success();
    }

    [[nodiscard]] result<started_operation> start(operation_record const& head, std::uint64_t owner,
                                                  duration /*at_most*/ = unlimited) {
        std::lock_guard const lock{mutex_};
        if (operations_.full()) operations_.clean_up(operations_.latest(), cleaned_at_once_max);
        return operations_.start(head, owner);
    }

    [[nodiscard]] result<std::vector<operation_record>> claim(claim_request const& request) {
        std::lock_guard const lock{mutex_};
        return operations_.claim(request);
    }

    [[nodiscard]] result<operation_record> take(std::uint64_t number, std::uint64_t epoch,
                                                std::uint64_t owner) {
        std::lock_guard const lock{mutex_};
        return operations_.take(number, epoch, owner);
    }

    [[nodiscard]] result<write_receipt> write(operation_write const& what,
                                              duration /*at_most*/ = unlimited) {
        std::lock_guard const lock{mutex_};
        return operations_.write(what);
    }

    [[nodiscard]] result<void> request_cancel(std::uint64_t number) {
        std::lock_guard const lock{mutex_};
        return operations_.request_cancel(number);
    }

    [[nodiscard]] result<void> remove(std::uint64_t number, std::uint64_t epoch) {
        std::lock_guard const lock{mutex_};
        return operations_.remove(number, epoch);
    }

    [[nodiscard]] result<std::optional<operation_record>> find(operation_ref id,
                                                               duration /*at_most*/ = unlimited) {
        std::lock_guard const lock{mutex_};
        return operations_.find(id);
    }

    [[nodiscard]] result<std::vector<operation_record>> operations(
        operation_filter const& filter = {}) const {
        std::lock_guard const lock{mutex_};
        return operations_.list(filter);
    }

    [[nodiscard]] result<std::vector<step_record>> steps(std::uint64_t number,
                                                         duration /*at_most*/ = unlimited) {
        std::lock_guard const lock{mutex_};
        return operations_.steps(number);
    }

  private:
    using table = std::map<operation_id, record, detail::identity_order>;
    // Ended records by the moment that they expire, as pointers into the table's keys.
    using expiry = std::set<std::pair<system_time, operation_id const*>>;

    result<std::uint64_t> insert(record&& what) {
        if (what.revision != 0) return detail::conflict(what.id, what.revision, 0);
        if (records_.size() >= options_.records_max) remove_expired(latest_, cleaned_at_once_max);
        if (records_.size() >= options_.records_max)
            return detail::store_failure(
                store_errc::full, "the memory store holds " + std::to_string(records_.size()) +
                                      " records; its limit is " +
                                      std::to_string(options_.records_max));
        auto key = what.id;
        auto const placed = records_.emplace(std::move(key), std::move(what)).first;
        auto& stored = placed->second;
        try {
            if (stored.status != record_status::running)
                expiry_.emplace(stored.expires, &placed->first);
        } catch (...) {
            records_.erase(placed);
            throw;
        }
        stored.revision = next_revision_;
        members_.insert(stored.id);
        note(stored);
        return stored.revision;
    }

    result<std::uint64_t> replace(table::iterator found, record&& what) {
        auto& stored = found->second;
        if (stored.revision != what.revision)
            return detail::conflict(what.id, what.revision, stored.revision);
        auto const* const key = &found->first;
        if (what.status != record_status::running) expiry_.emplace(what.expires, key);
        if (stored.status != record_status::running &&
            (what.status == record_status::running || what.expires != stored.expires))
            expiry_.erase({stored.expires, key});
        stored = std::move(what);
        ++stored.revision;
        note(stored);
        return stored.revision;
    }

    void note(record const& stored) noexcept {
        latest_ = std::max(latest_, stored.updated);
        next_revision_ = std::max(next_revision_, stored.revision + 1);
    }

    void remove(table::iterator found) noexcept {
        members_.erase(found->second.id);
        expiry_.erase({found->second.expires, &found->first});
        records_.erase(found);
    }

    std::size_t remove_expired(system_time now, std::size_t most) {
        std::size_t removed = 0;
        while (removed != most && !expiry_.empty() && expiry_.begin()->first <= now) {
            remove(records_.find(*expiry_.begin()->second));
            ++removed;
        }
        return removed;
    }

    static constexpr std::size_t cleaned_at_once_max = 128;

    memory_store_options options_;
    mutable std::mutex mutex_;
    table records_;
    expiry expiry_;
    // Above every revision ever given, so that one who saw a record that was removed since cannot
    // overwrite the one that came after it.
    std::uint64_t next_revision_ = 1;
    system_time latest_ = system_time::min();
    detail::membership members_;
    detail::memory_operations operations_;
};

static_assert(durable_store<memory_store>);

}  // namespace recoup::inline v1
