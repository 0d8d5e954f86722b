// SPDX-License-Identifier: BSL-1.0
#pragma once

// A durable store with a mistake of one's choice, to see that the conformance suite finds it: a
// `memory_store` behind a wrapper that does one thing otherwise.

#include <recoup/store/memory_store.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace recoup_test {

using recoup::operation_filter;
using recoup::operation_record;
using recoup::operation_status;
using recoup::operation_write;
using recoup::started_operation;
using recoup::step_record;
using recoup::write_receipt;

enum class durable_bug {
    none,
    // start
    epoch_starts_at_zero,
    start_forgets_owner,
    start_overwrites,
    numbers_come_again,
    owners_come_again,
    // what is kept
    drops_note,
    drops_step_state,
    empty_result_is_absent,
    step_value_ends_at_nul,
    counts_are_signed,
    folds_keys,
    is_also_a_record,
    // writes
    head_takes_parent,
    head_keeps_result,
    steps_by_insertion,
    steps_not_replaced,
    drop_steps_comes_last,
    ignores_epoch,
    writes_without_owner,
    fenced_write_drops_steps,
    conflict_for_fenced,
    release_forgotten,
    // claims
    claims_any_name,
    claims_any_space,
    claims_blocked,
    claims_early,
    ignores_set_back_clock,
    claims_by_number,
    ignores_limit,
    epoch_not_raised,
    claim_sets_running,
    claims_from_the_living,
    left_owner_lives_on,
    take_only_pending,
    take_ignores_epoch,
    take_from_the_living,
    // the rest
    receipt_tells_after,
    wish_forgotten,
    wish_stays,
    head_clears_wish,
    last_head_clears_wish,
    head_brings_no_wish,
    drop_needs_no_head,
    head_and_wish_race,
    renew_tells_all,
    renews_the_dead,
    remove_from_the_living,
    remove_leaves_steps,
    list_ignores_parent,
    list_includes_after,
    list_limits_first,
    list_by_key,
    clean_up_takes_dead,
    clean_up_leaves_steps,
    clean_up_counts_steps,
    never_full_of_operations,
    large_step_is_cut,
    reopens_without_steps,
    reopens_with_living_owners,
    transact_keeps_step_of_failure,
    // threads
    starts_twice,
    claims_twice,
    takes_twice,
    mixes_up_writers,
    fenced_write_spoils_the_next,
    writes_in_parts,
};

/// What outlives a store.
struct durable_storage {
    recoup::memory_store records{{.operations_max = 100, .record_bytes_max = 1U << 16U}};
    std::set<std::uint64_t> alive{};  ///< owners
    std::map<std::uint64_t, std::vector<step_record>> leftovers{};
    std::map<std::uint64_t, operation_record> heads{};
};

class faulty_durable_store {
  public:
    faulty_durable_store(durable_bug which, std::shared_ptr<durable_storage> on)
        : which_{which}, on_{std::move(on)} {}
    faulty_durable_store(faulty_durable_store const&) = delete;
    faulty_durable_store& operator=(faulty_durable_store const&) = delete;
    ~faulty_durable_store() {
        if (is(durable_bug::reopens_with_living_owners)) return;
        for (auto const owner : on_->alive) static_cast<void>(inner().leave(owner));
    }

