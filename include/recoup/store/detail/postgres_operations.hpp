// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/memory_operations.hpp>
#include <recoup/store/detail/postgres_owners.hpp>
#include <recoup/store/durable_store.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// What a store does with single operations, apart from starting and writing them: claims, wishes,
/// removal, reading.
class postgres_operations {
  public:
    using problem = std::optional<postgres_problem>;

    postgres_operations(postgres_pool& pool, postgres_damage& damage)
        : pool_{&pool}, damage_{&damage} {}

    result<std::vector<operation_record>> claim(claim_request const& request) {
        if (request.limit == 0 || request.names.empty()) return std::vector<operation_record>{};
        postgres_array names{pg_text};
        for (auto const& name : request.names) names.add(std::string_view{name});
        auto const bound = std::move(names).finish();
        auto const mark = claim_mark();
        std::vector<operation_record> claimed;
        auto const done = pool_->use(
            "claiming", unlimited,
            [&](postgres_connection& on, bool again, steady_time until) -> problem {
                if (again) {
                    // An earlier try may have claimed: those have its mark, and are this owner's.
                    postgres_values values;
                    values.text(request.space).integer(as_signed(request.owner)).integer(mark);
                    auto before = on.run(postgres_query::claimed_before, values, until);
                    if (before.failed()) return std::move(before.problem);
                    claimed = whole(before.rows);
                    if (!claimed.empty()) return std::nullopt;
                }
                claimed.clear();
                if (auto why = postgres_owners::bury(on, until)) return why;
                for (auto const which :
                     {postgres_query::claim_due, postgres_query::claim_set_back}) {
                    auto const left = std::min(request.limit, claimed_at_once_max) - claimed.size();
                    if (left == 0) break;
                    postgres_values values;
                    values.text(request.space).integer(stamp_of(request.now)).array(bound);
                    values.integer(static_cast<std::int64_t>(left));
                    values.integer(as_signed(request.owner)).integer(mark);
                    auto some = on.run(which, values, until);
                    if (some.failed()) return std::move(some.problem);
                    for (auto& one : whole(some.rows)) claimed.push_back(std::move(one));
                }
                return std::nullopt;
            });
        if (!done.has_value()) return done.error();
        std::sort(claimed.begin(), claimed.end(), [](auto const& left, auto const& right) {
            return std::pair{left.due, left.number} < std::pair{right.due, right.number};
        });
        return claimed;
    }

    result<operation_record> take(std::uint64_t number, std::uint64_t epoch, std::uint64_t owner) {
        auto const mark = claim_mark();
        unchanged_rows unchanged;
        std::optional<result<operation_record>> verdict;
        auto const done =
            pool_->use("taking operation " + std::to_string(number), unlimited,
                       [&](postgres_connection& on, bool again, steady_time until) -> problem {
                           if (auto why = postgres_owners::bury(on, until)) return why;
                           postgres_values values;
                           values.integer(as_signed(number)).integer(as_signed(epoch));
                           values.integer(as_signed(owner)).integer(mark);
                           auto taken = on.run(postgres_query::take, values, until);
                           if (taken.failed()) return std::move(taken.problem);
                           if (taken.rows.size() == 0)
                               return why_not_free(on, number, epoch, again ? mark : 0, until,
                                                   unchanged, verdict);
                           verdict.emplace(judged(operation_in(taken.rows, 0)));
                           return std::nullopt;
                       });
        if (!done.has_value()) return done.error();
        return std::move(*verdict);
    }

    result<void> request_cancel(std::uint64_t number) {
        bool noted = false;
        unchanged_rows unchanged;
        std::optional<failure> refused;
        auto const done =
            pool_->use("asking operation " + std::to_string(number) + " to end", unlimited,
                       [&](postgres_connection& on, bool, steady_time until) -> problem {
                           postgres_values values;
                           values.integer(as_signed(number));
                           auto wished = on.run(postgres_query::request_cancel, values, until);
                           if (wished.failed()) return std::move(wished.problem);
                           noted = wished.rows.changed() == 1;
                           if (noted) return std::nullopt;
                           auto found = on.run(postgres_query::by_number, values, until);
                           if (found.failed()) return std::move(found.problem);
                           if (found.rows.size() == 0) {
                               refused = no_operation(number);
                           } else {
                               auto const read = operation_in(found.rows, 0);
                               if (read.wrong == nullptr) return unchanged.another();
                               refused = damaged(read);
                           }
                           return std::nullopt;
                       });
        if (!done.has_value()) return done;
        if (refused) return *refused;
        return success();
    }

