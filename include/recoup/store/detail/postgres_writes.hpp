// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/postgres_operations.hpp>
#include <recoup/store/durable_store.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// A write that waits for its commit, and its verdict.
struct postgres_write {
    operation_write const* what;
    std::int64_t mark;
    std::optional<result<write_receipt>> verdict{};
    unchanged_rows unchanged{};
};

/// Writes operations, many in one statement, each with a verdict of its own.
class postgres_writes {
  public:
    using problem = std::optional<postgres_problem>;

    postgres_writes(postgres_pool& pool, postgres_operations& operations, postgres_owners& owners)
        : pool_{&pool}, operations_{&operations}, owners_{&owners} {}

    /// A number that is greater than those of this store's writes before. By the clock, so that it is also
    /// greater than those of a store that wrote under the same epoch before this one was opened.
    std::int64_t next_mark() noexcept {
        auto const now = std::chrono::floor<std::chrono::microseconds>(real_clock::system_now())
                             .time_since_epoch()
                             .count();
        auto last = mark_.load(std::memory_order_relaxed);
        while (!mark_.compare_exchange_weak(last, std::max<std::int64_t>(now, last + 1),
                                            std::memory_order_relaxed)) {}
        return std::max<std::int64_t>(now, last + 1);
    }

    void commit(std::span<postgres_write* const> all) {
        auto const done = run(all);
        if (done.has_value()) return;
        // What one of them holds may have spoilt it for all: each alone then. Where the server cannot be
        // reached that would only take all the longer.
        auto const alone =
            all.size() == 1 || done.error().code() == make_error_code(store_errc::unavailable);
        for (auto* one : all) {
            if (one->verdict) continue;
            auto const last = alone ? done : run({&one, 1});
            if (!last.has_value() && !one->verdict) one->verdict.emplace(last.error());
        }
    }

    /// What became of a write that the fence did not let through, by the row as it is now.
    ///
    /// Returns: a problem where it is to be tried again, or was too often; else it has a verdict.
    problem judge(postgres_write& one, postgres_rows const& rows, bool again) {
        auto const number = one.what->number;
        auto row = 0;
        while (row != rows.size() && as_unsigned(rows.integer(row, 0)) != number) ++row;
        if (row == rows.size()) {
            one.verdict.emplace(no_operation(number));
            return std::nullopt;
        }
        auto const read = operation_in(rows, row);
        auto const& now = read.record;
        if (read.wrong != nullptr)
            one.verdict.emplace(operations_->damaged(read));
        else if (again && now.epoch == one.what->epoch && read.mark == one.mark)
            // An earlier try whose answer was lost, and which was done.
            one.verdict.emplace(write_receipt{read.met_wish});
        else if (now.epoch != one.what->epoch || now.owner == 0)
            one.verdict.emplace(fenced(now, one.what->epoch));
        else if (read.mark >= one.mark && again)
            one.verdict.emplace(store_failure(
                store_errc::unavailable, "operation " + display(now.id) +
                                             " was written under the same epoch while the answer "
                                             "to this write was lost; whether it was done is not "
                                             "known"));
        else {
            if (read.mark >= one.mark) one.mark = raise_mark(read.mark);
            return one.unchanged.another();
        }
        return std::nullopt;
    }

  private:
    std::int64_t raise_mark(std::int64_t above) noexcept {
        auto last = mark_.load(std::memory_order_relaxed);
        while (last < above &&
               !mark_.compare_exchange_weak(last, above, std::memory_order_relaxed)) {}
        return next_mark();
    }

    result<void> run(std::span<postgres_write* const> all) {
        return pool_->use("writing " + std::to_string(all.size()) + " operations", unlimited,
                          [&](postgres_connection& on, bool again, steady_time until) -> problem {
                              // Each round has a verdict for one of them at least, or counts a try.
                              for (auto round = next_round(all); !round.empty();
                                   round = next_round(all))
                                  if (auto why = run_round(on, round, again, until)) return why;
                              return std::nullopt;
                          });
    }

    /// Those without a verdict, one of each operation, ascending so that no two batches lock crosswise.
    static std::vector<postgres_write*> next_round(std::span<postgres_write* const> all) {
        std::map<std::uint64_t, postgres_write*> first;
        for (auto* one : all)
            if (!one->verdict) first.try_emplace(one->what->number, one);
        std::vector<postgres_write*> round;
        round.reserve(first.size());
        for (auto const& [number, one] : first) round.push_back(one);
        return round;
    }

    /// The values of a round, as the statements take them.
    struct bound {
        postgres_array number{pg_bigint}, epoch{pg_bigint}, mark{pg_bigint}, writes{pg_bigint},
            drops{pg_bigint}, releases{pg_bigint}, cancel{pg_bigint}, status{pg_bigint},
            due{pg_bigint}, slept{pg_bigint}, expires{pg_bigint}, payload{pg_bytea};
        postgres_array step_of{pg_bigint}, index{pg_bigint}, step{pg_bytea};
        postgres_array dropped{pg_bigint}, dropped_mark{pg_bigint};
        bool any_drop = false;
    };

    static void add_head(bound& to, operation_write const& what) {
        if (what.head == nullptr) {
            for (auto* one : {&to.cancel, &to.status, &to.due, &to.slept, &to.expires, &to.payload})
                one->add_null();
            return;
        }
        auto const& head = *what.head;
        // Null: as it is in the row when that is locked. Only there is a wish known that has just come.
        if (head.cancel_requested || what.drop_wish)
            to.cancel.add(std::int64_t{head.cancel_requested ? 1 : 0});
        else
            to.cancel.add_null();
        to.status.add(static_cast<std::int64_t>(head.status));
        to.due.add(stamp_of(head.due));
        to.slept.add(slept_at(head));
        to.expires.add(stamp_of(head.expires));
        to.payload.add(std::string_view{encode_head(what.number, head)});
    }

