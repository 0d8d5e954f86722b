// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/group_commit.hpp>
#include <recoup/store/detail/postgres_operations.hpp>
#include <recoup/store/detail/postgres_records.hpp>
#include <recoup/store/detail/postgres_schema.hpp>
#include <recoup/store/detail/postgres_starts.hpp>
#include <recoup/store/detail/postgres_writes.hpp>
#include <recoup/store/detail/turn.hpp>
#include <recoup/store/postgres_options.hpp>
#include <recoup/store/postgres_transaction.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>

namespace recoup::inline v1::detail {

/// What a `postgres_store` is made of.
class postgres_engine {
  public:
    postgres_engine(postgres_target target, postgres_store_options given)
        : options{std::move(given)}, pool{std::move(target), options} {}
    postgres_engine(postgres_engine const&) = delete;
    postgres_engine& operator=(postgres_engine const&) = delete;
    ~postgres_engine() {
        if (!pool.forked()) owners.leave_all();
    }

    result<void> open() {
        if (auto connected = pool.try_once(); !connected.has_value()) return connected;
        return postgres_schema{pool, options}.open();
    }

    [[nodiscard]] std::size_t bytes_max() const noexcept {
        return std::min(options.record_bytes_max, record_bytes_limit);
    }

    /// Whether an identity can be kept: this database takes no NUL and nothing that is not UTF-8.
    [[nodiscard]] std::optional<failure> check(operation_ref id, std::size_t bytes) const {
        if (!valid(id))
            return failure{category::invalid_input,
                           std::make_error_code(std::errc::invalid_argument),
                           "the identity " + printable_message(display(id)) +
                               " cannot be kept; expected printable UTF-8 of at most " +
                               std::to_string(identifier_bytes_max) + " bytes a part"};
        if (bytes > bytes_max()) return too_large(id, bytes, bytes_max());
        return std::nullopt;
    }

    result<started_operation> start(operation_record const& head, std::uint64_t owner,
                                    duration at_most) {
        postgres_start one{&head, owner};
        auto const committed =
            starting_.run(one, pool.until(at_most), start_turn_,
                          [&](std::span<postgres_start* const> all) { starts.commit(all); });
        if (!committed) return busy();
        return std::move(*one.verdict);
    }

    result<write_receipt> write(operation_write const& what, duration at_most) {
        auto bytes = what.head != nullptr ? encoded_size(*what.head) : 0;
        for (auto const& step : what.steps) bytes = std::max(bytes, encoded_size(step));
        if (bytes > bytes_max())
            return too_large({"", "operation", std::to_string(what.number)}, bytes, bytes_max());
        if (pool.forked()) return forked();
        postgres_write one{&what, writes.next_mark()};
        auto const committed =
            writing_.run(one, pool.until(at_most), write_turn_,
                         [&](std::span<postgres_write* const> all) { writes.commit(all); });
        if (!committed) return busy();
        return std::move(*one.verdict);
    }

    template <class Body>
    result<write_receipt> transact(std::uint64_t number, std::uint64_t epoch, Body&& body,
                                   duration at_most) {
        operation_write what;
        what.number = number;
        what.epoch = epoch;
        postgres_write one{&what, writes.next_mark()};
        auto const done =
            pool.use("recording a step of operation " + std::to_string(number), at_most,
                     [&](postgres_connection& on, bool again, steady_time until) {
                         return transact_once(on, one, body, again, until);
                     });
        if (!done.has_value()) return done.error();
        return std::move(*one.verdict);
    }

    void clean_up_now_and_then() {
        constexpr std::uint64_t every = 256;
        constexpr std::size_t most = 64;
        if (changes_.fetch_add(1, std::memory_order_relaxed) % every != every - 1) return;
        // What fails here fails again where it matters, and is told there.
        auto const now = real_clock::system_now();
        if (records.clean_up(now, most).has_value())
            static_cast<void>(operations.clean_up(now, most));
    }

    failure forked() const {
        return store_failure(store_errc::forked, "the store " + pool.shown() +
                                                     " was opened by the process that forked this "
                                                     "one; open it anew here");
    }

    postgres_store_options options;
    postgres_pool pool;
    postgres_damage damage;
    postgres_records records{pool, damage};
    postgres_operations operations{pool, damage};
    postgres_owners owners{pool};
    postgres_starts starts{pool, operations};
    postgres_writes writes{pool, operations, owners};