    result<void> remove(std::uint64_t number, std::uint64_t epoch) {
        unchanged_rows unchanged;
        std::optional<result<operation_record>> verdict;
        bool gone = false;
        auto const done = pool_->use(
            "removing operation " + std::to_string(number), unlimited,
            [&](postgres_connection& on, bool again, steady_time until) -> problem {
                verdict.reset();
                if (auto why = postgres_owners::bury(on, until)) return why;
                postgres_values which;
                which.integer(as_signed(number)).integer(as_signed(epoch));
                postgres_values alone;
                alone.integer(as_signed(number));
                // The steps by a statement of their own, which sees those that a writer put in while the
                // first one waited for it.
                postgres_connection::piece const pieces[] = {
                    {postgres_query::remove, &which}, {postgres_query::remove_steps, &alone}};
                std::vector<postgres_rows> rows;
                if (auto why = on.run_together(pieces, rows, until)) return why;
                gone = rows[0].changed() == 1;
                if (gone) return std::nullopt;
                auto why = why_not_free(on, number, epoch, 0, until, unchanged, verdict);
                // What an earlier try, whose answer was lost, has removed.
                gone = again && verdict && verdict->has_error() &&
                       verdict->error().code() == make_error_code(store_errc::fenced);
                return why;
            });
        if (!done.has_value()) return done;
        if (!gone && verdict) return verdict->error();
        return success();
    }

    result<std::optional<operation_record>> find(operation_ref id, duration at_most) {
        postgres_rows rows;
        postgres_values values;
        values.text(id.space).text(id.name).text(id.key);
        auto const done =
            fetch("reading operation " + display(id), postgres_query::find, values, at_most, rows);
        if (!done.has_value()) return done.error();
        if (rows.size() == 0) return std::optional<operation_record>{};
        auto one = judged(operation_in(rows, 0));
        if (!one.has_value()) return one.error();
        return std::optional<operation_record>{std::move(one.value())};
    }

    result<std::vector<operation_record>> list(operation_filter const& filter) {
        std::vector<operation_record> page;
        if (filter.parent && *filter.parent == 0) return list_roots(filter);
        auto after = filter.after;
        while (page.size() < filter.limit && after <= number_max) {
            postgres_rows rows;
            auto const done = fetch_page(filter, after, rows);
            if (!done.has_value()) return done.error();
            for (auto& one : whole(rows))
                if (page.size() < filter.limit) page.push_back(std::move(one));
            if (rows.size() < rows_at_once) break;
            after = as_unsigned(rows.integer(rows.size() - 1, 0));
        }
        return page;
    }

    result<std::vector<step_record>> steps(std::uint64_t number, duration at_most) {
        postgres_rows rows;
        auto const done = fetch_steps(number, at_most, rows);
        if (!done.has_value()) return done.error();
        if (rows.size() == 0) return std::vector<step_record>{};
        auto const head = operation_in(rows, 0);
        if (head.wrong != nullptr) return damaged(head);
        auto read = steps_in(rows, number, head.writes);
        if (read.wrong == nullptr) return std::move(read.steps);
        return damaged_steps(head, read);
    }

    result<std::size_t> clean_up(system_time now, std::size_t most) {
        std::size_t removed = 0;
        auto from = std::numeric_limits<std::int64_t>::min();
        while (removed < most) {
            auto const wanted =
                static_cast<std::int64_t>(std::min<std::size_t>(most - removed, rows_at_once));
            postgres_values page;
            page.integer(stamp_of(now)).integer(wanted).integer(from);
            std::size_t some = 0;
            std::int64_t seen = 0;
            std::int64_t last = from;
            auto const done =
                pool_->use("cleaning up", unlimited,
                           [&](postgres_connection& on, bool, steady_time until) -> problem {
                               if (auto why = postgres_owners::bury(on, until)) return why;
                               auto found = on.run(postgres_query::expired, page, until);
                               if (found.failed()) return std::move(found.problem);
                               seen = found.rows.size();
                               if (seen != 0) last = found.rows.integer(found.rows.size() - 1, 15);
                               return erase(on, found.rows, until, some);
                           });
            if (!done.has_value()) return done.error();
            removed += some;
            if (seen < wanted || (some == 0 && last == from)) break;
            from = last;
        }
        return removed;
    }