    recoup::result<std::optional<recoup::record>> load(recoup::operation_ref id,
                                                       recoup::duration at_most) {
        return inner().load(id, at_most);
    }
    recoup::result<std::uint64_t> save(recoup::record const& what, recoup::duration at_most) {
        return inner().save(what, at_most);
    }
    recoup::result<void> erase(recoup::operation_ref id, std::uint64_t revision,
                               recoup::duration at_most) {
        return inner().erase(id, revision, at_most);
    }
    recoup::result<std::vector<recoup::record>> list(recoup::record_filter const& filter) {
        auto listed = inner().list(filter);
        if (is(durable_bug::is_also_a_record))
            for (auto const& one : everything()) {
                recoup::record what;
                what.id = one.id;
                listed.value().push_back(what);
            }
        return listed;
    }
    recoup::result<std::size_t> clean_up(recoup::system_time now, std::size_t most) {
        std::size_t extra = 0;
        auto const all = everything();
        if (is(durable_bug::clean_up_takes_dead))
            for (auto const& one : all)
                if (one.status == operation_status::dead && one.expires <= now && extra < most &&
                    inner().remove(one.number, one.epoch).has_value())
                    ++extra;
        if (is(durable_bug::clean_up_leaves_steps))
            for (auto const& one : all) on_->leftovers[one.number] = steps_of(one.number);
        auto removed = inner().clean_up(now, most - extra);
        if (is(durable_bug::clean_up_counts_steps)) extra += removed.value();
        return removed.value() + extra;
    }
    [[nodiscard]] recoup::durability durability() const noexcept {
        return recoup::durability::none;
    }

    recoup::result<std::uint64_t> enter(std::string const& who, recoup::duration lease) {
        auto const owner = inner().enter(who, lease).value();
        on_->alive.insert(owner);
        return is(durable_bug::owners_come_again) ? 1 + (owner - 1) % 2 : owner;
    }
    recoup::result<std::vector<std::uint64_t>> renew(std::uint64_t owner, recoup::duration lease) {
        if (is(durable_bug::renew_tells_all)) {
            std::vector<std::uint64_t> all;
            for (auto const& one : everything())
                if (one.cancel_requested) all.push_back(one.number);
            return all;
        }
        auto renewed = inner().renew(owner, lease);
        if (!renewed.has_value() && is(durable_bug::renews_the_dead))
            return std::vector<std::uint64_t>{};
        return renewed;
    }
    recoup::result<void> leave(std::uint64_t owner) {
        if (is(durable_bug::left_owner_lives_on)) return recoup::success();
        return inner().leave(owner);
    }

    recoup::result<started_operation> start(operation_record const& given, std::uint64_t owner,
                                            recoup::duration) {
        auto head = given;
        if (is(durable_bug::drops_note)) head.note.clear();
        if (is(durable_bug::empty_result_is_absent) && head.result == "") head.result.reset();
        if (is(durable_bug::counts_are_signed))
            head.recoveries = std::min(head.recoveries, std::uint32_t{0x7FFFFFFF});
        if (is(durable_bug::folds_keys))
            for (auto& byte : head.id.key)
                if (byte >= 'A' && byte <= 'Z') byte = static_cast<char>(byte - 'A' + 'a');
        if (is(durable_bug::starts_twice)) {
            auto const found = inner().find(head.id).value();
            std::this_thread::sleep_for(std::chrono::microseconds{50});
            if (!found) {
                auto made = inner().start(head, owner);
                if (made.has_value()) made.value().made = true;
                return made;
            }
        }
        auto started = inner().start(head, is(durable_bug::start_forgets_owner) ? 0 : owner);
        if (!started.has_value()) {
            if (is(durable_bug::never_full_of_operations) &&
                started.error().code() == make_error_code(recoup::store_errc::full))
                return started_operation{head, true};
            return started;
        }
        auto& made = started.value();
        if (made.made) made.record.id = given.id;
        if (is(durable_bug::epoch_starts_at_zero)) --made.record.epoch;
        if (is(durable_bug::numbers_come_again)) made.record.number %= 2;
        if (!made.made && is(durable_bug::start_overwrites)) {
            auto what = operation_write{.number = made.record.number, .epoch = made.record.epoch};
            what.head = &given;
            static_cast<void>(inner().write(what));
        }
        return started;
    }

