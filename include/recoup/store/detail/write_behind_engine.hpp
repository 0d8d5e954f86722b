// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/clock.hpp>
#include <recoup/platform/file.hpp>
#include <recoup/store/detail/store_failure.hpp>
#include <recoup/store/detail/write_behind_log.hpp>
#include <recoup/store/write_behind_options.hpp>

#include <algorithm>
#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

struct no_log {
    static no_log& instance() noexcept {
        static no_log one;
        return one;
    }
};

inline real_clock& shared_real_clock() noexcept {
    static real_clock clock;
    return clock;
}

inline bool may_pass(failure const& why) noexcept {
    return why.code() == make_error_code(store_errc::unavailable) ||
           why.code() == make_error_code(store_errc::locked) ||
           why.code() == make_error_code(store_errc::full);
}

/// Whether it concerns one record or operation alone.
inline bool is_loss_of_one(failure const& why) noexcept {
    return why.code() == make_error_code(store_errc::conflict) ||
           why.code() == make_error_code(store_errc::fenced) ||
           why.code() == make_error_code(store_errc::too_large);
}

/// The queue of a `write_behind`, its thread, and what is known of what the store holds.
template <class Store, class Log, class Clock>
class write_behind_engine {
    static constexpr bool has_log = !std::same_as<Log, no_log>;
    static constexpr bool has_operations = durable_store<Store>;

    struct slot {
        unsigned queued = 0;    ///< how many places it has in the queue
        bool writing = false;   ///< the store is being given something of it
        bool doubtful = false;  ///< a call of the store failed, and may have done its work
        std::size_t bytes = 0;
        steady_time since{};
        std::optional<failure> lost{};
        std::uint64_t log_number = 0;
        std::uint64_t log_revision = 0;
    };
    struct in_order {
        using is_transparent = void;
        bool operator()(operation_ref left, operation_ref right) const noexcept {
            return std::tie(left.space, left.name, left.key) <
                   std::tie(right.space, right.name, right.key);
        }
    };
    struct known_record : slot {
        std::uint64_t given = 0;   ///< the revision that callers have; 0: there is no record
        std::uint64_t stored = 0;  ///< the one that the store has
        waiting_record waiting{};
        waiting_record under_way{};
        bool unsure = false;  ///< the store may have cleaned it up
        typename std::map<operation_id, known_record, in_order>::iterator self{};
    };
    struct known_operation : slot {
        std::uint64_t number = 0;
        std::uint64_t epoch = 0;
        bool owned = false;
        bool cancel_requested = false;
        bool waits = false;
        waiting_write waiting{};
        waiting_write under_way{};
    };
    struct queued {
        known_record* one = nullptr;  ///< or `other`
        known_operation* other = nullptr;
        std::uint64_t place = 0;
    };
    using records = std::map<operation_id, known_record, in_order>;

  public:
    write_behind_engine(Store& store, Log& log, Clock& clock, write_behind_options&& options)
        : store_{&store}, log_{&log}, clock_{&clock}, options_{std::move(options)} {
        if constexpr (has_log) replay();
        writer_ = std::thread{[this] { run(); }};
    }
    write_behind_engine(write_behind_engine const&) = delete;
    write_behind_engine& operator=(write_behind_engine const&) = delete;
    ~write_behind_engine() {
        if (writer_.joinable()) writer_.join();
    }

    [[nodiscard]] write_behind_options const& options() const noexcept { return options_; }
    [[nodiscard]] bool forked() const noexcept { return process_ != platform::process_number(); }

    [[nodiscard]] recoup::durability durability() const noexcept {
        if constexpr (has_log)
            return log_->durability();
        else
            return recoup::durability::none;
    }

    [[nodiscard]] write_behind_statistics statistics() const {
        std::lock_guard const lock{mutex_};
        auto seen = statistics_;
        seen.waiting = queue_.size();
        if (seen.written != 0) seen.typical = total_ / static_cast<duration::rep>(seen.written);
        return seen;
    }

    // ---- records