    /// Reads all, and counts what is whole and what is not.
    result<void> verify(postgres_verification& found) {
        operation_filter const all;
        std::uint64_t after = 0;
        while (true) {
            postgres_rows rows;
            auto const done = fetch_page(all, after, rows);
            if (!done.has_value()) return done;
            for (int row = 0; row != rows.size(); ++row) {
                auto const checked = verify_one(operation_in(rows, row), found);
                if (!checked.has_value()) return checked;
            }
            if (rows.size() < rows_at_once) return success();
            after = as_unsigned(rows.integer(rows.size() - 1, 0));
        }
    }

    /// An operation that was read, or why it cannot be believed.
    result<operation_record> judged(operation_row read) {
        if (read.wrong != nullptr) return damaged(read);
        return std::move(read.record);
    }

    failure damaged(operation_row const& read) {
        auto const where = "operation " + display(read.record.id) + " in " + pool_->shown() + ' ';
        if (read.newer)
            return store_failure(store_errc::newer_version,
                                 where + "cannot be read: " + read.wrong);
        damage_->note({read.record.id, read.record.number, -1, read.wrong});
        return store_failure(store_errc::corrupt,
                             where + "is damaged: " + read.wrong + "; it was left as it is");
    }

    static constexpr int rows_at_once = 256;

  private:
    static constexpr std::size_t claimed_at_once_max = 10'000;
    static constexpr auto number_max =
        static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

    // Below every mark of a write, so that the first write of the new epoch is a later one.
    static std::int64_t claim_mark() noexcept {
        constexpr unsigned bits = 50;
        return -static_cast<std::int64_t>(real_clock::random() >> (64 - bits)) - 1;
    }

    result<void> fetch(std::string const& doing, postgres_query which,
                       postgres_values const& values, duration at_most, postgres_rows& rows) {
        return pool_->use(doing, at_most,
                          [&](postgres_connection& on, bool, steady_time until) -> problem {
                              auto answer = on.run(which, values, until);
                              rows = std::move(answer.rows);
                              return std::move(answer.problem);
                          });
    }

    result<void> fetch_steps(std::uint64_t number, duration at_most, postgres_rows& rows) {
        return fetch("reading the steps of operation " + std::to_string(number),
                     postgres_query::steps, postgres_values{}.integer(as_signed(number)), at_most,
                     rows);
    }

    result<void> fetch_page(operation_filter const& filter, std::uint64_t after,
                            postgres_rows& rows) {
        postgres_values values;
        values.integer(as_signed(after));
        values.integer(filter.status ? static_cast<std::int64_t>(*filter.status) : 0);
        for (auto const* text : {&filter.space, &filter.name}) {
            if (*text)
                values.text(**text);
            else
                values.null(pg_text);
        }
        values.integer(rows_at_once);
        if (filter.parent) values.integer(as_signed(*filter.parent));
        return fetch("listing operations",
                     filter.parent ? postgres_query::children : postgres_query::page, values,
                     unlimited, rows);
    }

    /// Those without a parent have no index, since they are most: they are picked out here.
    result<std::vector<operation_record>> list_roots(operation_filter const& filter) {
        auto wider = filter;
        wider.parent.reset();
        std::vector<operation_record> page;
        while (page.size() < filter.limit && wider.after <= number_max) {
            postgres_rows rows;
            auto const done = fetch_page(wider, wider.after, rows);
            if (!done.has_value()) return done.error();
            for (auto& one : whole(rows))
                if (one.parent == 0 && page.size() < filter.limit) page.push_back(std::move(one));
            if (rows.size() < rows_at_once) break;
            wider.after = as_unsigned(rows.integer(rows.size() - 1, 0));
        }
        return page;
    }

    /// Those that can be believed; the others are noted.
    std::vector<operation_record> whole(postgres_rows const& rows) {
        std::vector<operation_record> all;
        for (int row = 0; row != rows.size(); ++row)
            if (auto one = judged(operation_in(rows, row)); one.has_value())
                all.push_back(std::move(one.value()));
        return all;
    }

