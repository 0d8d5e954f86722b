// SPDX-License-Identifier: BSL-1.0
#pragma once

// A small store with a mistake of one's choice, to see that the conformance suite finds it.

#include <recoup/store/persistence_policy.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

namespace recoup_test {

using recoup::operation_id;
using recoup::operation_ref;
using recoup::record;
using recoup::record_status;
using recoup::result;
using recoup::store_errc;

enum class bug {
    none,
    // what is stored
    drops_checkpoint,
    drops_failure_text,
    drops_category_count,
    drops_token,
    empty_is_absent,
    cuts_at_nul,
    cuts_large_values,
    times_in_microseconds,
    numbers_are_signed,
    keeps_old_fields,
    fails_on_success,
    // identity
    cuts_keys,
    folds_case,
    joins_parts,
    ignores_space,
    keys_are_numbers,
    // revisions
    ignores_revision,
    revision_not_raised,
    conflict_writes,
    insert_overwrites,
    conflict_is_unavailable,
    throws_on_conflict,
    saves_after_the_end,
    revisions_start_again,
    // erase
    erase_ignores_revision,
    erase_of_nothing_fails,
    erase_does_nothing,
    erases_neighbours,
    // list
    list_is_unordered,
    list_ignores_status,
    list_ignores_name,
    list_ignores_after,
    list_ignores_limit,
    list_limits_before_filtering,
    list_includes_after,
    list_without_values,
    // clean_up
    clean_up_takes_running,
    clean_up_early,
    clean_up_late,
    clean_up_without_bound,
    clean_up_counts_wrong,
    clean_up_by_first_expiry,
    // the rest
    not_empty,
    wrong_durability,
    filter_denies,
    filter_forgets_on_conflict,
    filter_forgets_on_erase,
    never_full,
    full_refuses_updates,
    full_stays_full,
    never_too_large,
    reopens_empty,
    reopens_older,
    reopens_without_fence,
    // threads
    loses_updates,
    saves_in_parts,
    shares_a_slot,
};

struct faulty_limits {
    std::size_t records_max = 400;
    std::size_t record_bytes_max = 1U << 20U;
};

/// What outlives a store.
struct faulty_storage {
    std::map<std::tuple<std::string, std::string, std::string>, record> records{};
    std::uint64_t last_revision = 0;
};

class faulty_store {
  public:
    explicit faulty_store(bug which,
                          std::shared_ptr<faulty_storage> on = std::make_shared<faulty_storage>(),
                          faulty_limits limits = {})
        : which_{which}, on_{std::move(on)}, limits_{limits} {}

    result<std::optional<record>> load(operation_ref id, recoup::duration) {
        std::lock_guard const lock{mutex_};
        auto const found = on_->records.find(key_of(id));
        if (found == on_->records.end()) {
            if (is(bug::not_empty)) return std::optional<record>{record{}};
            return std::optional<record>{};
        }
        auto what = found->second;
        what.id = operation_id{id};
        if (is(bug::keys_are_numbers) || is(bug::joins_parts)) what.id = found->second.id;
        return std::optional<record>{what};
    }

    result<std::uint64_t> save(record const& given, recoup::duration) {
        std::unique_lock lock{mutex_};
        auto const key = key_of(given.id);
        auto const found = on_->records.find(key);
        auto const exists = found != on_->records.end();
        auto const stored = exists ? found->second.revision : 0;
        if (size_of(given) > limits_.record_bytes_max) {
            if (is(bug::never_too_large)) return stored + 1;
            return recoup::failure{store_errc::too_large};
        }
        if (stored != given.revision && !overlooked(given.revision, stored))
            return conflict(key, given);
        if (on_->records.size() >= limits_.records_max) {
            if (!exists && is(bug::never_full)) return stored + 1;
            if (!exists || is(bug::full_refuses_updates)) return recoup::failure{store_errc::full};
        }
        if (!exists && is(bug::full_stays_full) && ++inserts_ > limits_.records_max)
            return recoup::failure{store_errc::full};
        auto what = changed(given, exists ? &found->second : nullptr);
        what.revision = next_revision(stored);
        if (is(bug::loses_updates) || is(bug::saves_in_parts)) {
            if (is(bug::saves_in_parts) && exists) found->second.fingerprint = what.fingerprint;
            lock.unlock();  // between the comparison and the write
            for (int i = 0; i != 20; ++i) std::this_thread::yield();
            lock.lock();
        }
        if (is(bug::shares_a_slot)) {
            shared_ = what;
            lock.unlock();
            for (int i = 0; i != 5; ++i) std::this_thread::yield();
            lock.lock();
            what = shared_;
        }
        on_->records[is(bug::shares_a_slot) ? key_of(what.id) : key] = what;
        if (is(bug::fails_on_success) && what.last_failure)
            return recoup::failure{store_errc::unavailable};
        return is(bug::revision_not_raised) ? given.revision : what.revision;
    }