    result<std::optional<record>> load(operation_ref id, duration at_most) {
        if (forked()) return in_child();
        std::unique_lock lock{mutex_};
        if (auto visible = check_visible(); !visible.has_value()) return visible.error();
        auto given_before = UINT64_MAX;  // not known
        if (auto const found = records_.find(id); found != records_.end()) {
            auto& known = found->second;
            given_before = known.given;
            if (known.lost) return forget_lost(found);
            auto const& newest = known.waiting.value ? known.waiting : known.under_way;
            if (newest.value) {
                if (newest.erases) return std::optional<record>{};
                auto what = std::optional<record>{*newest.value};
                what->revision = known.given;
                return what;
            }
        }
        lock.unlock();
        auto loaded = store_->load(id, at_most);
        if (!loaded.has_value()) return loaded;
        lock.lock();
        if (auto visible = check_visible(); !visible.has_value()) return visible.error();
        auto const found = records_.find(id);
        if (found == records_.end()) return loaded;
        auto& known = found->second;
        // Changed meanwhile: what waits is newer than what was read.
        if (known.waiting.value || known.under_way.value || known.given != given_before) {
            lock.unlock();
            return load(id, at_most);
        }
        auto const revision = loaded.value() ? loaded.value()->revision : 0;
        adopt_stored(known, revision);
        if (loaded.value()) loaded.value()->revision = known.given;
        return loaded;
    }

    result<std::uint64_t> save(record const& what, duration at_most) {
        auto const bytes = encoded_size(what);
        auto const most = std::min(options_.record_bytes_max, record_bytes_limit);
        if (bytes > most) return too_large(what.id, bytes, most);
        waiting_record change{std::make_shared<record>(what), false};
        return accept(what.id, what.revision, std::move(change), bytes, at_most);
    }

    result<void> erase(operation_ref id, std::uint64_t revision, duration at_most) {
        auto gone = std::make_shared<record>();
        gone->id = operation_id{id};
        auto const bytes = encoded_size(*gone);
        auto erased = accept(id, revision, {std::move(gone), true}, bytes, at_most);
        if (!erased.has_value()) return erased.error();
        return success();
    }

    result<std::vector<record>> list(record_filter const& filter) {
        auto listed = after_all([&](Store& store) { return store.list(filter); });
        if (!listed.has_value()) return listed;
        std::lock_guard const lock{mutex_};
        for (auto& one : listed.value())
            if (auto const found = records_.find(one.id);
                found != records_.end() && found->second.stored == one.revision)
                one.revision = found->second.given;
        return listed;
    }

    result<std::size_t> clean_up(system_time now, std::size_t most) {
        auto cleaned = after_all([&](Store& store) { return store.clean_up(now, most); });
        std::lock_guard const lock{mutex_};
        for (auto& [id, known] : records_) known.unsure = true;
        std::erase_if(operations_, [](auto const& one) { return is_idle(one.second); });
        ++forgotten_;
        return cleaned;
    }

    bool may_contain(operation_ref id) const noexcept {
        if (forked()) return true;
        std::lock_guard const lock{mutex_};
        return records_.contains(id) || store_->may_contain(id);
    }

    // ---- flushing

    result<void> flush(duration at_most) {
        if (forked()) return in_child();
        std::unique_lock lock{mutex_};
        return flush(lock, saturating_add(clock_->now(), at_most));
    }

    result<void> shutdown(duration at_most) {
        if (forked()) return in_child();
        std::unique_lock lock{mutex_};
        closed_ = true;
        auto flushed = flush(lock, saturating_add(clock_->now(), at_most));
        std::vector<write_loss> losses;
        if (!flushed.has_value() && !stopped_) stop(flushed.error(), losses);
        ending_ = true;
        wake_writer();
        lock.unlock();
        report(losses);
        std::lock_guard const joining{join_mutex_};
        if (writer_.joinable()) writer_.join();
        return flushed;
    }

    /// What `call` gives, of the store itself.
    template <class Call>
    auto directly(Call const& call) -> decltype(call(std::declval<Store&>())) {
        if (forked()) return in_child();
        return call(*store_);
    }

    /// What `call` gives once the store has all that was accepted.
    template <class Call>
    auto after_all(Call const& call, duration at_most = unlimited)
        -> decltype(call(std::declval<Store&>())) {
        if (forked()) return in_child();
        {
            std::unique_lock lock{mutex_};
            if (auto visible = check_visible(); !visible.has_value()) return visible.error();
            auto const until = saturating_add(clock_->now(), std::min(at_most, options_.full_wait));
            if (!queue_.empty() || writing_)
                if (auto flushed = flush(lock, until); !flushed.has_value()) return flushed.error();
        }
        return call(*store_);
    }