    recoup::result<std::vector<operation_record>> claim(recoup::claim_request const& given) {
        if (is(durable_bug::claims_twice)) return claim_carelessly(given);
        auto request = given;
        if (is(durable_bug::claims_early)) request.now += recoup::duration{1};
        if (is(durable_bug::ignores_limit) && request.limit != 0) request.limit = 100;
        std::vector<std::string> names{given.names.begin(), given.names.end()};
        std::string space{given.space};
        for (auto const& one : everything()) {
            if (is(durable_bug::claims_any_name)) names.push_back(one.id.name);
            if (is(durable_bug::claims_any_space) && one.id.space.empty()) space = one.id.space;
            if (is(durable_bug::claims_from_the_living))
                static_cast<void>(inner().leave(one.owner));
            if (is(durable_bug::ignores_set_back_clock) && one.due > request.now &&
                one.due - request.now < std::chrono::hours{1})
                names.clear();
        }
        request.names = names;
        request.space = space;
        auto claimed = inner().claim(request);
        if (is(durable_bug::claims_blocked))
            for (auto const& one : everything())
                if (one.status == operation_status::blocked)
                    claimed.value().push_back(
                        inner().take(one.number, one.epoch, request.owner).value());
        if (is(durable_bug::claims_by_number))
            std::sort(
                claimed.value().begin(), claimed.value().end(),
                [](auto const& left, auto const& right) { return left.number < right.number; });
        for (auto& one : claimed.value()) {
            if (is(durable_bug::epoch_not_raised)) --one.epoch;
            if (!is(durable_bug::claim_sets_running)) continue;
            one.status = operation_status::running;
            auto const what =
                operation_write{.number = one.number, .epoch = one.epoch, .head = &one};
            static_cast<void>(inner().write(what));
        }
        return claimed;
    }

    recoup::result<operation_record> take(std::uint64_t number, std::uint64_t epoch,
                                          std::uint64_t owner) {
        if (is(durable_bug::take_only_pending)) {
            auto const now = head_of(number);
            if (now && now->status != operation_status::pending)
                return recoup::failure{recoup::store_errc::conflict};
        }
        if (is(durable_bug::take_from_the_living)) {
            auto const now = head_of(number);
            if (now) static_cast<void>(inner().leave(now->owner));
        }
        if (is(durable_bug::take_ignores_epoch))
            if (auto const now = head_of(number)) epoch = now->epoch;
        if (is(durable_bug::takes_twice)) {
            auto const now = head_of(number);
            std::this_thread::sleep_for(std::chrono::microseconds{50});
            auto taken = inner().take(number, epoch, owner);
            if (taken.has_value() || !now || now->epoch != epoch) return taken;
            return *head_of(number);
        }
        return inner().take(number, epoch, owner);
    }

