// SPDX-License-Identifier: BSL-1.0
#include "crash/stores.hpp"

#include <recoup/store/memory_store.hpp>
#include <recoup/store/sqlite_store.hpp>

#if __has_include(<recoup/store/journal_store.hpp>)
#include <recoup/store/journal_store.hpp>
#define RECOUP_TEST_JOURNAL
#endif

#ifdef RECOUP_CRASH_POSTGRES
#include <recoup/store/postgres_store.hpp>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <stdexcept>

#include <libpq-fe.h>
#endif

#include <type_traits>
#include <utility>

namespace recoup_test {

namespace {

using recoup::durability;
using recoup::failure;
using recoup::result;
using recoup::unlimited;

/// One store, owned.
template <class Store>
class held final : public any_store {
  public:
    explicit held(std::unique_ptr<Store> store) : store_{std::move(store)} {}

    result<std::optional<recoup::record>> load(recoup::operation_ref id) override {
        return store_->load(id, unlimited);
    }
    result<std::uint64_t> save(recoup::record const& what) override {
        return store_->save(what, unlimited);
    }
    result<void> erase(recoup::operation_ref id, std::uint64_t revision) override {
        return store_->erase(id, revision, unlimited);
    }
    result<std::vector<recoup::record>> list(recoup::record_filter const& which) override {
        return store_->list(which);
    }
    result<std::size_t> clean_up(recoup::system_time now, std::size_t most) override {
        return store_->clean_up(now, most);
    }
    [[nodiscard]] recoup::durability durability() const override { return store_->durability(); }

    [[nodiscard]] bool keeps_operations() const override { return recoup::durable_store<Store>; }
    result<std::uint64_t> enter(std::string const& who, recoup::duration lease) override {
        return ask<std::uint64_t>([&](auto& store) { return store.enter(who, lease); });
    }
    result<std::vector<std::uint64_t>> renew(std::uint64_t owner, recoup::duration lease) override {
        return ask<std::vector<std::uint64_t>>(
            [&](auto& store) { return store.renew(owner, lease); });
    }
    result<void> leave(std::uint64_t owner) override {
        return ask<void>([&](auto& store) { return store.leave(owner); });
    }
    result<recoup::started_operation> start(recoup::operation_record const& head,
                                            std::uint64_t owner) override {
        return ask<recoup::started_operation>(
            [&](auto& store) { return store.start(head, owner, unlimited); });
    }
    result<std::vector<recoup::operation_record>> claim(
        recoup::claim_request const& request) override {
        return ask<std::vector<recoup::operation_record>>(
            [&](auto& store) { return store.claim(request); });
    }
    result<recoup::operation_record> take(std::uint64_t number, std::uint64_t epoch,
                                          std::uint64_t owner) override {
        return ask<recoup::operation_record>(
            [&](auto& store) { return store.take(number, epoch, owner); });
    }
    result<recoup::write_receipt> write(recoup::operation_write const& what) override {
        return ask<recoup::write_receipt>(
            [&](auto& store) { return store.write(what, unlimited); });
    }
    result<void> request_cancel(std::uint64_t number) override {
        return ask<void>([&](auto& store) { return store.request_cancel(number); });
    }
    result<void> remove(std::uint64_t number, std::uint64_t epoch) override {
        return ask<void>([&](auto& store) { return store.remove(number, epoch); });
    }
    result<std::optional<recoup::operation_record>> find(recoup::operation_ref id) override {
        return ask<std::optional<recoup::operation_record>>(
            [&](auto& store) { return store.find(id, unlimited); });
    }
    result<std::vector<recoup::operation_record>> operations(
        recoup::operation_filter const& which) override {
        return ask<std::vector<recoup::operation_record>>(
            [&](auto& store) { return store.operations(which); });
    }
    result<std::vector<recoup::step_record>> steps(std::uint64_t number) override {
        return ask<std::vector<recoup::step_record>>(
            [&](auto& store) { return store.steps(number, unlimited); });
    }

    bool whole() override {
        if constexpr (requires(Store& store) { store.verify().value().ok(); }) {
            auto const found = store_->verify();
            return found.has_value() && found.value().ok();
        } else {
            return true;
        }
    }

  private:
    template <class T, class Question>
    result<T> ask(Question const& question) {
        if constexpr (recoup::durable_store<Store>)
            return question(*store_);
        else
            return failure{recoup::store_errc::setting_refused};
    }

