// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/identity_order.hpp>
#include <recoup/store/detail/operation_codec.hpp>
#include <recoup/store/detail/sleep_began.hpp>
#include <recoup/store/detail/store_failure.hpp>
#include <recoup/store/detail/wish_after.hpp>
#include <recoup/store/durable_store.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

inline failure no_operation(std::uint64_t number) {
    return store_failure(store_errc::fenced,
                         "there is no operation " + std::to_string(number) + " any more");
}

/// `Operation`: what has the `id`, `epoch` and `owner` of one.
template <class Operation>
failure fenced(Operation const& now, std::uint64_t epoch) {
    return store_failure(store_errc::fenced, "operation " + display(now.id) + " is in epoch " +
                                                 std::to_string(now.epoch) +
                                                 (now.owner == 0 ? " and has no owner" : "") +
                                                 "; this writer's is " + std::to_string(epoch));
}

inline failure owned(operation_record const& now) {
    return store_failure(store_errc::owned, "operation " + display(now.id) + " is run by owner " +
                                                std::to_string(now.owner));
}

inline failure epoch_conflict(operation_record const& now, std::uint64_t expected) {
    return store_failure(store_errc::conflict, "operation " + display(now.id) + " is in epoch " +
                                                   std::to_string(now.epoch) + "; expected " +
                                                   std::to_string(expected));
}

/// Whether an operation may be claimed at `now`, as far as its head says.
inline bool is_due(operation_record const& what, system_time now) noexcept {
    if (what.status != operation_status::pending && what.status != operation_status::running)
        return false;
    // Behind the moment that it was put to sleep: else the clock has been set back since.
    return what.due <= now || sleep_began(what.due, what.delay) > now;
}

/// What a write of a head leaves in the place of `stored`, of which it keeps what is the store's. Pre: it has
/// a head.
///
/// `Operation`: `operation_record` or `operation_view`.
template <class Operation>
operation_record head_after(Operation const& stored, operation_write const& what) {
    auto next = *what.head;
    next.cancel_requested = wish_after(stored.cancel_requested, what);
    next.id = operation_id{stored.id};
    next.number = stored.number;
    next.epoch = stored.epoch;
    next.owner = stored.owner;
    next.parent = stored.parent;
    next.created = stored.created;
    return next;
}

inline bool matches(operation_filter const& filter, operation_record const& what) noexcept {
    return (!filter.status || what.status == *filter.status) &&
           (!filter.space || what.id.space == *filter.space) &&
           (!filter.name || what.id.name == *filter.name) &&
           (!filter.parent || what.parent == *filter.parent);
}

/// Durable operations in memory: the plainest model of `durable_store`'s contract. One thread at a time.
class memory_operations {
  public:
    explicit memory_operations(std::size_t operations_max, std::size_t bytes_max) noexcept
        : operations_max_{operations_max}, bytes_max_{bytes_max} {}

    std::uint64_t enter() {
        owners_.insert(next_owner_);
        return next_owner_++;
    }

    result<std::vector<std::uint64_t>> renew(std::uint64_t owner) const {
        if (!owners_.contains(owner))
            return store_failure(store_errc::fenced,
                                 "owner " + std::to_string(owner) + " is not alive");
        std::vector<std::uint64_t> cancelled;
        for (auto const& [number, one] : operations_)
            if (one.head.owner == owner && one.head.cancel_requested) cancelled.push_back(number);
        return cancelled;
    }

    void leave(std::uint64_t owner) noexcept { owners_.erase(owner); }

    result<started_operation> start(operation_record const& head, std::uint64_t owner) {
        if (auto const found = numbers_.find(head.id); found != numbers_.end())
            return started_operation{operations_.at(found->second).head, false};
        if (auto const bytes = encoded_size(head); bytes > bytes_max_)
            return too_large(head.id, bytes, bytes_max_);
        if (operations_.size() >= operations_max_)
            return store_failure(store_errc::full, "the memory store holds " +
                                                       std::to_string(operations_.size()) +
                                                       " operations; its limit is " +
                                                       std::to_string(operations_max_));
        auto one = operation{head, {}};
        one.head.number = next_number_;
        one.head.epoch = 1;
        one.head.owner = owner;
        auto made = started_operation{one.head, true};
        auto const placed = numbers_.emplace(head.id, next_number_).first;
        try {
            operations_.emplace(next_number_, std::move(one));
        } catch (...) {
            numbers_.erase(placed);
            throw;
        }
        ++next_number_;
        latest_ = std::max(latest_, head.updated);
        return made;
    }

    std::vector<operation_record> claim(claim_request const& request) {
        std::vector<operation*> found;
        for (auto& [number, one] : operations_) {
            auto const& head = one.head;
            auto const wanted =
                head.id.space == request.space && is_due(head, request.now) && is_free(head) &&
                std::find(request.names.begin(), request.names.end(), head.id.name) !=
                    request.names.end();
            if (wanted) found.push_back(&one);
        }
        std::sort(found.begin(), found.end(), [](auto const* left, auto const* right) {
            return std::tie(left->head.due, left->head.number) <
                   std::tie(right->head.due, right->head.number);
        });
        found.resize(std::min(found.size(), request.limit));
        std::vector<operation_record> claimed;
        claimed.reserve(found.size());
        for (auto* one : found) {
            claimed.push_back(one->head);
            claimed.back().owner = request.owner;
            ++claimed.back().epoch;
        }
        for (auto* one : found) {  // nothing can fail any more
            one->head.owner = request.owner;
            ++one->head.epoch;
        }
        return claimed;
    }