    /// Why an operation could not be taken or removed; `mark`: of a take that may have been done before.
    problem why_not_free(postgres_connection& on, std::uint64_t number, std::uint64_t epoch,
                         std::int64_t mark, steady_time until, unchanged_rows& unchanged,
                         std::optional<result<operation_record>>& verdict) {
        auto found =
            on.run(postgres_query::by_number, postgres_values{}.integer(as_signed(number)), until);
        if (found.failed()) return std::move(found.problem);
        if (found.rows.size() == 0) {
            verdict.emplace(no_operation(number));
            return std::nullopt;
        }
        auto read = operation_in(found.rows, 0);
        if (read.wrong != nullptr)
            verdict.emplace(damaged(read));
        else if (mark != 0 && read.mark == mark)
            verdict.emplace(std::move(read.record));
        else if (read.record.epoch != epoch)
            verdict.emplace(epoch_conflict(read.record, epoch));
        else if (read.record.owner != 0)
            verdict.emplace(owned(read.record));
        else
            return unchanged.another();  // it was given back in between
        return std::nullopt;
    }

    problem erase(postgres_connection& on, postgres_rows const& rows, steady_time until,
                  std::size_t& removed) {
        postgres_array numbers{pg_bigint};
        postgres_array marks{pg_bigint};
        postgres_array again{pg_bigint};
        for (auto const& one : ended(rows)) {
            numbers.add(one.first);
            again.add(one.first);
            marks.add(one.second);
        }
        postgres_values which;
        which.array(std::move(numbers)).array(std::move(marks));
        postgres_values steps;
        steps.array(std::move(again));
        postgres_connection::piece const pieces[] = {{postgres_query::erase_ended, &which},
                                                     {postgres_query::erase_steps, &steps}};
        std::vector<postgres_rows> done;
        if (auto why = on.run_together(pieces, done, until)) return why;
        removed = done[0].changed();
        return std::nullopt;
    }

    /// Number and mark of each that is whole: nothing is removed on a doubt.
    std::vector<std::pair<std::int64_t, std::int64_t>> ended(postgres_rows const& rows) {
        std::vector<std::pair<std::int64_t, std::int64_t>> all;
        for (int row = 0; row != rows.size(); ++row) {
            auto const read = operation_in(rows, row);
            if (read.wrong == nullptr && has_ended(read.record.status))
                all.emplace_back(rows.integer(row, 0), read.mark);
            else if (read.wrong != nullptr)
                static_cast<void>(damaged(read));
        }
        return all;
    }

    failure damaged_steps(operation_row const& head, step_rows const& read) {
        auto const where = "operation " + display(head.record.id) + " in " + pool_->shown() + ' ';
        if (read.newer)
            return store_failure(store_errc::newer_version,
                                 where + "has a step that cannot be read: " + read.wrong);
        damage_->note({head.record.id, head.record.number, read.index, read.wrong});
        return store_failure(
            store_errc::corrupt,
            where + "has damaged steps: " +
                (read.index < 0 ? "" : "step " + std::to_string(read.index) + ": ") + read.wrong +
                "; they were left as they are");
    }

    result<void> verify_one(operation_row const& head, postgres_verification& found) {
        auto const wrong = [&](damaged_row what) {
            ++found.damaged_rows;
            if (found.damaged.size() < damaged_rows_max) found.damaged.push_back(std::move(what));
        };
        if (head.wrong != nullptr) {
            wrong({head.record.id, head.record.number, -1, head.wrong});
            return success();
        }
        ++found.operations;
        postgres_rows rows;
        auto const done = fetch_steps(head.record.number, unlimited, rows);
        if (!done.has_value()) return done;
        if (rows.size() == 0) return success();  // it was removed meanwhile
        auto const now = operation_in(rows, 0);
        if (now.wrong != nullptr) return success();
        auto const read = steps_in(rows, head.record.number, now.writes);
        found.steps += read.steps.size();
        if (read.wrong != nullptr)
            wrong({head.record.id, head.record.number, read.index, read.wrong});
        return success();
    }

    postgres_pool* pool_;
    postgres_damage* damage_;
};

}  // namespace recoup::inline v1::detail
