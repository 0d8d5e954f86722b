// SPDX-License-Identifier: BSL-1.0
// Looks into a store of recoup's, and asks its owner for things.
#include "inspect/ask.hpp"
#include "inspect/clean.hpp"
#include "inspect/exit_code.hpp"
#include "inspect/moment.hpp"
#include "inspect/report.hpp"
#include "inspect/store.hpp"
#include "inspect/text.hpp"
#include "inspect/value.hpp"

#include <recoup/core/clock.hpp>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string>

#include <sys/ioctl.h>
#include <unistd.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace {

using inspect::exit_code;
using inspect::problem;

struct arguments {
    std::string where{};
    std::string status{};
    std::string name{};
    std::string key{};
    std::string space{};
    std::string version{};
    std::string wait = "5s";
    std::string older_than{};
    std::size_t limit = 100;
    std::size_t value_bytes = inspect::value_bytes_shown;
    std::optional<std::size_t> width{};
    bool json = false;
    bool full = false;
    inspect::open_options open{};
};

constexpr std::array<char const*, 7> statuses{"pending",   "running", "succeeded", "failed",
                                              "cancelled", "blocked", "dead"};

/// Of the terminal; a file or a pipe gets everything.
std::size_t columns_of_terminal() {
    ::winsize size{};
    if (::isatty(STDOUT_FILENO) == 0) return 0;
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col != 0) return size.ws_col;
    return 80;
}

inspect::layout layout_of(arguments const& given) {
    return {.now = recoup::real_clock::system_now(),
            .columns = given.width ? *given.width : columns_of_terminal(),
            .value_bytes = given.value_bytes,
            .full = given.full};
}

void print(std::string const& text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
        throw problem(exit_code::unexpected, "the output could not be written");
}

recoup::duration span_of(std::string const& option, std::string const& text) {
    auto const span = inspect::parse_span(text);
    if (!span)
        throw problem(exit_code::usage, option + " is '" + inspect::printable(text) +
                                            "'; expected a span such as 250ms, 90s, 15m, 2h, 7d");
    return *span;
}

template <class Status>
std::optional<Status> status_of(std::string const& name, int last) {
    for (int i = 1; i <= last; ++i)
        if (name == to_string(static_cast<Status>(i))) return static_cast<Status>(i);
    return std::nullopt;
}

std::optional<recoup::record_status> record_status_of(std::string const& name) {
    if (name == "running") return recoup::record_status::running;
    if (name == "succeeded") return recoup::record_status::succeeded;
    if (name == "failed") return recoup::record_status::failed;
    return std::nullopt;
}

/// One more than was asked for, to know whether there are more.
inspect::listing listing_of(inspect::store& in, arguments const& given) {
    inspect::listing found{.store = inspect::facts_of(in)};
    recoup::operation_filter operations;
    recoup::record_filter records;
    if (!given.status.empty()) {
        operations.status = status_of<recoup::operation_status>(given.status, 7);
        records.status = record_status_of(given.status);
    }
    if (!given.name.empty()) operations.name = records.name = given.name;
    operations.limit = given.limit + 1;
    found.operations = inspect::value_of(in.operations(operations));
    records.limit = given.limit + 1 - std::min(given.limit + 1, found.operations.size());
    // A status that calls do not have selects none of them.
    if (records.limit != 0 && (given.status.empty() || records.status))
        found.records = inspect::value_of(in.records(records));
    found.more = found.operations.size() + found.records.size() > given.limit;
    if (found.more) {
        if (found.records.empty())
            found.operations.pop_back();
        else
            found.records.pop_back();
    }
    found.damaged = inspect::value_of(in.damaged());
    return found;
}

exit_code list(arguments const& given) {
    auto const store = inspect::open_to_look(given.where);
    auto const found = listing_of(*store, given);
    auto const how = layout_of(given);
    print(given.json ? inspect::printed(inspect::list_json(found, how))
                     : inspect::list_text(found, how));
    return found.damaged.empty() ? exit_code::ok : exit_code::damage;
}

exit_code show(arguments const& given) {
    auto const store = inspect::open_to_look(given.where);
    recoup::operation_id const id{given.space, given.name, given.key};
    inspect::exhibit found{.store = inspect::facts_of(*store)};
    found.operation = inspect::value_of(store->find(id));
    if (found.operation) found.steps = inspect::value_of(store->steps(found.operation->number));
    found.record = inspect::value_of(store->load(id));
    if (!found.operation && !found.record)
        throw problem(exit_code::not_found,
                      "nothing is recorded as " + inspect::printable(given.name) + " " +
                          inspect::printable(given.key) + " in " + store->location());
    auto const how = layout_of(given);
    print(given.json ? inspect::printed(inspect::show_json(found, how))
                     : inspect::show_text(found, how));
    return exit_code::ok;
}

exit_code verify(arguments const& given) {
    auto const store = inspect::open_to_look(given.where);
    auto const found = inspect::value_of(store->verify());
    auto const facts = inspect::facts_of(*store);
    print(given.json ? inspect::printed(inspect::verify_json(facts, found))
                     : inspect::verify_text(facts, found));
    return found.ok() ? exit_code::ok : exit_code::damage;
}