    result<void> erase(operation_ref id, std::uint64_t revision, recoup::duration) {
        std::lock_guard const lock{mutex_};
        auto const found = on_->records.find(key_of(id));
        if (found == on_->records.end()) {
            if (is(bug::filter_forgets_on_erase)) forgotten_.emplace_back("1");
            if (is(bug::erase_of_nothing_fails)) return recoup::failure{store_errc::conflict};
            return recoup::success();
        }
        if (found->second.revision != revision && !is(bug::erase_ignores_revision))
            return recoup::failure{store_errc::conflict};
        if (is(bug::erase_does_nothing)) return recoup::success();
        if (is(bug::erases_neighbours)) {
            auto const name = found->second.id.name;
            std::erase_if(on_->records,
                          [&](auto const& one) { return one.second.id.name == name; });
            return recoup::success();
        }
        on_->records.erase(found);
        return recoup::success();
    }

    result<std::vector<record>> list(recoup::record_filter const& filter) {
        std::lock_guard const lock{mutex_};
        std::vector<record> page;
        auto at = on_->records.begin();
        if (filter.after && !is(bug::list_ignores_after))
            at = is(bug::list_includes_after) ? on_->records.lower_bound(key_of(*filter.after))
                                              : on_->records.upper_bound(key_of(*filter.after));
        std::size_t seen = 0;
        for (; at != on_->records.end(); ++at) {
            auto const full = is(bug::list_limits_before_filtering) ? seen++ >= filter.limit
                                                                    : page.size() >= filter.limit;
            if (full && !is(bug::list_ignores_limit)) break;
            auto const& what = at->second;
            if (filter.status && what.status != *filter.status && !is(bug::list_ignores_status))
                continue;
            if (filter.name && what.id.name != *filter.name && !is(bug::list_ignores_name))
                continue;
            page.push_back(what);
            if (is(bug::list_without_values)) page.back().checkpoint.reset();
        }
        if (is(bug::list_is_unordered)) std::reverse(page.begin(), page.end());
        return page;
    }

    result<std::size_t> clean_up(recoup::system_time now, std::size_t most) {
        std::lock_guard const lock{mutex_};
        if (is(bug::clean_up_without_bound)) most = most == 0 ? 0 : 1000;
        std::size_t removed = 0;
        for (auto at = on_->records.begin(); at != on_->records.end() && removed != most;) {
            auto const& what = at->second;
            auto const tick = recoup::duration{1};
            auto expires = what.expires;
            if (is(bug::clean_up_early) && expires != recoup::system_time::max()) expires -= tick;
            if (is(bug::clean_up_late) && expires != recoup::system_time::max()) expires += tick;
            if (is(bug::clean_up_by_first_expiry) && first_.contains(at->first))
                expires = first_[at->first];
            auto const ended =
                what.status != record_status::running || is(bug::clean_up_takes_running);
            if (!ended || expires > now) {
                ++at;
                continue;
            }
            at = on_->records.erase(at);
            ++removed;
        }
        return is(bug::clean_up_counts_wrong) && removed > 1 ? removed - 1 : removed;
    }

    [[nodiscard]] bool may_contain(operation_ref id) const noexcept {
        if (is(bug::filter_denies)) return id.key.back() != '7';
        std::lock_guard const lock{mutex_};
        if (std::find(forgotten_.begin(), forgotten_.end(), id.key) != forgotten_.end())
            return false;
        return on_->records.contains(key_of(id));
    }

    [[nodiscard]] recoup::durability durability() const noexcept {
        return is(bug::wrong_durability) ? recoup::durability::power_loss
                                         : recoup::durability::none;
    }

  private:
    using key_type = std::tuple<std::string, std::string, std::string>;

