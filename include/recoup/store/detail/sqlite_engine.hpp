// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/clock.hpp>
#include <recoup/store/detail/group_commit.hpp>
#include <recoup/store/detail/sqlite_file.hpp>
#include <recoup/store/detail/sqlite_writer.hpp>
#include <recoup/store/detail/turn.hpp>
#include <recoup/store/sqlite_options.hpp>
#include <recoup/store/sqlite_transaction.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>

namespace recoup::inline v1::detail {

/// How the calls of a `sqlite_store` come to the file: alone to read, and together to write.
class sqlite_engine {
  protected:
    explicit sqlite_engine(sqlite_store_options&& options)
        : options_{std::move(options)}, file_{std::make_unique<sqlite_file>()} {}
    sqlite_engine(sqlite_engine const&) = delete;
    sqlite_engine& operator=(sqlite_engine const&) = delete;
    ~sqlite_engine() = default;

    [[nodiscard]] bool shared() const noexcept { return options_.sharing == sharing::processes; }
    [[nodiscard]] std::size_t bytes_max() const noexcept {
        return std::min(options_.record_bytes_max, record_bytes_limit);
    }
    [[nodiscard]] steady_time until(duration at_most) const noexcept {
        return saturating_add(real_clock::now(), std::min(at_most, options_.busy_wait));
    }

    /// Whether this process may touch the file.
    result<void> usable() const {
        if (!file_->guard.in_another_process()) return success();
        return store_failure(store_errc::forked,
                             "the store " + file_->guard.path() +
                                 " was opened by the process that forked "
                                 "this one; open it anew here when that has closed it");
    }
    result<void> writable() {
        if (options_.read_only)
            return store_failure(store_errc::read_only,
                                 file_->guard.path() + " was opened read_only");
        return writer_.ready();
    }
    failure busy() const {
        return store_failure(
            store_errc::unavailable,
            "the store " + file_->guard.path() + " was busy for as long as could be waited");
    }

    /// Does `work` alone, with at most `at_most` of waiting for others.
    template <class T, class Work>
    result<T> use(duration at_most, Work const& work) {
        if (auto fit = usable(); !fit.has_value()) return fit.error();
        auto const latest = until(at_most);
        if (!turn_.try_lock() && !turn_.try_lock_until(latest)) return busy();
        std::lock_guard const held{turn_, std::adopt_lock};
        file_->connection.wait_until(latest);
        return work();
    }

    /// The same for what reads more than once: in one view of the file, where others may write to it.
    template <class T, class Work>
    result<T> look(duration at_most, Work const& work) {
        if (!shared()) return use<T>(at_most, work);
        return use<T>(at_most, [&]() -> result<T> {
            auto const doing = "reading " + file_->guard.path();
            if (auto begun = file_->connection.run("BEGIN", doing, false); !begun.has_value())
                return begun.error();
            view_at_end const view{file_->connection};
            return work();
        });
    }

    /// Does `work(sqlite_change&)` in a transaction that may be shared with other callers of this; it
    /// may be called twice.
    template <class T, class Work>
    result<T> change(duration at_most, Work const& work) {
        if (auto fit = usable(); !fit.has_value()) return fit.error();
        if (options_.read_only)
            return store_failure(store_errc::read_only,
                                 file_->guard.path() + " was opened read_only");
        sqlite_task_of<T, Work> task{work};
        auto const latest = until(at_most);
        task.wait_until(latest);
        auto const done = group_.run(task, latest, turn_, [&](std::span<sqlite_task* const> tasks) {
            auto last = latest;
            for (auto const* each : tasks) last = std::max(last, each->until());
            file_->connection.wait_until(last);
            writer_.commit(tasks);
        });
        if (!done) return busy();
        return task.take();
    }

    /// What changes who has what: in memory, or in a transaction where processes share the file.
    template <class T, class Work>
    result<T> claimed(Work const& work) {
        return use<T>(unlimited, [&]() -> result<T> {
            if (auto fit = writable(); !fit.has_value()) return fit.error();
            if (!shared()) return work();
            auto done = writer_.alone([&](sqlite_change&) { return work(); });
            if (!done.has_value()) return done;
            if (auto kept = writer_.finish(); !kept.has_value()) return kept.error();
            return done;
        });
    }