    // ---- durable operations

    result<started_operation> start(operation_record const& head, std::uint64_t owner,
                                    duration at_most) {
        if (auto const bytes = encoded_size(head); bytes > options_.record_bytes_max)
            return too_large(head.id, bytes, options_.record_bytes_max);
        auto started =
            after_all([&](Store& store) { return store.start(head, owner, at_most); }, at_most);
        if (started.has_value() && started.value().made) adopt(started.value().record);
        return started;
    }

    result<std::vector<operation_record>> claim(claim_request const& request) {
        auto claimed = after_all([&](Store& store) { return store.claim(request); });
        if (claimed.has_value())
            for (auto const& one : claimed.value()) adopt(one);
        return claimed;
    }

    result<operation_record> take(std::uint64_t number, std::uint64_t epoch, std::uint64_t owner) {
        auto taken = after_all([&](Store& store) { return store.take(number, epoch, owner); });
        if (taken.has_value()) adopt(taken.value());
        return taken;
    }

    result<void> request_cancel(std::uint64_t number) {
        auto asked = after_all([&](Store& store) { return store.request_cancel(number); });
        std::lock_guard const lock{mutex_};
        if (auto const found = operations_.find(number);
            asked.has_value() && found != operations_.end())
            found->second.cancel_requested = true;
        return asked;
    }

    result<void> remove(std::uint64_t number, std::uint64_t epoch) {
        auto removed = after_all([&](Store& store) { return store.remove(number, epoch); });
        std::lock_guard const lock{mutex_};
        if (auto const found = operations_.find(number);
            removed.has_value() && found != operations_.end()) {
            found->second.owned = false;
            if (is_idle(found->second)) operations_.erase(found);
        }
        return removed;
    }

    result<write_receipt> write(operation_write const& what, duration at_most) {
        if (forked()) return in_child();
        auto bytes = what.head != nullptr ? encoded_size(*what.head) : 0;
        auto largest = bytes;
        for (auto const& step : what.steps) {
            largest = std::max(largest, encoded_size(step));
            bytes += encoded_size(step);
        }
        if (auto const most = std::min(options_.record_bytes_max, record_bytes_limit);
            largest > most)
            return too_large({"", "operation", std::to_string(what.number)}, largest, most);
        std::unique_lock lock{mutex_};
        auto const until = saturating_add(clock_->now(), std::min(at_most, options_.full_wait));
        while (true) {
            if (auto usable = check_open(); !usable.has_value()) return usable.error();
            auto found = operations_.find(what.number);
            if (found == operations_.end()) {
                if (auto learnt = learn(lock, what.number); !learnt.has_value())
                    return learnt.error();
                continue;
            }
            auto& known = found->second;
            if (known.lost) return *known.lost;
            if (!known.owned || known.epoch != what.epoch)
                return store_failure(store_errc::fenced,
                                     "operation " + std::to_string(what.number) + " is in epoch " +
                                         std::to_string(known.epoch) +
                                         (known.owned ? "" : " and has no owner") +
                                         "; this writer's is " + std::to_string(what.epoch));
            if (has_room(known.queued != 0, bytes)) {
                auto next = known.waiting;  // whole or not at all
                next.add(what);
                if constexpr (has_log) {
                    auto both = next;
                    if (known.writing) both.put_under(known.under_way);
                    if (auto kept = keep(known, logged(both, known.number, known.epoch));
                        !kept.has_value())
                        return kept.error();
                }
                known.waiting = std::move(next);
                known.waits = true;
                if (what.head != nullptr) known.cancel_requested = what.head->cancel_requested;
                if (what.release) known.owned = false;
                enqueue(known, {nullptr, &known, 0}, bytes);
                return write_receipt{known.cancel_requested};
            }
            if (auto waited = wait_for_room(lock, until); !waited.has_value())
                return waited.error();
        }
    }