    result<operation_record> take(std::uint64_t number, std::uint64_t epoch, std::uint64_t owner) {
        auto found = free_one(number, epoch);
        if (!found.has_value()) return found.error();
        auto& head = found.value()->head;
        auto taken = head;
        taken.owner = owner;
        ++taken.epoch;
        head.owner = owner;
        ++head.epoch;
        return taken;
    }

    result<write_receipt> write(operation_write const& what) {
        auto const found = operations_.find(what.number);
        if (found == operations_.end()) return no_operation(what.number);
        auto& stored = found->second;
        if (stored.head.epoch != what.epoch || stored.head.owner == 0)
            return fenced(stored.head, what.epoch);
        auto bytes = what.head != nullptr ? encoded_size(*what.head) : 0;
        for (auto const& step : what.steps) bytes = std::max(bytes, encoded_size(step));
        if (bytes > bytes_max_) return too_large(stored.head.id, bytes, bytes_max_);

        // What may throw comes first: a write is whole or has not been.
        std::optional<operation_record> head;
        if (what.head != nullptr) head = head_after(stored.head, what);
        std::map<std::uint32_t, step_record> steps;
        for (auto const& step : what.steps) steps.insert_or_assign(step.index, step);

        auto const met = write_receipt{stored.head.cancel_requested};
        if (head) stored.head = std::move(*head);
        if (what.drop_steps) stored.steps.clear();
        for (auto const& [index, step] : steps) stored.steps.erase(index);
        stored.steps.merge(steps);
        if (what.release) stored.head.owner = 0;
        latest_ = std::max(latest_, stored.head.updated);
        return met;
    }

    result<void> request_cancel(std::uint64_t number) {
        auto const found = operations_.find(number);
        if (found == operations_.end()) return no_operation(number);
        found->second.head.cancel_requested = true;
        return success();
    }

    result<void> remove(std::uint64_t number, std::uint64_t epoch) {
        auto found = free_one(number, epoch);
        if (!found.has_value()) return found.error();
        numbers_.erase(found.value()->head.id);
        operations_.erase(number);
        return success();
    }

    [[nodiscard]] std::optional<operation_record> find(operation_ref id) const {
        auto const found = numbers_.find(id);
        if (found == numbers_.end()) return std::nullopt;
        return operations_.at(found->second).head;
    }

    [[nodiscard]] std::vector<operation_record> list(operation_filter const& filter) const {
        std::vector<operation_record> page;
        for (auto at = operations_.upper_bound(filter.after);
             at != operations_.end() && page.size() < filter.limit; ++at)
            if (matches(filter, at->second.head)) page.push_back(at->second.head);
        return page;
    }

    [[nodiscard]] std::vector<step_record> steps(std::uint64_t number) const {
        std::vector<step_record> all;
        if (auto const found = operations_.find(number); found != operations_.end())
            for (auto const& [index, step] : found->second.steps) all.push_back(step);
        return all;
    }

    std::size_t clean_up(system_time now, std::size_t most) {
        std::size_t removed = 0;
        for (auto at = operations_.begin(); at != operations_.end() && removed != most;) {
            auto const& head = at->second.head;
            if (has_ended(head.status) && head.expires <= now && is_free(head)) {
                numbers_.erase(head.id);
                at = operations_.erase(at);
                ++removed;
            } else {
                ++at;
            }
        }
        return removed;
    }

    /// The newest `updated` that was written.
    [[nodiscard]] system_time latest() const noexcept { return latest_; }
    [[nodiscard]] bool full() const noexcept { return operations_.size() >= operations_max_; }

  private:
    struct operation {
        operation_record head;
        std::map<std::uint32_t, step_record> steps;
    };
    [[nodiscard]] bool is_free(operation_record const& head) const noexcept {
        return head.owner == 0 || !owners_.contains(head.owner);
    }

    result<operation*> free_one(std::uint64_t number, std::uint64_t epoch) {
        auto const found = operations_.find(number);
        if (found == operations_.end()) return no_operation(number);
        auto const& head = found->second.head;
        if (head.epoch != epoch) return epoch_conflict(head, epoch);
        if (!is_free(head)) return owned(head);
        return &found->second;
    }

    std::size_t operations_max_;
    std::size_t bytes_max_;
    std::map<std::uint64_t, operation> operations_;
    std::map<operation_id, std::uint64_t, identity_order> numbers_;
    std::set<std::uint64_t> owners_;
    std::uint64_t next_number_ = 1;
    std::uint64_t next_owner_ = 1;
    system_time latest_ = system_time::min();
};

}  // namespace recoup::inline v1::detail