    /// Gives this opening of the file its number, durably, so that no owner or epoch comes twice.
    result<void> begin_operations() {
        if (operating_.load(std::memory_order_acquire)) return usable();
        return use<void>(unlimited, [&]() -> result<void> {
            auto& owners = file_->operations.owners();
            if (owners.opening() != 0) return success();
            if (auto fit = writable(); !fit.has_value()) return fit;
            std::uint64_t opening = 0;
            auto done = writer_.alone([&](sqlite_change& change) {
                opening = ++change.account.openings;
                change.account_changed = true;
                return owners.begin(opening);
            });
            if (!done.has_value()) return done;
            owners.begun(opening);
            operating_.store(true, std::memory_order_release);
            return writer_.finish();
        });
    }

    /// Lets the user's code at the file, and sees to it that it left the store's part alone.
    template <class Body>
    result<step_record> run_body(Body& body) {
        auto& connection = file_->connection;
        auto const before = connection.ask_number("PRAGMA schema_version");
        if (!before.has_value()) return before.error();
        sqlite_transaction rows{connection};
        result<step_record> step = body(rows);
        rows.close();
        if (!step.has_value()) return step;
        if (rows.broken())
            return store_failure(store_errc::unavailable,
                                 "a statement of the transaction failed and took it back");
        auto const after = connection.ask_number("PRAGMA schema_version");
        if (!after.has_value()) return after.error();
        if (after.value() != before.value())
            if (auto same = compare_schema(connection, sqlite_schema_version); !same.has_value())
                return same.error();
        return step;
    }

    result<std::size_t> clean(system_time now, std::size_t most, sqlite_change& change) {
        auto const records = file_->records.clean_up(now, most, change);
        if (!records.has_value() || records.value() == most) return records;
        auto const operations = file_->operations.clean_up(now, most - records.value(), change);
        if (!operations.has_value()) return operations;
        return records.value() + operations.value();
    }

    result<void> room_for_record(sqlite_change& change) {
        if (change.account.records < options_.records_max) return success();
        return make_room(
            change, [&] { return change.account.records < options_.records_max; },
            change.account.records, " records; its limit is ", options_.records_max);
    }
    result<void> room_for_operation(operation_ref id, sqlite_change& change) {
        auto const found = file_->operations.find(id);
        if (!found.has_value() || found.value()) return success();  // told by `start`
        return make_room(
            change, [&] { return change.account.operations < options_.operations_max; },
            change.account.operations, " operations; its limit is ", options_.operations_max);
    }
    template <class HasRoom>
    result<void> make_room(sqlite_change& change, HasRoom const& has_room, std::uint64_t count,
                           char const* of, std::size_t limit) {
        auto const cleaned = clean(cleaning_time(change), cleaned_by_itself, change);
        if (!cleaned.has_value()) return cleaned.error();
        if (has_room()) return success();
        return store_failure(
            store_errc::full,
            file_->guard.path() + " holds " + std::to_string(count) + of + std::to_string(limit));
    }

    [[nodiscard]] system_time cleaning_time(sqlite_change const& change) const noexcept {
        return std::min(std::max(file_->records.latest(), change.account.newest),
                        real_clock::system_now());
    }
    void clean_up_now_and_then() {
        if ((saves_.fetch_add(1, std::memory_order_relaxed) + 1) % clean_up_every == 0)
            clean_up_by_itself();
    }
    void clean_up_by_itself() {
        // What fails here fails again where it matters, and is told there.
        static_cast<void>(change<std::size_t>(unlimited, [&](sqlite_change& change) {
            return clean(cleaning_time(change), cleaned_by_itself, change);
        }));
    }

    class view_at_end {
      public:
        explicit view_at_end(sqlite_connection& of) noexcept : of_{&of} {}
        view_at_end(view_at_end const&) = delete;
        view_at_end& operator=(view_at_end const&) = delete;
        ~view_at_end() { sqlite3_exec(of_->get(), "COMMIT", nullptr, nullptr, nullptr); }

      private:
        sqlite_connection* of_;
    };

    static constexpr std::size_t cleaned_by_itself = 64;
    static constexpr std::uint64_t clean_up_every = 256;

    sqlite_store_options options_;
    turn turn_;
    group_commit<sqlite_task> group_;
    std::unique_ptr<sqlite_file> file_;
    sqlite_writer writer_{*file_, options_};
    std::atomic<std::uint64_t> saves_{0};
    std::atomic<bool> operating_{false};
};

}  // namespace recoup::inline v1::detail
