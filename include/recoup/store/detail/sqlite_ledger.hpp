// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/result.hpp>
#include <recoup/store/detail/membership.hpp>
#include <recoup/store/detail/sqlite_account.hpp>
#include <recoup/store/detail/sqlite_connection.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

namespace recoup::inline v1::detail {

/// What a file holds as against what it should hold: the account, kept in the file and here, and the
/// filter that answers `may_contain`.
///
/// One thread at a time, but for `may_contain`.
class sqlite_ledger {
  public:
    explicit sqlite_ledger(sqlite_connection& file) noexcept : file_{&file} {}

    result<void> prepare(bool read_only) {
        auto code = identities_.prepare(
            file_->get(),
            "SELECT space, name, key FROM recoup_record INDEXED BY recoup_record_identity");
        if (code == SQLITE_OK)
            code = operations_.prepare(file_->get(),
                                       "SELECT space, name, key FROM recoup_operation INDEXED BY "
                                       "recoup_operation_identity");
        if (code == SQLITE_OK)
            code = read_.prepare(file_->get(), "SELECT state FROM recoup_state WHERE number=1");
        if (code == SQLITE_OK && !read_only)
            code = write_.prepare(
                file_->get(), "INSERT OR REPLACE INTO recoup_state (number, state) VALUES (1, ?1)");
        if (code == SQLITE_OK) return success();
        return file_->fail(code, "preparing a statement for " + file_->path(), false);
    }

    /// Counts what is there and compares it with the account; fills the filter.
    result<void> take_stock() {
        members_.clear();
        auto const counted = count(&members_);
        if (!counted.has_value()) return counted.error();
        auto const account = read();
        if (!account.has_value()) return account.error();
        if (account.value()) {
            account_ = *account.value();
        } else {
            auto const rebuilt = rebuild(counted.value());
            if (!rebuilt.has_value()) return rebuilt.error();
            account_ = rebuilt.value();
        }
        incomplete_ = !account.value() || !account_.agrees(counted.value());
        // Operations are not counted before one is missed: there may be many, and few are asked for.
        lacks_operations_ = account.value() ? std::nullopt : std::optional{true};
        trusted_.store(!incomplete_ && !shared_, std::memory_order_relaxed);
        return success();
    }

    /// Others write to the file too: what is known of it holds for one transaction.
    void share() noexcept { shared_ = true; }

    /// The account as it is now; the caller has a transaction where others write too.
    result<store_account> current() {
        if (!shared_) return account_;
        auto const account = read();
        if (!account.has_value()) return account.error();
        if (account.value()) account_ = *account.value();
        return account_;
    }

    /// Whether an operation that is not found may have been lost to damage.
    result<bool> may_lack_operation() {
        if (lacks_operations_) return *lacks_operations_;
        auto const known = current();
        if (!known.has_value()) return known.error();
        store_account counted;
        if (auto done = count_operations(counted); !done.has_value()) return done.error();
        lacks_operations_ = !known.value().agrees_on_operations(counted);
        return *lacks_operations_;
    }
    [[nodiscard]] bool lacks_operations() const noexcept {
        return lacks_operations_.value_or(false);
    }

    /// Writes an account of what is there, whatever there was before.
    result<void> accept_what_is_there() {
        auto const counted = count(nullptr);
        if (!counted.has_value()) return counted.error();
        auto rebuilt = rebuild(counted.value());
        if (!rebuilt.has_value()) return rebuilt.error();
        rebuilt.value().newest = account_.newest;
        if (auto done = count_operations(rebuilt.value()); !done.has_value()) return done;
        return write(rebuilt.value());
    }

    /// Adds to `counted` the operations that the file holds now, by the index of identities.
    result<void> count_operations(store_account& counted) {
        counted.operations = counted.operations_digest = 0;
        return count_identities(operations_, "operations",
                                [&](operation_ref id) { counted.add_operation(id); });
    }

    /// Whether a record that is not found may have been lost to damage.
    result<bool> may_be_lost(operation_ref id) {
        if (incomplete_ || !trusted_.load(std::memory_order_relaxed) ||
            members_.ask(id) != membership::answer::yes)
            return incomplete_;
        // It was there; or it is one in some 10^9 that only looks so. Counting tells.
        auto const counted = count(nullptr);
        if (!counted.has_value()) return counted.error();
        if (!account_.agrees(counted.value())) {
            incomplete_ = true;
            distrust_filter();
        }
        return incomplete_;
    }

