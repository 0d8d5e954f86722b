// SPDX-License-Identifier: BSL-1.0
#include "crash/harness.hpp"

#include <cstdarg>
#include <string>
#include <vector>

#include <dlfcn.h>
#include <sqlite3.h>

// Somebody plants a trigger into a file that is open. Two defences stand against it: triggers are off, and
// every write must have changed one row. The second is tried alone, by a
// SQLite that lies about the first.

namespace {

bool triggers_stay_on = false;
bool changes_are_ignored = false;

template <class Function>
Function* real(char const* name) {
    return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" int sqlite3_changes(sqlite3* of) {
    static auto* const ask = real<int(sqlite3*)>("sqlite3_changes");
    auto const count = ask(of);
    return changes_are_ignored && count == 0 ? 1 : count;
}

extern "C" int sqlite3_db_config(sqlite3* of, int what, ...) {
    static auto* const set = real<int(sqlite3*, int, ...)>("sqlite3_db_config");
    va_list rest;
    va_start(rest, what);
    auto const value = va_arg(rest, int);
    auto* const now = va_arg(rest, int*);
    va_end(rest);
    if (triggers_stay_on && what == SQLITE_DBCONFIG_ENABLE_TRIGGER) {
        if (now != nullptr) *now = value;
        return SQLITE_OK;
    }
    return set(of, what, value, now);
}

namespace {

using namespace recoup_test;

struct defences {
    bool triggers_off = true;
    bool changes_checked = true;
};

/// Works on a file into which triggers are planted meanwhile, and looks at it without them.
findings work_among_triggers(store_kind const& kind, defences which, std::uint64_t& acknowledged) {
    victim one{kind, crash_seed()};
    one.run({.steps = 20});
    one.log().clear();
    auto const path = one.folder() + "/" + kind.files.front();
    auto const run_sql = [&](std::string const& sql) {
        sqlite3* other = nullptr;
        sqlite3_open(path.c_str(), &other);
        auto const code = sqlite3_exec(other, sql.c_str(), nullptr, nullptr, nullptr);
        sqlite3_close(other);
        return code;
    };
    std::string tables;
    {
        sqlite3* other = nullptr;
        sqlite3_open(path.c_str(), &other);
        auto const take = [](void* to, int, char** values, char**) {
            *static_cast<std::string*>(to) += std::string{values[0]} + " ";
            return 0;
        };
        sqlite3_exec(other,
                     "SELECT name FROM sqlite_master WHERE type='table' AND name <> 'recoup_state'",
                     take, &tables, nullptr);
        sqlite3_close(other);
    }
    std::string plant;
    std::string take_out;
    for (std::size_t at = 0, end = tables.find(' '); end != std::string::npos;
         at = end + 1, end = tables.find(' ', at)) {
        auto const table = tables.substr(at, end - at);
        for (auto const* when : {"UPDATE", "INSERT", "DELETE"}) {
            auto const name = "planted_" + table + when;
            plant += "CREATE TRIGGER " + name + " BEFORE " + when + " ON " + table +
                     " BEGIN SELECT RAISE(IGNORE); END;";
            take_out += "DROP TRIGGER " + name + ";";
        }
    }
    child worker{[&](int) {
        disk below{one.folder(), {.log = false}};
        triggers_stay_on = !which.triggers_off;
        changes_are_ignored = !which.changes_checked;
        auto opened = kind.open(one.folder());
        if (!opened.has_value() || run_sql(plant) != SQLITE_OK) return 4;
        run_work(*opened.value(), one.models(), *one.log(), {.steps = 30, .refusals_max = 30});
        return 0;
    }};
    auto const status = worker.wait();
    REQUIRE(status == 0);
    one.adopt_log();
    acknowledged = one.log()->acknowledged();
    REQUIRE(run_sql(take_out) == SQLITE_OK);
    return one.look();
}

}  // namespace

TEST_CASE("planted triggers lose nothing that was acknowledged, whichever defence is left") {
    for (auto const& kind : kinds_like("sqlite")) {
        for (auto const& left : {defences{true, true}, defences{false, true}}) {
            std::uint64_t acknowledged = 0;
            auto const found = work_among_triggers(kind, left, acknowledged);
            INFO(found.words);
            summarise("planted triggers, " + kind.name,
                      std::string{left.triggers_off ? "triggers off" : "triggers on"} + ", " +
                          (left.changes_checked ? "changes checked" : "changes ignored") + ": " +
                          std::to_string(acknowledged) + " acknowledged, " + figures(found));
            CHECK(found.ok());
            CHECK((acknowledged != 0) == left.triggers_off);
        }
    }
}

TEST_CASE("the suite notices a store that ignores how many rows a write has changed") {
    for (auto const& kind : kinds_like("sqlite")) {
        std::uint64_t acknowledged = 0;
        auto const found = work_among_triggers(kind, {false, false}, acknowledged);
        summarise("control: ignored changes(), " + kind.name,
                  "caught: " + figures(found) + ": " + found.words);
        CHECK(found.lost > 0);
    }
}