exit_code request(arguments const& given, recoup::operation_request::kind what) {
    inspect::question const question{.what = what,
                                     .id = {given.space, given.name, given.key},
                                     .version = given.version,
                                     .wait = span_of("--wait", given.wait)};
    auto const got = inspect::ask(given.where, question, given.open);
    print(given.json ? inspect::printed(inspect::answer_json(question, got, layout_of(given)))
                     : inspect::answer_text(question, got));
    using outcome = inspect::answer::outcome;
    if (got.how == outcome::waiting) return exit_code::not_taken;
    // An owner may find that the operation has moved on, and do nothing.
    return got.how == outcome::taken && !got.changed() ? exit_code::refused : exit_code::ok;
}

exit_code clean(arguments const& given) {
    auto const older = given.older_than.empty()
                           ? std::nullopt
                           : std::optional{span_of("--older-than", given.older_than)};
    auto const store = inspect::open_to_own(given.where, given.open);
    if (!store)
        throw problem(exit_code::in_use,
                      inspect::shown(given.where) +
                          " has an owner, which removes what has expired by itself; clean it when "
                          "that has ended");
    auto const removed = inspect::clean(*store, older, recoup::real_clock::system_now());
    print(given.json ? inspect::printed({{"format", 1}, {"removed", removed}})
                     : inspect::counted(removed, "entry") + " removed\n");
    return exit_code::ok;
}

void add_json(CLI::App& command, arguments& given) {
    command.add_flag("--json", given.json, "for programs: the fields are in the README");
}

void add_printing(CLI::App& command, arguments& given) {
    add_json(command, given);
    command.add_option("--width", given.width,
                       "columns to fit into, 0: no limit; else the terminal's");
    command.add_option("--value-bytes", given.value_bytes, "the most bytes shown of a value")
        ->check(CLI::Range(std::size_t{16}, std::size_t{1} << 24U))
        ->capture_default_str();
}

void add_identity(CLI::App& command, arguments& given) {
    command.add_option("NAME", given.name, "what kind of operation")->required();
    command.add_option("KEY", given.key, "which one of them")->required();
    command.add_option("--space", given.space, "its namespace, where it has one");
}

void add_owning(CLI::App& command, arguments& given) {
    command
        .add_option("--accept-file-system", given.open.accepted_file_systems,
                    "kind of file system to write to although it forgets everything with the "
                    "power, such as tmpfs")
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void add_request(CLI::App& command, arguments& given) {
    add_identity(command, given);
    command.add_option("--wait", given.wait, "how long to wait for a live owner to take it")
        ->capture_default_str();
    add_json(command, given);
    add_owning(command, given);
}

void add_commands(CLI::App& app, arguments& given) {
    auto* const list = app.add_subcommand("list", "what is recorded: operations, then calls");
    list->add_option("--status", given.status, "only those in this state")
        ->check(CLI::IsMember(std::vector<std::string>{statuses.begin(), statuses.end()}));
    list->add_option("--name", given.name, "only those of this name");
    list->add_option("--limit", given.limit, "the most entries")
        ->check(CLI::Range(std::size_t{1}, std::size_t{1'000'000}))
        ->capture_default_str();
    add_printing(*list, given);

    auto* const show =
        app.add_subcommand("show", "one entry: attempts, failures, steps, checkpoint, result");
    add_identity(*show, given);
    show->add_flag("--full", given.full, "the result of each step, whole");
    add_printing(*show, given);

    add_request(
        *app.add_subcommand("retry",
                            "take up again an operation that is dead, blocked, failed, cancelled, "
                            "or waits for its time"),
        given);
    add_request(*app.add_subcommand("cancel", "end an operation that has not ended"), given);
    auto* const accept =
        app.add_subcommand("accept", "let a blocked operation go on as one of another version");
    add_request(*accept, given);
    accept->add_option("VERSION", given.version, "the version that takes it over")->required();

    auto* const clean = app.add_subcommand(
        "clean", "remove what has ended and expired; the store must have no owner");
    clean->add_option("--older-than", given.older_than,
                      "also what has ended and was not changed for so long: 12h, 30d");
    add_json(*clean, given);
    add_owning(*clean, given);

    auto* const verify = app.add_subcommand("verify", "read everything and say what is damaged");
    add_json(*verify, given);
}

exit_code run(CLI::App const& app, arguments const& given) {
    using kind = recoup::operation_request::kind;
    if (app.got_subcommand("list")) return list(given);
    if (app.got_subcommand("show")) return show(given);
    if (app.got_subcommand("retry")) return request(given, kind::retry);
    if (app.got_subcommand("cancel")) return request(given, kind::cancel);
    if (app.got_subcommand("accept")) return request(given, kind::accept);
    if (app.got_subcommand("clean")) return clean(given);
    return verify(given);
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{
        "Looks into a store of recoup's and asks its owner for things. Safe beside a program that "
        "is "
        "running: reading disturbs nobody, and what is asked for is done by the one who may write.",
        "recoup-inspect"};
    app.footer(inspect::exit_code_table());
    app.require_subcommand(1);
    app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    arguments given;
    app.add_option("STORE", given.where, "a SQLite store, a journal, or a postgresql:// URI")
        ->required();
    add_commands(app, given);
    try {
        app.parse(argc, argv);
    } catch (CLI::ParseError const& error) {
        return app.exit(error) == 0 ? 0 : static_cast<int>(exit_code::usage);
    }
    try {
        return static_cast<int>(run(app, given));
    } catch (problem const& problem) {
        std::fprintf(stderr, "recoup-inspect: %s\n", problem.what());
        return static_cast<int>(problem.code());
    } catch (std::exception const& error) {
        std::fprintf(stderr, "recoup-inspect: %s\n", inspect::printable(error.what()).c_str());
        return static_cast<int>(exit_code::unexpected);
    }
}