  private:
    static failure in_child() {
        return store_failure(store_errc::forked,
                             "this write_behind belongs to the process that forked this one");
    }
    static bool is_idle(known_operation const& one) noexcept {
        return one.queued == 0 && !one.writing && !one.waits;
    }
    static bool is_idle(known_record const& one) noexcept {
        return one.queued == 0 && !one.writing && !one.waiting.value;
    }

    result<void> check_open() const {
        if (stopped_) return *stopped_;
        if (closed_) return store_failure(store_errc::stopped, "this write_behind was shut down");
        return success();
    }

    /// Whether the store shows all that was accepted: after a stop, part of it is only in the log.
    result<void> check_visible() const {
        if (has_log && stopped_) return *stopped_;
        return success();
    }

    void adopt_stored(known_record& known, std::uint64_t revision) {
        known.unsure = false;
        if (revision == known.stored) return;
        known.stored = revision;  // somebody else wrote or removed it
        known.given = revision == 0 ? 0 : std::max(revision, next_given_);
        next_given_ = std::max(next_given_, known.given + 1);
    }

    /// Gives the failure that took the record's writes to the caller, once; then asks the store anew.
    failure forget_lost(typename records::iterator found) {
        auto why = *found->second.lost;
        found->second.lost.reset();
        if (is_idle(found->second)) {
            records_.erase(found);
            ++forgotten_;
        }
        return why;
    }

    bool has_room(bool queued_already, std::size_t bytes) const noexcept {
        auto const fits = bytes_ == 0 || bytes_ + bytes <= options_.bytes_max;
        return fits && (queued_already || queue_.size() < options_.queue_max);
    }

    result<void> wait_for_room(std::unique_lock<std::mutex>& lock, steady_time until) {
        wake_writer();
        if (options_.refuse_when_full || !wait_for_change(lock, until))
            return store_failure(
                store_errc::unavailable,
                "the queue before the store is full: " + std::to_string(queue_.size()) + " wait, " +
                    std::to_string(bytes_) + " bytes");
        return success();
    }

    /// Waits until the writer has done something; false at `until`.
    bool wait_for_change(std::unique_lock<std::mutex>& lock, steady_time until) {
        std::stop_source woken;
        waiters_.push_back(woken);
        lock.unlock();
        auto const late = clock_->wait_until(until, woken.get_token());
        lock.lock();
        return !late;
    }

    void tell_waiters() {
        auto const waiters = std::exchange(waiters_, {});
        for (auto const& one : waiters) const_cast<std::stop_source&>(one).request_stop();
    }

    void wake_writer() {
        hurried_to_ = placed_;
        wake_.request_stop();
    }

    result<void> flush(std::unique_lock<std::mutex>& lock, steady_time until) {
        auto const place = placed_;
        while (finished_ < place && !stopped_) {
            hurried_to_ = std::max(hurried_to_, place);
            wake_.request_stop();
            if (!wait_for_change(lock, until))
                return store_failure(store_errc::unavailable,
                                     std::to_string(queue_.size()) +
                                         " records and operations still wait for the store");
        }
        if (stopped_) return *stopped_;
        return success();
    }

    template <class Known>
    void enqueue(Known& known, queued item, std::size_t bytes) {
        ++statistics_.accepted;
        known.bytes += bytes;
        bytes_ += bytes;
        if (known.queued != 0) return;
        known.queued = 1;
        known.since = clock_->now();
        item.place = ++placed_;
        queue_.push_back(item);
        statistics_.waiting_most = std::max(statistics_.waiting_most, queue_.size());
        // It sleeps until the window of the first one is over, and is woken only where it must be.
        auto const half =
            queue_.size() * 2 >= options_.queue_max || bytes_ * 2 >= options_.bytes_max;
        if (idle_ || half) wake_.request_stop();
        if (half) hurried_to_ = placed_;
    }

    /// Keeps `entry` in the log in place of what it held of `known`.
    result<void> keep(slot& known, record entry) {
        if constexpr (has_log) {
            if (known.log_number == 0) known.log_number = ++logged_;
            entry.id = log_id(known.log_number);
            entry.revision = known.log_revision;
            auto kept = log_->save(entry, options_.store_wait);
            if (!kept.has_value()) return kept.error();
            known.log_revision = kept.value();
        }
        return success();
    }

