// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/clock.hpp>
#include <recoup/core/redact.hpp>
#include <recoup/store/detail/postgres_operation_row.hpp>
#include <recoup/store/detail/postgres_pool.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace recoup::inline v1::detail {

/// The owners: rows that live until their lease has passed on the database's clock. Who has no row is dead.
class postgres_owners {
  public:
    explicit postgres_owners(postgres_pool& pool) : pool_{&pool} {}

    result<std::uint64_t> enter(std::string const& who, duration lease) {
        std::int64_t number = 0;
        auto const name = shown_name(who);
        auto const done =
            pool_->use("entering", unlimited,
                       [&](postgres_connection& on, bool,
                           steady_time until) -> std::optional<postgres_problem> {
                           if (number == 0) {
                               auto next = on.run(postgres_query::next_owner, {}, until);
                               if (next.failed()) return std::move(next.problem);
                               number = next.rows.integer(0, 0);
                           }
                           postgres_values values;
                           values.integer(number).text(name).integer(microseconds(lease));
                           return on.run(postgres_query::enter, values, until).problem;
                       });
        if (!done.has_value()) return done.error();
        std::lock_guard const lock{mutex_};
        mine_.insert(as_unsigned(number));
        return as_unsigned(number);
    }

    result<std::vector<std::uint64_t>> renew(std::uint64_t owner, duration lease) {
        std::vector<std::uint64_t> wishes;
        bool alive = false;
        auto const done =
            pool_->use("renewing owner " + std::to_string(owner), unlimited,
                       [&](postgres_connection& on, bool,
                           steady_time until) -> std::optional<postgres_problem> {
                           postgres_values values;
                           values.integer(as_signed(owner)).integer(microseconds(lease));
                           auto renewed = on.run(postgres_query::renew, values, until);
                           if (renewed.failed()) return std::move(renewed.problem);
                           alive = renewed.rows.changed() == 1;
                           wishes.clear();
                           if (!alive) return std::nullopt;
                           auto wished = on.run(postgres_query::wishes,
                                                postgres_values{}.integer(as_signed(owner)), until);
                           for (int row = 0; !wished.failed() && row != wished.rows.size(); ++row)
                               wishes.push_back(as_unsigned(wished.rows.integer(row, 0)));
                           return std::move(wished.problem);
                       });
        if (!done.has_value()) return done.error();
        if (!alive)
            return store_failure(store_errc::fenced,
                                 "owner " + std::to_string(owner) +
                                     " is not alive: it has left, or its lease has passed");
        return wishes;
    }

    result<void> leave(std::uint64_t owner, duration at_most = unlimited) {
        {
            std::lock_guard const lock{mutex_};
            mine_.erase(owner);
            prolonged_.erase(owner);
        }
        return pool_->use(
            "leaving", at_most, [&](postgres_connection& on, bool, steady_time until) {
                return on
                    .run(postgres_query::leave, postgres_values{}.integer(as_signed(owner)), until)
                    .problem;
            });
    }

    /// Those who entered here go with the store: what they had may be claimed at once.
    void leave_all() noexcept {
        constexpr auto goodbye_max = std::chrono::seconds{2};
        try {
            auto const mine = [&] {
                std::lock_guard const lock{mutex_};
                return mine_;
            }();
            // One who cannot be told of is dead when its lease has passed.
            for (auto const owner : mine)
                if (!leave(owner, goodbye_max).has_value()) return;
        } catch (...) {}
    }

    /// Removes the rows of those whose lease has passed. To be done, and committed, before what they had is
    /// claimed: one who renews at the same moment is then either alive for both or dead for both.
    static std::optional<postgres_problem> bury(postgres_connection& on, steady_time until) {
        return on.run(postgres_query::bury, {}, until).problem;
    }

    /// Notes that these have written: their leases begin anew. Asks the database for an owner once in an
    /// eighth of its lease, for then the lease is given an eighth more.
    void wrote(postgres_connection& on, std::set<std::uint64_t> const& owners, steady_time until) {
        auto const now = real_clock::now();
        postgres_array late{pg_bigint};
        bool any = false;
        {
            std::lock_guard const lock{mutex_};
            for (auto const owner : owners) {
                auto const found = prolonged_.find(owner);
                if (owner == 0 || (found != prolonged_.end() && found->second > now)) continue;
                late.add(as_signed(owner));
                any = true;
            }
        }
        if (!any) return;
        // Where this fails the owner is to renew in any case; the write it comes with is done.
        auto const prolonged =
            on.run(postgres_query::prolong, postgres_values{}.array(std::move(late)), until);
        std::lock_guard const lock{mutex_};
        if (prolonged_.size() > owners_remembered_max) prolonged_.clear();
        for (auto const owner : owners) prolonged_[owner] = saturating_add(now, shortest_pause);
        for (int row = 0; row != prolonged.rows.size(); ++row) {
            auto const lease = std::chrono::microseconds{prolonged.rows.integer(row, 1)};
            prolonged_[as_unsigned(prolonged.rows.integer(row, 0))] =
                saturating_add(now, duration{lease} / 8);
        }
    }

  private:
    static std::int64_t microseconds(duration lease) noexcept {
        // A century, so that no sum of the database's overflows.
        constexpr std::int64_t longest = std::int64_t{100} * 365 * 24 * 3600 * 1'000'000;
        return std::clamp<std::int64_t>(lease.count() / 1000, 1, longest);
    }
    static std::string shown_name(std::string const& who) {
        constexpr std::size_t name_bytes_max = 200;
        return printable_message(redacted_prefix(who, name_bytes_max));
    }

    static constexpr std::size_t owners_remembered_max = 1000;
    static constexpr duration shortest_pause = std::chrono::milliseconds{1};
    postgres_pool* pool_;
    std::mutex mutex_;
    std::set<std::uint64_t> mine_;
    std::map<std::uint64_t, steady_time> prolonged_;  // until when an owner needs nothing
};

}  // namespace recoup::inline v1::detail