    [[nodiscard]] bool is(bug which) const noexcept { return which_ == which; }

    [[nodiscard]] key_type key_of(operation_ref id) const {
        auto key = key_type{std::string{id.space}, std::string{id.name}, std::string{id.key}};
        auto& [space, name, text] = key;
        if (is(bug::cuts_keys)) text.resize(std::min<std::size_t>(text.size(), 511));
        if (is(bug::ignores_space)) space.clear();
        if (is(bug::folds_case))
            for (auto& byte : text)
                if (byte >= 'A' && byte <= 'Z') byte = static_cast<char>(byte - 'A' + 'a');
        if (is(bug::joins_parts)) {
            text = space + name + text;
            name.clear();
            space.clear();
        }
        if (is(bug::keys_are_numbers) && text == "00") text = "0";
        return key;
    }

    static std::size_t size_of(record const& what) {
        return (what.checkpoint ? what.checkpoint->size() : 0) +
               (what.result ? what.result->size() : 0);
    }

    [[nodiscard]] bool overlooked(std::uint64_t given, std::uint64_t stored) const {
        if (is(bug::ignores_revision)) return true;
        if (is(bug::insert_overwrites)) return given == 0;
        if (is(bug::saves_after_the_end)) return stored == 0;  // an update makes what is not there
        return false;
    }

    result<std::uint64_t> conflict(key_type const& key, record const& given) {
        if (is(bug::conflict_writes) && on_->records.contains(key)) {
            auto const revision = on_->records[key].revision;
            on_->records[key] = given;
            on_->records[key].revision = revision;
        }
        if (is(bug::filter_forgets_on_conflict)) forgotten_.push_back(given.id.key);
        if (is(bug::throws_on_conflict)) throw std::runtime_error{"conflict"};
        return recoup::failure{is(bug::conflict_is_unavailable) ? store_errc::unavailable
                                                                : store_errc::conflict};
    }

    std::uint64_t next_revision(std::uint64_t stored) {
        if (is(bug::revisions_start_again)) return stored + 1;
        return ++on_->last_revision;
    }

    record changed(record what, record const* old) {
        auto const cut = [](std::optional<std::string>& text, std::size_t most) {
            if (text && text->size() > most) text->resize(most);
        };
        if (old) first_.emplace(key_of(what.id), old->expires);
        if (is(bug::drops_checkpoint)) what.checkpoint.reset();
        if (is(bug::drops_failure_text) && what.last_failure) what.last_failure->message.clear();
        if (is(bug::drops_category_count)) what.spent_by_category.back() = 0;
        if (is(bug::drops_token)) what.token = {};
        if (is(bug::empty_is_absent) && what.result && what.result->empty()) what.result.reset();
        if (is(bug::cuts_at_nul) && what.checkpoint) what.checkpoint = what.checkpoint->c_str();
        if (is(bug::cuts_large_values)) cut(what.checkpoint, 65535);
        if (is(bug::times_in_microseconds))
            what.due -= what.due.time_since_epoch() % std::chrono::microseconds{1};
        if (is(bug::numbers_are_signed)) what.attempts &= 0x7FFFFFFFU;
        if (is(bug::keeps_old_fields) && old && !what.result) what.result = old->result;
        return what;
    }

    bug which_;
    std::shared_ptr<faulty_storage> on_;
    faulty_limits limits_;
    mutable std::mutex mutex_;
    std::size_t inserts_ = 0;
    record shared_{};
    std::map<key_type, recoup::system_time> first_;
    std::vector<std::string> forgotten_;
};

/// Makes such stores, and makes them again on what they left.
struct faulty_stores {
    bug which;
    faulty_limits limits{};
    std::shared_ptr<faulty_storage> storage{};

    std::unique_ptr<faulty_store> fresh() {
        storage = std::make_shared<faulty_storage>();
        return std::make_unique<faulty_store>(which, storage, limits);
    }
    std::unique_ptr<faulty_store> reopen() {
        if (which == bug::reopens_empty) storage = std::make_shared<faulty_storage>();
        if (which == bug::reopens_older)
            for (auto& [key, what] : storage->records) what.fingerprint = 0;
        if (which == bug::reopens_without_fence) storage->last_revision = 0;
        return std::make_unique<faulty_store>(which, storage, limits);
    }
};

}  // namespace recoup_test
