// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/postgres_operations.hpp>
#include <recoup/store/durable_store.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// An operation that waits to be recorded, and what came of it.
struct postgres_start {
    operation_record const* head;
    std::uint64_t owner;
    std::int64_t number = 0;
    std::optional<result<started_operation>> verdict{};
};

/// Records new operations, many in one statement.
class postgres_starts {
  public:
    using problem = std::optional<postgres_problem>;

    postgres_starts(postgres_pool& pool, postgres_operations& operations)
        : pool_{&pool}, operations_{&operations} {}

    void commit(std::span<postgres_start* const> all) {
        auto const done = run(all);
        if (done.has_value()) return;
        auto const alone =
            all.size() == 1 || done.error().code() == make_error_code(store_errc::unavailable);
        for (auto* one : all) {
            if (one->verdict) continue;
            auto const last = alone ? done : run({&one, 1});
            if (!last.has_value()) one->verdict.emplace(last.error());
        }
    }

  private:
    result<void> run(std::span<postgres_start* const> all) {
        unchanged_rows unchanged;
        return pool_->use("starting " + std::to_string(all.size()) + " operations", unlimited,
                          [&](postgres_connection& on, bool, steady_time until) -> problem {
                              auto const round = pending(all);
                              if (round.empty()) return std::nullopt;
                              if (auto why = number(on, round, until)) return why;
                              if (auto why = insert(on, round, until)) return why;
                              auto const left = pending(all);
                              if (left.empty()) return std::nullopt;
                              if (auto why = look(on, left, until)) return why;
                              if (pending(all).empty()) return std::nullopt;
                              // One was there, and was removed before it was looked at.
                              return unchanged.another();
                          });
    }

    static std::vector<postgres_start*> pending(std::span<postgres_start* const> all) {
        std::vector<postgres_start*> some;
        for (auto* one : all)
            if (!one->verdict) some.push_back(one);
        return some;
    }

    /// Gives numbers to those that have none yet: once for all tries, so that each knows its own row.
    static problem number(postgres_connection& on, std::vector<postgres_start*> const& round,
                          steady_time until) {
        auto const none = std::count_if(round.begin(), round.end(),
                                        [](auto const* one) { return one->number == 0; });
        if (none == 0) return std::nullopt;
        auto next = on.run(postgres_query::next_numbers,
                           postgres_values{}.integer(std::int64_t{none}), until);
        if (next.failed()) return std::move(next.problem);
        std::vector<std::int64_t> numbers;
        for (int row = 0; row != next.rows.size(); ++row)
            numbers.push_back(next.rows.integer(row, 0));
        std::sort(numbers.rbegin(), numbers.rend());
        for (auto* one : round) {
            if (one->number != 0) continue;
            if (numbers.empty())
                return postgres_problem{"", "the sequence gave too few numbers", false,
                                        store_errc::corrupt};
            one->number = numbers.back();
            numbers.pop_back();
        }
        return std::nullopt;
    }

    static problem insert(postgres_connection& on, std::vector<postgres_start*> round,
                          steady_time until) {
        // In one order everywhere, so that no two batches wait for each other.
        std::sort(round.begin(), round.end(), [](auto const* left, auto const* right) {
            auto const key = [](auto const* one) {
                auto const& id = one->head->id;
                return std::tie(id.space, id.name, id.key, one->number);
            };
            return key(left) < key(right);
        });
        postgres_array number{pg_bigint}, space{pg_text}, name{pg_text}, key{pg_text},
            parent{pg_bigint}, owner{pg_bigint}, cancel{pg_bigint}, status{pg_bigint},
            due{pg_bigint}, slept{pg_bigint}, expires{pg_bigint}, identity{pg_bytea},
            payload{pg_bytea};
        for (auto const* one : round) {
            auto const& head = *one->head;
            auto const own = as_unsigned(one->number);
            number.add(one->number);
            space.add(std::string_view{head.id.space});
            name.add(std::string_view{head.id.name});
            key.add(std::string_view{head.id.key});
            parent.add(as_signed(head.parent));
            owner.add(as_signed(one->owner));
            cancel.add(std::int64_t{head.cancel_requested ? 1 : 0});
            status.add(static_cast<std::int64_t>(head.status));
            due.add(stamp_of(head.due));
            slept.add(slept_at(head));
            expires.add(stamp_of(head.expires));
            identity.add(std::string_view{encode_identity(own, head)});
            payload.add(std::string_view{encode_head(own, head)});
        }
        postgres_values values;
        for (auto* one : {&number, &space, &name, &key, &parent, &owner, &cancel, &status, &due,
                          &slept, &expires, &identity, &payload})
            values.array(std::move(*one));
        auto made = on.run(postgres_query::start, values, until);
        if (made.failed()) return std::move(made.problem);
        for (int row = 0; row != made.rows.size(); ++row)
            for (auto* one : round)
                if (one->number == made.rows.integer(row, 0)) note_made(*one);
        return std::nullopt;
    }

    static void note_made(postgres_start& one) {
        started_operation made{*one.head, true};
        made.record.number = as_unsigned(one.number);
        made.record.epoch = 1;
        made.record.owner = one.owner;
        one.verdict.emplace(std::move(made));
    }

    /// Finds what was there already.
    problem look(postgres_connection& on, std::vector<postgres_start*> const& round,
                 steady_time until) {
        postgres_array space{pg_text}, name{pg_text}, key{pg_text};
        for (auto const* one : round) {
            space.add(std::string_view{one->head->id.space});
            name.add(std::string_view{one->head->id.name});
            key.add(std::string_view{one->head->id.key});
        }
        postgres_values values;
        values.array(std::move(space)).array(std::move(name)).array(std::move(key));
        auto found = on.run(postgres_query::by_ids, values, until);
        if (found.failed()) return std::move(found.problem);
        for (int row = 0; row != found.rows.size(); ++row)
            for (auto* one : round) {
                auto const& id = one->head->id;
                if (one->verdict || found.rows.text(row, 1) != id.space ||
                    found.rows.text(row, 2) != id.name || found.rows.text(row, 3) != id.key)
                    continue;
                if (one->number == found.rows.integer(row, 0)) {
                    note_made(*one);  // by an earlier try, whose answer was lost
                    continue;
                }
                auto read = operations_->judged(operation_in(found.rows, row));
                if (read.has_value())
                    one->verdict.emplace(started_operation{std::move(read.value()), false});
                else
                    one->verdict.emplace(read.error());
            }
        return std::nullopt;
    }

    postgres_pool* pool_;
    postgres_operations* operations_;
};

}  // namespace recoup::inline v1::detail