    recoup::result<write_receipt> write(operation_write const& given, recoup::duration) {
        auto what = given;
        auto const now = head_of(what.number);
        if (is(durable_bug::ignores_epoch) && now) what.epoch = now->epoch;
        std::optional<operation_record> head;
        if (what.head != nullptr) head = *what.head;
        if (head) {
            if (is(durable_bug::head_takes_parent)) {
                std::lock_guard const lock{notes_mutex_};
                parents_[what.number] = head->parent;
            }
            if (is(durable_bug::head_keeps_result) && now && !head->result)
                head->result = now->result;
            if (is(durable_bug::wish_stays)) what.drop_wish = false;
            if (is(durable_bug::head_clears_wish)) what.drop_wish = true;
            if (is(durable_bug::last_head_clears_wish) && what.release) what.drop_wish = true;
            if (is(durable_bug::head_brings_no_wish)) head->cancel_requested = false;
            if (is(durable_bug::head_and_wish_race) && now) {
                std::this_thread::sleep_for(std::chrono::microseconds{20});
                head->cancel_requested =
                    head->cancel_requested || (now->cancel_requested && !what.drop_wish);
                what.drop_wish = true;
            }
        }
        std::vector<step_record> steps{what.steps.begin(), what.steps.end()};
        for (auto& step : steps) {
            if (is(durable_bug::drops_step_state)) step.state.clear();
            if (is(durable_bug::step_value_ends_at_nul))
                step.value = step.value.substr(0, step.value.find('\0'));
            if (is(durable_bug::large_step_is_cut) && step.value.size() > (1U << 15U))
                step.value.resize(1U << 15U);
        }
        if (is(durable_bug::steps_not_replaced)) {
            auto const there = what.drop_steps ? std::vector<step_record>{} : steps_of(what.number);
            std::erase_if(steps, [&](step_record const& step) {
                return std::any_of(there.begin(), there.end(), [&](step_record const& other) {
                    return other.index == step.index;
                });
            });
        }
        if (is(durable_bug::drop_steps_comes_last) && what.drop_steps) steps.clear();
        if (is(durable_bug::drop_needs_no_head) && !head && now && what.drop_wish) {
            head = *now;
            head->cancel_requested = false;
        }
        what.head = head ? &*head : nullptr;
        what.steps = steps;
        if (is(durable_bug::release_forgotten) && what.head != nullptr) what.release = false;
        if (is(durable_bug::writes_without_owner) && now && now->owner == 0 &&
            now->epoch == what.epoch) {
            auto const owner = inner().enter("", {}).value();
            what.epoch = inner().take(what.number, what.epoch, owner).value().epoch;
            what.release = true;
        }
        auto const fenced = !now || now->epoch != what.epoch || now->owner == 0;
        if (is(durable_bug::fenced_write_drops_steps) && fenced && now && what.drop_steps)
            what = {.number = what.number, .epoch = now->epoch, .drop_steps = true};
        if (is(durable_bug::mixes_up_writers) || is(durable_bug::fenced_write_spoils_the_next)) {
            if (fenced) spoiled_ = true;
            auto const spoils = is(durable_bug::mixes_up_writers)
                                    ? inside_.fetch_add(1) != 0
                                    : !fenced && spoiled_.exchange(false);
            std::this_thread::sleep_for(std::chrono::microseconds{20});
            if (is(durable_bug::mixes_up_writers)) --inside_;
            if (spoils && !fenced) return write_receipt{};
        }
        if (is(durable_bug::writes_in_parts) && what.head != nullptr && !what.steps.empty()) {
            auto part = what;
            part.steps = {};
            part.drop_steps = false;
            part.release = false;
            static_cast<void>(inner().write(part));
            std::this_thread::sleep_for(std::chrono::microseconds{20});
        }
        auto written = inner().write(what);
        if (written.has_value() && head && is(durable_bug::receipt_tells_after))
            written.value().cancel_requested = head->cancel_requested;
        if (!written.has_value() && is(durable_bug::conflict_for_fenced))
            return recoup::failure{recoup::store_errc::conflict};
        if (is(durable_bug::steps_by_insertion)) {
            std::lock_guard const lock{notes_mutex_};
            for (auto const& step : steps) order_[what.number].push_back(step.index);
        }
        return written;
    }

    recoup::result<void> request_cancel(std::uint64_t number) {
        if (is(durable_bug::wish_forgotten)) return recoup::success();
        return inner().request_cancel(number);
    }

    recoup::result<void> remove(std::uint64_t number, std::uint64_t epoch) {
        auto const now = head_of(number);
        if (is(durable_bug::remove_from_the_living) && now)
            static_cast<void>(inner().leave(now->owner));
        if (is(durable_bug::remove_leaves_steps)) on_->leftovers[number] = steps_of(number);
        if (is(durable_bug::numbers_come_again)) return recoup::success();
        return inner().remove(number, epoch);
    }

    recoup::result<std::optional<operation_record>> find(recoup::operation_ref id,
                                                         recoup::duration) {
        auto found = inner().find(id);
        std::lock_guard const lock{notes_mutex_};
        if (found.value() && is(durable_bug::head_takes_parent) &&
            parents_.contains(found.value()->number))
            found.value()->parent = parents_[found.value()->number];
        return found;
    }

    recoup::result<std::vector<operation_record>> operations(operation_filter const& given) {
        auto filter = given;
        if (is(durable_bug::list_ignores_parent)) filter.parent.reset();
        if (is(durable_bug::list_includes_after) && filter.after != 0) --filter.after;
        if (is(durable_bug::list_limits_first)) {
            auto all = inner().operations({.after = filter.after, .limit = filter.limit}).value();
            std::erase_if(all,
                          [&](auto const& one) { return !recoup::detail::matches(filter, one); });
            return all;
        }
        auto listed = inner().operations(filter);
        if (is(durable_bug::list_by_key))
            std::sort(
                listed.value().begin(), listed.value().end(),
                [](auto const& left, auto const& right) { return left.id.key < right.id.key; });
        return listed;
    }

