// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/clock.hpp>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <mutex>
#include <span>
#include <utility>

namespace recoup::inline v1::detail {

/// The most items of one batch.
inline constexpr std::size_t group_commit_items_max = 256;
/// The longest that a batch waits for those who took part in the one before it.
inline constexpr duration group_commit_linger_max{400'000};

/// Lets concurrent callers share commits, with no thread of its own.
///
/// Each caller of `run` brings an item, which has a place for its verdict. One caller at a time leads: it
/// takes what waits and commits that for all; the others sleep until their item is done. Who comes
/// while a batch is under way is in the next one, led by the first of them.
///
/// Waking is what sharing costs, some 6 µs a thread: so a batch's followers sleep on one condition,
/// which is notified once, and the next leader on one of its own. Those who were woken come back one by
/// one; a leader that took the first few of them at once would split the group for good. So, where the
/// last batch had more than one item, a leader waits until as many are there again, for
/// `group_commit_linger_max` at the most. One who is alone takes two uncontended locks, and wakes nobody.
///
/// Thread safety: `run` may be called concurrently, but not from within `commit`.
template <class Item>
class group_commit {
  public:
    group_commit() = default;
    group_commit(group_commit const&) = delete;
    group_commit& operator=(group_commit const&) = delete;

    /// Has `item` committed: `commit(std::span<Item* const>)` is called, here or by another caller, with a
    /// batch that holds it, while `resource` (such as a `turn`) is locked.
    ///
    /// Returns: whether it was committed; false where `until` came before the item was taken into a
    /// batch. Once it has been taken the call waits for the outcome, whatever `until` says.
    /// Throws: what the `commit` of its batch threw.
    template <class Resource, class Commit>
    bool run(Item& item, steady_time until, Resource& resource, Commit const& commit) {
        std::unique_lock lock{mutex_};
        member me{&item};
        push(me);
        // Where the next leader is on its way, nobody overtakes it.
        if (leading_ || heir_ != nullptr) {
            if (waiting_ == wanted_) all_here_.notify_one();
            if (!sleep(me, until, lock)) return false;
            if (me.done) {
                lock.unlock();
                return outcome_of(me);
            }
        }
        leading_ = true;
        linger(until, lock);
        lock.unlock();
        auto const got = resource.try_lock() || resource.try_lock_until(until);
        lock.lock();
        if (!got) {
            withdraw(me);
            leading_ = false;
            name_heir();
            return false;
        }
        lead(resource, commit, lock);
        return outcome_of(me);
    }

    /// How many wait to be taken into a batch.
    [[nodiscard]] std::size_t waiting() {
        std::lock_guard const lock{mutex_};
        return waiting_;
    }

  private:
    struct member {
        Item* item;
        member* next = nullptr;
        std::exception_ptr thrown{};
        int sleeps_on = 0;
        bool taken = false;
        bool done = false;
    };

    void push(member& one) noexcept {
        (last_ != nullptr ? last_->next : first_) = &one;
        last_ = &one;
        ++waiting_;
    }

    /// Pre: it was not taken.
    void withdraw(member& one) noexcept {
        member* before = nullptr;
        for (auto* each = first_; each != &one; each = each->next) before = each;
        (before != nullptr ? before->next : first_) = one.next;
        if (last_ == &one) last_ = before;
        --waiting_;
        if (heir_ != &one) return;
        heir_ = nullptr;
        name_heir();
    }

    /// The first who waits leads next; where it is asleep with the others they are woken for it.
    void name_heir() noexcept {
        if (heir_ != nullptr || first_ == nullptr) return;
        heir_ = first_;
        done_[first_->sleeps_on].notify_all();
    }

    /// Until the member is done or has to lead; false where its time was up before.
    bool sleep(member& me, steady_time until, std::unique_lock<std::mutex>& lock) {
        if (heir_ == nullptr && first_ == &me) heir_ = &me;
        me.sleeps_on = gathering_;
        while (!me.done && (leading_ || heir_ != &me)) {
            auto& condition = heir_ == &me ? lead_on_ : done_[me.sleeps_on];
            if (me.taken || until == steady_time::max()) {
                condition.wait(lock);
            } else if (condition.wait_until(lock, until) == std::cv_status::timeout && !me.taken &&
                       (leading_ || heir_ != &me)) {
                withdraw(me);
                return false;
            }
        }
        if (heir_ == &me) heir_ = nullptr;
        return true;
    }

    void linger(steady_time until, std::unique_lock<std::mutex>& lock) {
        if (batch_size_ <= 1 || waiting_ >= batch_size_) return;
        auto const latest =
            std::min(until, saturating_add(real_clock::now(), group_commit_linger_max));
        wanted_ = batch_size_;
        all_here_.wait_until(lock, latest, [&] { return waiting_ >= wanted_; });
        wanted_ = 0;
    }

    template <class Resource, class Commit>
    void lead(Resource& resource, Commit const& commit, std::unique_lock<std::mutex>& lock) {
        auto* const front = first_;
        std::size_t count = 0;
        for (; first_ != nullptr && count != group_commit_items_max; first_ = first_->next) {
            first_->taken = true;
            items_[count++] = first_->item;
        }
        if (first_ == nullptr) last_ = nullptr;
        waiting_ -= count;
        batch_size_ = count;
        // Those who come from now on sleep apart from those who are woken at the end of this batch.
        auto const split = first_ != nullptr;
        auto const mine = std::exchange(gathering_, 1 - gathering_);
        lock.unlock();

        std::exception_ptr thrown;
        try {
            commit(std::span<Item* const>{items_.data(), count});
        } catch (...) {
            thrown = std::current_exception();
        }
        resource.unlock();

        lock.lock();
        auto* each = front;
        for (std::size_t i = 0; i != count; ++i, each = each->next) {
            each->thrown = thrown;
            each->done = true;
        }
        auto const was_split = std::exchange(split_, split);
        auto const both = split || was_split;
        leading_ = false;
        name_heir();
        auto const led_on = heir_ != nullptr;
        // Notified behind the lock, or they would wake to wait for it.
        lock.unlock();
        if (led_on) lead_on_.notify_one();
        if (count != 1) done_[mine].notify_all();
        // What did not fit into a batch once may sleep on either side.
        if (both) done_[1 - mine].notify_all();
    }

    static bool outcome_of(member const& me) {
        if (me.thrown) std::rethrow_exception(me.thrown);
        return true;
    }

    std::mutex mutex_;
    std::condition_variable done_[2];   // a batch is done, by who sleeps where
    std::condition_variable lead_on_;   // the heir has to lead
    std::condition_variable all_here_;  // the group that the leader waits for is there
    member* first_ = nullptr;
    member* last_ = nullptr;
    member* heir_ = nullptr;  // who leads next; it is the first who waits
    std::size_t waiting_ = 0;
    std::size_t wanted_ = 0;      // how many the leader waits for; 0: for nobody
    std::size_t batch_size_ = 0;  // of the last batch
    int gathering_ = 0;           // where those sleep who come now
    bool leading_ = false;
    bool split_ = false;
    std::array<Item*, group_commit_items_max> items_{};  // the leader's
};

}  // namespace recoup::inline v1::detail