  private:
    using problem = std::optional<postgres_problem>;

    failure busy() const {
        return store_failure(
            store_errc::unavailable,
            "the store " + pool.shown() + " was busy for as long as could be waited");
    }

    template <class Body>
    problem transact_once(postgres_connection& on, postgres_write& one, Body& body, bool again,
                          steady_time until) {
        auto const which = postgres_values{}.integer(as_signed(one.what->number));
        one.verdict.reset();
        if (again) {
            // Had only once the transaction whose answer was lost is over, in one way or the other.
            auto found = on.run(postgres_query::lock, which, until);
            if (found.failed()) return std::move(found.problem);
            if (found.rows.size() == 1 && found.rows.integer(0, 7) == one.mark)
                return writes.judge(one, found.rows, true);
        }
        if (auto why = begin(on, until)) return why;
        postgres_values fence;
        fence.integer(as_signed(one.what->number))
            .integer(as_signed(one.what->epoch))
            .integer(one.mark);
        auto had = on.run(postgres_query::fence_one, fence, until);
        if (had.failed()) return std::move(had.problem);
        if (had.rows.size() == 0) {
            auto found = on.run(postgres_query::by_number, which, until);
            if (found.failed()) return std::move(found.problem);
            auto why = writes.judge(one, found.rows, false);
            return why ? why : back(on, until);
        }
        one.verdict.emplace(write_receipt{had.rows.integer(0, 1) == 1});
        if (auto why = run_body(on, one, body, until); why || !one.verdict->has_value())
            return why ? why : back(on, until);
        auto done = on.run("COMMIT", {}, until);
        if (done.failed()) return std::move(done.problem);
        if (std::string_view{PQcmdStatus(done.rows.get())} != "COMMIT")
            return one.unchanged.another();
        owners.wrote(on, {as_unsigned(had.rows.integer(0, 2))}, until);
        return std::nullopt;
    }

    static problem begin(postgres_connection& on, steady_time until) {
        if (auto begun = on.run("BEGIN", {}, until); begun.failed())
            return std::move(begun.problem);
        // The user's statements are planned as everywhere else; a server without these settings has them not.
        for (auto const* setting : planner_settings) {
            if (!on.knows_planner_settings()) break;
            auto reset = on.run(std::string{"SET LOCAL "} + setting + " TO DEFAULT", {}, until);
            if (reset.failed()) return std::move(reset.problem);
        }
        return std::nullopt;
    }

    static problem back(postgres_connection& on, steady_time until) {
        return on.run("ROLLBACK", {}, until).problem;
    }

    template <class Body>
    problem run_body(postgres_connection& on, postgres_write& one, Body& body, steady_time until) {
        postgres_transaction transaction{on, pool.shown(), until};
        std::optional<result<step_record>> made;
        try {
            made.emplace(body(transaction));
        } catch (...) {
            on.close();  // takes the transaction back
            throw;
        }
        transaction.close();
        if (auto const& broken = transaction.broken();
            broken && (broken->lost || may_succeed_again(*broken)))
            return broken;
        if (!made->has_value()) {
            one.verdict.emplace(made->error());
            return std::nullopt;
        }
        if (transaction.broken() || on.transaction_failed()) {
            one.verdict.emplace(store_failure(
                store_errc::unavailable,
                "a statement of the step's body failed, which took its transaction back"));
            return std::nullopt;
        }
        auto const& step = made->value();
        if (auto const bytes = encoded_size(step); bytes > bytes_max()) {
            one.verdict.emplace(
                too_large({"", "operation", std::to_string(one.what->number)}, bytes, bytes_max()));
            return std::nullopt;
        }
        auto const payload = encode_step(one.what->number, step);
        postgres_values values;
        values.integer(as_signed(one.what->number))
            .integer(std::int64_t{step.index})
            .bytes(payload);
        auto put = on.run(postgres_query::put_step, values, until);
        if (!put.failed() && put.rows.changed() != 1)
            return postgres_problem{"", "the step made no row; expected 1", false,
                                    store_errc::corrupt};
        return std::move(put.problem);
    }

    group_commit<postgres_start> starting_;
    group_commit<postgres_write> writing_;
    turn start_turn_;
    turn write_turn_;
    std::atomic<std::uint64_t> changes_{0};
};

}  // namespace recoup::inline v1::detail