    void drop_from_log(slot& known) {
        if constexpr (has_log) {
            if (known.log_number == 0) return;
            // Left behind, it is replayed at the next opening, where the store has it already.
            static_cast<void>(
                log_->erase(log_id(known.log_number), known.log_revision, options_.store_wait));
            known.log_number = 0;
            known.log_revision = 0;
        }
    }

    result<std::uint64_t> accept(operation_ref id, std::uint64_t revision, waiting_record change,
                                 std::size_t bytes, duration at_most) {
        if (forked()) return in_child();
        std::unique_lock lock{mutex_};
        auto const until = saturating_add(clock_->now(), std::min(at_most, options_.full_wait));
        while (true) {
            if (auto usable = check_open(); !usable.has_value()) return usable.error();
            auto found = records_.find(id);
            if (found == records_.end() || found->second.unsure) {
                if (found == records_.end() && records_.size() >= options_.known_max && !forget())
                    return at_once(lock, id, revision, change, at_most);
                if (auto learnt = learn(lock, id, at_most); !learnt.has_value())
                    return learnt.error();
                continue;
            }
            auto& known = found->second;
            if (known.lost) return forget_lost(found);
            auto const absent = known.given == 0;
            if (change.erases && absent) return std::uint64_t{0};
            if (known.given != revision) return conflict(id, revision, known.given);
            if (!has_room(known.queued != 0, bytes)) {
                if (auto waited = wait_for_room(lock, until); !waited.has_value())
                    return waited.error();
                continue;
            }
            // What the store never had need not be taken from it.
            if (change.erases && known.stored == 0 && !known.writing && !known.doubtful) {
                ++statistics_.accepted;
                known.given = 0;
                known.waiting = {};
                drop_from_log(known);
                return std::uint64_t{0};
            }
            if constexpr (has_log)
                if (auto kept = keep(known, logged(change, known.stored, known.under_way));
                    !kept.has_value())
                    return kept.error();
            known.given = change.erases ? 0 : absent ? next_given_ : known.given + 1;
            next_given_ = std::max(next_given_, known.given + 1);
            known.waiting = std::move(change);
            bytes_ -= std::exchange(known.bytes, 0);  // of what this one replaces
            enqueue(known, {&known, nullptr, 0}, bytes);
            return known.given;
        }
    }

    /// Where no more revisions can be remembered: the store's own, and its time.
    result<std::uint64_t> at_once(std::unique_lock<std::mutex>& lock, operation_ref id,
                                  std::uint64_t revision, waiting_record const& change,
                                  duration at_most) {
        ++forgotten_;
        lock.unlock();
        if (!change.erases) return store_->save(*change.value, at_most);
        auto erased = store_->erase(id, revision, at_most);
        if (!erased.has_value()) return erased.error();
        return std::uint64_t{0};
    }

    /// Makes room among what is known: a record whose revision here is the store's can be asked for again.
    bool forget() {
        auto at = records_.upper_bound(hand_);
        for (std::size_t looked = 0; looked != forgotten_at_once && !records_.empty(); ++looked) {
            if (at == records_.end()) at = records_.begin();
            auto const& known = at->second;
            if (is_idle(known) && !known.lost && known.given == known.stored) {
                hand_ = at->first;
                records_.erase(at);
                ++forgotten_;
                return true;
            }
            ++at;
        }
        if (at != records_.end()) hand_ = at->first;
        return false;
    }

    /// Asks the store for the record's revision.
    result<void> learn(std::unique_lock<std::mutex>& lock, operation_ref id, duration at_most) {
        auto const before = forgotten_;
        std::uint64_t revision = 0;
        auto absent = false;
        if constexpr (requires { store_->may_contain(id); }) absent = !store_->may_contain(id);
        if (!absent) {
            lock.unlock();
            auto loaded = store_->load(id, at_most);
            lock.lock();
            if (!loaded.has_value()) return loaded.error();
            if (loaded.value()) revision = loaded.value()->revision;
            if (before != forgotten_) return success();  // it may have changed: ask again
        }
        auto const found = records_.find(id);
        if (found != records_.end()) {
            // Another caller asked meanwhile, and may have saved: what was read here may be older.
            if (!found->second.unsure) return success();
            if (is_idle(found->second)) adopt_stored(found->second, revision);
            found->second.unsure = false;
            return success();
        }
        auto const placed = records_.try_emplace(operation_id{id}).first;
        auto& known = placed->second;
        known.self = placed;
        known.stored = known.given = revision;
        next_given_ = std::max(next_given_, revision + 1);
        return success();
    }