    recoup::result<std::vector<step_record>> steps(std::uint64_t number, recoup::duration) {
        if (on_->leftovers.contains(number) && !head_of(number)) return on_->leftovers[number];
        auto all = steps_of(number);
        if (is(durable_bug::reopens_without_steps) && !wrote_) all.clear();
        if (is(durable_bug::steps_by_insertion)) {
            std::lock_guard const lock{notes_mutex_};
            auto const& order = order_[number];
            std::sort(all.begin(), all.end(), [&](auto const& left, auto const& right) {
                return std::find(order.begin(), order.end(), left.index) <
                       std::find(order.begin(), order.end(), right.index);
            });
        }
        return all;
    }

    struct transaction {};
    template <class Body>
    recoup::result<write_receipt> transact(std::uint64_t number, std::uint64_t epoch,
                                           Body const& body, recoup::duration at_most) {
        transaction open;
        recoup::result<step_record> step = body(open);
        if (!step.has_value()) {
            std::vector<step_record> const left{step_record{}};
            if (is(durable_bug::transact_keeps_step_of_failure))
                static_cast<void>(write({.number = number, .epoch = epoch, .steps = left}, {}));
            return step.error();
        }
        std::vector<step_record> const steps{step.value()};
        return write({.number = number, .epoch = epoch, .steps = steps}, at_most);
    }

    /// Marks a store that was made anew, not on what another one left.
    void is_fresh() noexcept { wrote_ = true; }

  private:
    [[nodiscard]] bool is(durable_bug what) const noexcept { return which_ == what; }
    recoup::memory_store& inner() noexcept { return on_->records; }
    std::vector<step_record> steps_of(std::uint64_t number) {
        return inner().steps(number).value();
    }

    std::vector<operation_record> everything() { return inner().operations({}).value(); }

    std::optional<operation_record> head_of(std::uint64_t number) {
        if (number == 0) return std::nullopt;
        auto const page = inner().operations({.after = number - 1, .limit = 1}).value();
        if (page.empty() || page.front().number != number) return std::nullopt;
        return page.front();
    }

    /// Looks, and takes what it saw without looking again.
    recoup::result<std::vector<operation_record>> claim_carelessly(
        recoup::claim_request const& request) {
        std::vector<operation_record> claimed;
        for (auto const& one : everything()) {
            if (claimed.size() == request.limit) break;
            auto const wanted = std::find(request.names.begin(), request.names.end(),
                                          one.id.name) != request.names.end();
            if (wanted && one.owner == 0) claimed.push_back(one);
        }
        std::this_thread::sleep_for(std::chrono::microseconds{50});
        for (auto& one : claimed) {
            static_cast<void>(inner().take(one.number, one.epoch, request.owner));
            one = *head_of(one.number);
        }
        return claimed;
    }

    durable_bug which_;
    std::shared_ptr<durable_storage> on_;
    bool wrote_ = false;
    std::mutex notes_mutex_;  // the mistakes' own notes are not one
    std::map<std::uint64_t, std::uint64_t> parents_;
    std::map<std::uint64_t, std::vector<std::uint32_t>> order_;
    std::atomic<int> inside_{0};
    std::atomic<bool> spoiled_{false};
};

/// Makes such stores, for `check_store`.
class faulty_durable_stores {
  public:
    explicit faulty_durable_stores(durable_bug which) : which_{which} {}

    std::unique_ptr<faulty_durable_store> fresh() {
        on_ = std::make_shared<durable_storage>();
        auto made = std::make_unique<faulty_durable_store>(which_, on_);
        made->is_fresh();
        return made;
    }
    std::unique_ptr<faulty_durable_store> reopen() {
        return std::make_unique<faulty_durable_store>(which_, on_);
    }

  private:
    durable_bug which_;
    std::shared_ptr<durable_storage> on_;
};

}  // namespace recoup_test