    /// How many rows of steps the write makes: of two of one index the last one counts.
    static std::int64_t add_steps(bound& to, operation_write const& what) {
        std::int64_t added = 0;
        for (std::size_t i = 0; i != what.steps.size(); ++i) {
            auto const later = what.steps.subspan(i + 1);
            auto const again = std::any_of(later.begin(), later.end(), [&](auto const& one) {
                return one.index == what.steps[i].index;
            });
            if (again) continue;
            to.step_of.add(as_signed(what.number));
            to.index.add(std::int64_t{what.steps[i].index});
            to.step.add(std::string_view{encode_step(what.number, what.steps[i])});
            ++added;
        }
        return added;
    }

    static std::vector<std::int64_t> bind(bound& to, std::vector<postgres_write*> const& round) {
        std::vector<std::int64_t> counts;
        for (auto const* one : round) {
            auto const& what = *one->what;
            to.number.add(as_signed(what.number));
            to.epoch.add(as_signed(what.epoch));
            to.mark.add(one->mark);
            to.drops.add(std::int64_t{what.drop_steps ? 1 : 0});
            to.releases.add(std::int64_t{what.release ? 1 : 0});
            add_head(to, what);
            counts.push_back(add_steps(to, what));
            to.writes.add(counts.back());
            if (!what.drop_steps) continue;
            to.any_drop = true;
            to.dropped.add(as_signed(what.number));
            to.dropped_mark.add(one->mark);
        }
        return counts;
    }

    problem run_round(postgres_connection& on, std::vector<postgres_write*> const& round,
                      bool again, steady_time until) {
        bound to;
        auto const counts = bind(to, round);
        postgres_rows fence;
        std::int64_t put = 0;
        auto why =
            to.any_drop ? send_parts(on, to, fence, put, until) : send(on, to, fence, put, until);
        if (why) return why;
        std::int64_t expected = 0;
        std::set<std::uint64_t> owners;
        std::vector<postgres_write*> refused;
        std::vector<postgres_write*> written;
        for (std::size_t i = 0; i != round.size(); ++i) {
            auto const number = as_signed(round[i]->what->number);
            auto row = 0;
            while (row != fence.size() && fence.integer(row, 0) != number) ++row;
            if (row == fence.size()) {
                refused.push_back(round[i]);
                continue;
            }
            expected += counts[i];
            owners.insert(as_unsigned(fence.integer(row, 2)));
            round[i]->verdict.emplace(write_receipt{fence.integer(row, 1) == 1});
            written.push_back(round[i]);
        }
        if (put != expected)
            for (auto* one : written)
                one->verdict.emplace(store_failure(store_errc::corrupt,
                                                   "writing to " + pool_->shown() + " put " +
                                                       std::to_string(put) + " steps; expected " +
                                                       std::to_string(expected)));
        owners_->wrote(on, owners, until);
        return refused.empty() ? std::nullopt : judge_all(on, refused, again, until);
    }

    problem judge_all(postgres_connection& on, std::vector<postgres_write*> const& refused,
                      bool again, steady_time until) {
        postgres_array numbers{pg_bigint};
        for (auto const* one : refused) numbers.add(as_signed(one->what->number));
        auto found =
            on.run(postgres_query::states, postgres_values{}.array(std::move(numbers)), until);
        if (found.failed()) return std::move(found.problem);
        for (auto* one : refused)
            if (auto why = judge(*one, found.rows, again); why && !may_succeed_again(*why)) {
                one->verdict.emplace(failure_of(*why, "writing an operation", pool_->shown()));
            }
        return std::nullopt;
    }

    static void bind_fence(postgres_values& values, bound& from) {
        for (auto* one :
             {&from.number, &from.epoch, &from.mark, &from.writes, &from.drops, &from.releases,
              &from.cancel, &from.status, &from.due, &from.slept, &from.expires, &from.payload})
            values.array(std::move(*one));
    }

    problem send(postgres_connection& on, bound& from, postgres_rows& fence, std::int64_t& put,
                 steady_time until) {
        postgres_values values;
        bind_fence(values, from);
        for (auto* one : {&from.step_of, &from.index, &from.step}) values.array(std::move(*one));
        auto answer = on.run(postgres_query::write, values, until);
        if (answer.failed()) return std::move(answer.problem);
        fence = std::move(answer.rows);
        if (fence.size() != 0) put = fence.integer(0, 3);
        return std::nullopt;
    }

    /// Where steps are dropped they must be gone before others come, and that takes statements of their own.
    problem send_parts(postgres_connection& on, bound& from, postgres_rows& fence,
                       std::int64_t& put, steady_time until) {
        auto const number = postgres_array{from.number}.finish();
        auto const mark = postgres_array{from.mark}.finish();
        postgres_values first;
        bind_fence(first, from);
        postgres_values second;
        second.array(std::move(from.dropped)).array(std::move(from.dropped_mark));
        postgres_values third;
        third.array(number).array(mark);
        for (auto* one : {&from.step_of, &from.index, &from.step}) third.array(std::move(*one));
        postgres_connection::piece const pieces[] = {{postgres_query::fence, &first},
                                                     {postgres_query::drop_steps, &second},
                                                     {postgres_query::put_steps, &third}};
        std::vector<postgres_rows> rows;
        if (auto why = on.run_together(pieces, rows, until)) return why;
        fence = std::move(rows[0]);
        put = static_cast<std::int64_t>(rows[2].changed());
        return std::nullopt;
    }

    postgres_pool* pool_;
    postgres_operations* operations_;
    postgres_owners* owners_;
    std::atomic<std::int64_t> mark_{0};
};

}  // namespace recoup::inline v1::detail
