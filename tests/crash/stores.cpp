// SPDX-License-Identifier: BSL-1.0
#include "crash/stores.hpp"

#include "crash/held_store.hpp"

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

#include <utility>

namespace recoup_test {

namespace {

using recoup::durability;
using recoup::result;

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
            return recoup::failure{recoup::category::configuration, "to be run by with_postgres"};
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

std::vector<store_kind> const& kinds_to_kill() {
    static auto const kinds = [] {
        auto some = store_kinds();
#ifndef RECOUP_CRASH_POSTGRES
        some.push_back(write_behind_kind());
#endif
        return some;
    }();
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