    /// Asks the store for the operation's epoch.
    result<void> learn(std::unique_lock<std::mutex>& lock, std::uint64_t number) {
        lock.unlock();
        auto page =
            store_->operations({.after = std::max(number, std::uint64_t{1}) - 1, .limit = 1});
        lock.lock();
        if (!page.has_value()) return page.error();
        if (page.value().empty() || page.value()[0].number != number)
            return store_failure(store_errc::fenced,
                                 "there is no operation " + std::to_string(number) + " any more");
        take_over(page.value()[0], false);
        return success();
    }

    void adopt(operation_record const& head) {
        std::lock_guard const lock{mutex_};
        take_over(head, true);
    }

    void take_over(operation_record const& head, bool claimed) {
        if (operations_.size() >= options_.known_max)
            std::erase_if(operations_, [](auto const& one) { return is_idle(one.second); });
        auto& known = operations_[head.number];
        if (known.number != 0 && (!claimed || known.epoch >= head.epoch)) return;
        known.number = head.number;
        known.epoch = head.epoch;
        known.owned = head.owner != 0;
        known.cancel_requested = head.cancel_requested;
        known.lost.reset();
    }

    // ---- the writer

    void run() {
        std::unique_lock lock{mutex_};
        auto pause = options_.retry_wait;
        while (true) {
            if (queue_.empty()) {
                if (ending_) return;
                idle_ = true;
                sleep(lock, steady_time::max());
                idle_ = false;
                continue;
            }
            auto const& next = queue_.front();
            auto const since = next.one != nullptr ? next.one->since : next.other->since;
            auto const due = saturating_add(since, options_.window);
            if (!ending_ && next.place > hurried_to_ && clock_->now() < due) {
                sleep(lock, due);
                continue;
            }
            if (write_next(lock)) {
                pause = options_.retry_wait;
            } else if (!stopped_) {
                auto const until = saturating_add(clock_->now(), pause);
                while (!ending_ && !stopped_ && clock_->now() < until) sleep(lock, until);
                pause = std::min(pause + pause, options_.retry_wait_max);
            }
        }
    }

    void sleep(std::unique_lock<std::mutex>& lock, steady_time until) {
        wake_ = std::stop_source{};
        if (ending_) return;
        auto const token = wake_.get_token();
        lock.unlock();
        clock_->wait_until(until, token);
        lock.lock();
    }

    /// Hands over what is first. False: it failed, and may pass.
    bool write_next(std::unique_lock<std::mutex>& lock) {
        auto const item = queue_.front();
        queue_.pop_front();
        writing_ = true;
        std::vector<write_loss> losses;
        auto const done = item.one != nullptr ? write_record(lock, *item.one, losses)
                                              : write_operation(lock, *item.other, losses);
        writing_ = false;
        if (done || stopped_)
            finished_ = std::max(finished_, item.place);
        else
            queue_.push_front(item);
        tell_waiters();
        if (!losses.empty()) {
            lock.unlock();
            report(losses);
            lock.lock();
        }
        return done;
    }