    std::unique_ptr<Store> store_;
};

template <class Opened>
result<std::unique_ptr<any_store>> hold(Opened opened) {
    if (!opened.has_value()) return opened.error();
    using store = typename std::remove_cvref_t<decltype(opened.value())>::element_type;
    return std::unique_ptr<any_store>{new held<store>{std::move(opened.value())}};
}

store_kind sqlite_kind(durability kept, recoup::sharing among) {
    store_kind kind;
    kind.shared = among == recoup::sharing::processes;
    kind.name = (kind.shared ? "shared sqlite " : "sqlite ") + std::string{to_string(kept)};
    kind.kept = kept;
    kind.keeps_operations = true;
    kind.files = {"store.db"};
    kind.open = [kept, among](std::string const& folder) {
        recoup::sqlite_store_options options;
        options.durability = kept;
        options.sharing = among;
        // Any file system will do: here the power is cut in a log, not on a device.
        options.accepted_file_systems = {"tmpfs", "ramfs", "fuse", "9p"};
        options.lock_wait = recoup::duration{1'000'000'000};
        return hold(recoup::sqlite_store::open(folder + "/store.db", options));
    };
    return kind;
}

#ifdef RECOUP_TEST_JOURNAL
store_kind journal_kind(durability kept) {
    store_kind kind;
    kind.name = "journal " + std::string{to_string(kept)};
    kind.kept = kept;
    kind.keeps_operations = true;
    kind.files = {"store.journal"};
    kind.copies = ".live";
    kind.open = [kept](std::string const& folder) {
        recoup::journal_store_options options;
        options.durability = kept;
        options.accepted_file_systems = {"tmpfs", "ramfs", "fuse", "9p"};
        options.lock_wait = recoup::duration{1'000'000'000};
        return hold(recoup::journal_store::open(folder + "/store.journal", options));
    };
    return kind;
}
#endif

#ifdef RECOUP_CRASH_POSTGRES
/// Each folder stands for a schema.
std::string schema_of(std::string const& folder) {
    return "crash_" + std::to_string(std::hash<std::string>{}(folder));
}

/// On the server that `with_postgres` has started.
store_kind postgres_kind() {
    store_kind kind;
    kind.name = "postgres power_loss";
    kind.kept = durability::power_loss;
    kind.keeps_operations = true;
    kind.shared = true;
    kind.remote = true;
    kind.open = [](std::string const& folder) -> result<std::unique_ptr<any_store>> {
        if (std::getenv("RECOUP_PRIVATE_POSTGRES") == nullptr)
            return failure{recoup::category::configuration, "to be run by with_postgres"};
        recoup::postgres_store_options options;
        options.schema = schema_of(folder);
        return hold(recoup::postgres_store::open("postgresql://", options));
    };
    kind.pass_leases = [](std::string const& folder) {
        std::unique_ptr<PGconn, decltype(&PQfinish)> const client{PQconnectdb("postgresql://"),
                                                                  &PQfinish};
        auto const ask = [&](std::string const& sql) {
            std::unique_ptr<PGresult, decltype(&PQclear)> const got{
                PQexec(client.get(), sql.c_str()), &PQclear};
            auto const* const field = PQresultErrorField(got.get(), PG_DIAG_SQLSTATE);
            auto const state = std::string{field != nullptr ? field : ""};
            auto const status = PQresultStatus(got.get());
            if (status == PGRES_TUPLES_OK) return std::string{PQgetvalue(got.get(), 0, 0)};
            // 42P01: of a process that was killed before it had made the table.
            if (status != PGRES_COMMAND_OK && state != "42P01")
                throw std::runtime_error{sql + ": failed, SQLSTATE " + state};
            return std::string{};
        };
        // What a killed process has sent is done or not when its sessions have ended, and may be yet before.
        auto const until = std::chrono::steady_clock::now() + std::chrono::seconds{30};
        while (ask("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'recoup'") !=
               "0")
            if (std::chrono::steady_clock::now() > until)
                throw std::runtime_error{"sessions of the dead did not end"};
        ask("UPDATE " + schema_of(folder) + ".owners SET expires = 1");
    };
    return kind;
}
#endif

std::vector<store_kind> make_kinds() {
    std::vector<store_kind> kinds;
#ifdef RECOUP_CRASH_POSTGRES
    // A binary of its own: what has no file of the test's cannot be cut, flipped or starved here.
    kinds.push_back(postgres_kind());
    return kinds;
#endif
    kinds.push_back(sqlite_kind(durability::power_loss, recoup::sharing::exclusive));
    kinds.push_back(sqlite_kind(durability::process_crash, recoup::sharing::exclusive));
    kinds.push_back(sqlite_kind(durability::power_loss, recoup::sharing::processes));
#ifdef RECOUP_TEST_JOURNAL
    kinds.push_back(journal_kind(durability::power_loss));
    kinds.push_back(journal_kind(durability::process_crash));
#endif
    return kinds;
}

}  // namespace

std::vector<store_kind> const& store_kinds() {
    static auto const kinds = make_kinds();
    return kinds;
}

store_kind memory_kind() {
    store_kind kind;
    kind.name = "memory";
    kind.keeps_operations = true;
    kind.open = [](std::string const&) {
        return hold(result<std::unique_ptr<recoup::memory_store>>{
            std::make_unique<recoup::memory_store>()});
    };
    return kind;
}

std::vector<store_kind> kinds_like(std::string const& part) {
    std::vector<store_kind> some;
    for (auto const& kind : store_kinds())
        if (kind.name.find(part) != std::string::npos) some.push_back(kind);
    return some;
}

}  // namespace recoup_test