    /// Into the file, in the caller's transaction.
    result<void> write(store_account const& account) {
        auto const bytes = encode_account(account);
        statement_use row{write_};
        row->bind_blob(1, bytes);
        if (auto const code = row->step(); code != SQLITE_DONE)
            return file_->fail(code, "writing the account of " + file_->path(), true);
        if (file_->changes() == 1) return success();
        return store_failure(store_errc::corrupt, "writing the account of " + file_->path() +
                                                      " changed no row; expected 1");
    }

    [[nodiscard]] store_account const& account() const noexcept { return account_; }
    /// The account that the file holds now, after a commit.
    void settle(store_account const& account) noexcept { account_ = account; }

    [[nodiscard]] bool may_contain(operation_ref id) const noexcept {
        return !trusted_.load(std::memory_order_relaxed) || members_.may_contain(id);
    }
    /// Others may have changed the file: nothing can be ruled out any more.
    void distrust_filter() noexcept { trusted_.store(false, std::memory_order_relaxed); }
    void remember(operation_ref id) noexcept { members_.insert(id); }
    void forget(operation_ref id) noexcept { members_.erase(id); }

    [[nodiscard]] bool incomplete() const noexcept { return incomplete_; }

    /// What the file holds now, by the index of identities: those that a search would find there.
    result<store_account> count(membership* into) {
        store_account counted;
        auto const done = count_identities(identities_, "records", [&](operation_ref id) {
            counted.add(id);
            if (into != nullptr) into->insert(id);
        });
        if (!done.has_value()) return done.error();
        return counted;
    }

    /// The account as the file has it; nothing where it is damaged.
    result<std::optional<store_account>> read() {
        statement_use row{read_};
        auto const code = row->step();
        if (code == SQLITE_DONE) return std::optional<store_account>{};
        if (code != SQLITE_ROW)
            return file_->fail(code, "reading the account of " + file_->path(), false);
        return decode_account(row->blob(0));
    }

  private:
    template <class Take>
    result<void> count_identities(sqlite_statement& identities, char const* of, Take const& take) {
        operation_id last;
        auto first = true;
        statement_use row{identities};
        auto code = row->step();
        for (; code == SQLITE_ROW; code = row->step()) {
            // A search misses what is not text, or out of order: it counts as not there.
            if (!row->is_text(0) || !row->is_text(1) || !row->is_text(2)) continue;
            auto const id = operation_ref{row->text(0), row->text(1), row->text(2)};
            if (!first && std::tie(id.space, id.name, id.key) <=
                              std::tuple<std::string_view, std::string_view, std::string_view>{
                                  last.space, last.name, last.key})
                continue;
            last.space.assign(id.space);
            last.name.assign(id.name);
            last.key.assign(id.key);
            first = false;
            take(id);
        }
        if (code == SQLITE_DONE) return success();
        return file_->fail(code, std::string{"counting the "} + of + " of " + file_->path(), false);
    }

    /// The account to go on with, where `counted` is what there is: no revision may come again.
    result<store_account> rebuild(store_account counted) {
        auto const highest = file_->ask_number("SELECT max(revision) FROM recoup_record");
        if (!highest.has_value()) return highest.error();
        counted.next_revision =
            std::max(account_.next_revision, static_cast<std::uint64_t>(highest.value()) + 1);
        auto const last = file_->ask_number("SELECT max(number) FROM recoup_operation");
        if (!last.has_value()) return last.error();
        counted.next_number =
            std::max(account_.next_number, static_cast<std::uint64_t>(last.value()) + 1);
        // Owners and epochs have the number of their opening in front.
        auto const owner =
            file_->ask_number("SELECT max(max(epoch), max(owner)) FROM recoup_operation");
        if (!owner.has_value()) return owner.error();
        counted.openings =
            std::max(account_.openings, (static_cast<std::uint64_t>(owner.value()) >> 32U) + 1);
        return counted;
    }

    sqlite_connection* file_;
    sqlite_statement identities_;
    sqlite_statement operations_;
    sqlite_statement read_;
    sqlite_statement write_;
    store_account account_;
    bool incomplete_ = false;
    bool shared_ = false;
    std::optional<bool> lacks_operations_{};
    std::atomic<bool> trusted_{false};
    membership members_;
};

}  // namespace recoup::inline v1::detail