    bool write_record(std::unique_lock<std::mutex>& lock, known_record& known,
                      std::vector<write_loss>& losses) {
        auto const since = begin(known);
        if (!known.waiting.value) {  // it was taken back, or went with a later place
            bytes_ -= std::exchange(known.bytes, 0);
            forget_absent(known);
            return true;
        }
        known.under_way = std::exchange(known.waiting, {});
        auto const bytes = std::exchange(known.bytes, 0);
        known.writing = true;
        auto const change = known.under_way;
        auto const revision = known.stored;
        auto const in_doubt = known.doubtful;
        lock.unlock();
        auto written = hand_over(change, revision, in_doubt);
        lock.lock();
        known.writing = false;
        if (!written.has_value() && may_pass(written.error()) && !stopped_) {
            known.doubtful = true;
            if (!known.waiting.value) known.waiting = known.under_way;
            known.under_way = {};
            put_back(known, since, bytes);
            return false;
        }
        bytes_ -= bytes;
        known.doubtful = false;
        known.under_way = {};
        if (written.has_value()) {
            known.stored = written.value();
            next_given_ = std::max(next_given_, known.stored + 1);
            note_written(since);
            // A stop takes away what waited: then only the log still has it.
            if (known.waiting.value || stopped_) return true;
            drop_from_log(known);
            forget_absent(known);
            return true;
        }
        if (!is_loss_of_one(written.error())) {
            if (!stopped_) stop(written.error(), losses);
            if constexpr (!has_log) lose({change.value->id, 0, written.error()}, losses);
            return true;
        }
        lose({change.value->id, 0, written.error()}, losses);
        bytes_ -= std::exchange(known.bytes, 0);
        known.waiting = {};
        known.lost = written.error();
        drop_from_log(known);
        return true;
    }

    /// A record that is not there, here or in the store, need not be remembered.
    void forget_absent(known_record& known) {
        if (known.given != 0 || known.stored != 0 || known.lost || !is_idle(known)) return;
        records_.erase(known.self);
        ++forgotten_;
    }

    /// Gives the store a record's change; returns the revision that it has then.
    result<std::uint64_t> hand_over(waiting_record const& change, std::uint64_t revision,
                                    bool in_doubt) {
        try {
            if (change.erases) {
                auto erased = store_->erase(change.value->id, revision, options_.store_wait);
                if (!erased.has_value()) return erased.error();
                return std::uint64_t{0};
            }
            auto what = *change.value;
            what.revision = revision;
            auto saved = store_->save(what, options_.store_wait);
            if (saved.has_value() || !in_doubt ||
                saved.error().code() != make_error_code(store_errc::conflict))
                return saved;
            // The call that failed before may have done its work.
            auto there = store_->load(what.id, options_.store_wait);
            if (there.has_value() && there.value() && same_content(*there.value(), what))
                return there.value()->revision;
            return saved;
        } catch (std::bad_alloc const&) {
            return store_failure(store_errc::unavailable, "out of memory");
        }
    }

    bool write_operation(std::unique_lock<std::mutex>& lock, known_operation& known,
                         std::vector<write_loss>& losses) {
        if constexpr (has_operations) {
            auto const since = begin(known);
            if (!known.waits) return true;
            known.under_way = std::exchange(known.waiting, {});
            known.waits = false;
            known.writing = true;
            auto const bytes = std::exchange(known.bytes, 0);
            auto const epoch = known.epoch;
            lock.unlock();
            auto written = hand_over(known.number, epoch, known.under_way);
            lock.lock();
            known.writing = false;
            auto under_way = std::exchange(known.under_way, {});
            if (!written.has_value() && may_pass(written.error()) && !stopped_) {
                known.waiting.put_under(std::move(under_way));
                known.waits = true;
                put_back(known, since, bytes);
                return false;
            }
            bytes_ -= bytes;
            if (written.has_value()) {
                note_written(since);
                if (written.value().cancel_requested && !known.waiting.head)
                    known.cancel_requested = true;
                if (!known.waits && !stopped_) drop_from_log(known);
                return true;
            }
            if (!is_loss_of_one(written.error())) {
                if (!stopped_) stop(written.error(), losses);
                if constexpr (!has_log) lose({{}, known.number, written.error()}, losses);
                return true;
            }
            lose({{}, known.number, written.error()}, losses);
            bytes_ -= std::exchange(known.bytes, 0);
            known.waiting = {};
            known.waits = false;
            if (known.epoch == epoch) known.lost = written.error();
            drop_from_log(known);
        }
        return true;
    }

    result<write_receipt> hand_over(std::uint64_t number, std::uint64_t epoch,
                                    waiting_write const& change) {
        try {
            auto const steps = change.all_steps();
            operation_write what{.number = number, .epoch = epoch, .steps = steps};
            what.head = change.head ? &*change.head : nullptr;
            what.drop_steps = change.drop_steps;
            what.release = change.release;
            return store_->write(what, options_.store_wait);
        } catch (std::bad_alloc const&) {
            return store_failure(store_errc::unavailable, "out of memory");
        }
    }

    steady_time begin(slot& known) noexcept {
        --known.queued;
        return known.since;
    }

    void put_back(slot& known, steady_time since, std::size_t bytes) noexcept {
        ++statistics_.retried;
        ++known.queued;
        known.since = since;
        known.bytes += bytes;
    }

    void note_written(steady_time since) noexcept {
        ++statistics_.written;
        auto const took = saturating_between(since, clock_->now());
        statistics_.longest = std::max(statistics_.longest, took);
        total_ = saturating_add(total_, took);
    }

    void lose(write_loss what, std::vector<write_loss>& losses) {
        ++statistics_.lost;
        losses.push_back(std::move(what));
    }

    /// Acknowledges nothing any more. What waits is lost, or stays in the log.
    void stop(failure const& why, std::vector<write_loss>& losses) {
        stopped_ = why;
        for (auto const& item : queue_) {
            if (item.one != nullptr) {
                item.one->queued = 0;
                if (!has_log && item.one->waiting.value)
                    lose({item.one->waiting.value->id, 0, why}, losses);
                item.one->waiting = {};
            } else {
                item.other->queued = 0;
                if (!has_log && item.other->waits) lose({{}, item.other->number, why}, losses);
                item.other->waits = false;
            }
        }
        queue_.clear();
        finished_ = placed_;
        tell_waiters();
    }

    void report(std::vector<write_loss> const& losses) const {
        if (options_.on_loss)
            for (auto const& one : losses) options_.on_loss(one);
    }

    /// Hands over what the log holds. Throws: recovery_error where the log or the store cannot be used.
    void replay() {
        for (record_filter page{.limit = replayed_at_once}; true;) {
            auto entries = log_->list(page);
            if (!entries.has_value()) throw recovery_error{entries.error()};
            if (entries.value().empty()) break;
            for (auto const& entry : entries.value()) {
                page.after = entry.id;
                if (entry.id.space != log_id(0).space || !entry.result) continue;
                auto const damaged = is_damaged(entry);
                auto const done = damaged ? result<void>{log_damaged(entry)} : replay_one(entry);
                if (!done.has_value() && !damaged && !is_loss_of_one(done.error()))
                    throw recovery_error{done.error()};
                // Told before the entry goes, so that a failure after it leaves no loss untold.
                if (!done.has_value()) {
                    std::vector<write_loss> losses;
                    lose(lost_entry(entry, done.error()), losses);
                    report(losses);
                }
                auto erased = log_->erase(entry.id, entry.revision, options_.store_wait);
                if (!erased.has_value()) throw recovery_error{erased.error()};
            }
        }
    }

    result<void> replay_one(record const& entry) {
        if ((entry.attempts & 1U) != 0) return replay_record(*store_, entry, options_.store_wait);
        if constexpr (has_operations)
            if (entry.checkpoint) return replay_write(*store_, entry, options_.store_wait);
        return log_damaged(entry);
    }

    static constexpr std::size_t forgotten_at_once = 64;
    static constexpr std::size_t replayed_at_once = 256;

    Store* store_;
    Log* log_;
    Clock* clock_;
    write_behind_options options_;
    std::int64_t process_ = platform::process_number();
    mutable std::mutex mutex_;
    std::mutex join_mutex_;
    records records_;
    std::map<std::uint64_t, known_operation> operations_;
    std::deque<queued> queue_;
    std::vector<std::stop_source> waiters_;
    std::stop_source wake_;
    operation_id hand_{};
    std::size_t bytes_ = 0;
    std::uint64_t next_given_ = 1;
    std::uint64_t placed_ = 0;      ///< the last place in the queue that was given
    std::uint64_t finished_ = 0;    ///< all up to this one are with the store
    std::uint64_t hurried_to_ = 0;  ///< all up to this one are handed over without waiting
    std::uint64_t logged_ = 0;
    std::uint64_t forgotten_ = 0;  ///< raised where something known is forgotten
    bool idle_ = false;
    bool writing_ = false;
    bool closed_ = false;
    bool ending_ = false;
    std::optional<failure> stopped_;
    write_behind_statistics statistics_;
    duration total_{};
    std::thread writer_;
};

}  // namespace recoup::inline v1::detail
