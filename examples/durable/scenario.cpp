// SPDX-License-Identifier: BSL-1.0
#include "durable/scenario.hpp"

#include "durable/diary.hpp"
#include "durable/stores.hpp"
#include "durable/worker.hpp"
#include "support/child_process.hpp"
#include "support/text_file.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <future>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace orders {

namespace {

constexpr auto life_max = std::chrono::minutes{1};

std::vector<std::string> command_of(scenario_options const& options,
                                    std::filesystem::path const& folder,
                                    std::vector<std::string> const& more) {
    auto command = std::vector<std::string>{options.program.string(), "--worker", folder.string(),
                                            "--store", options.store};
    if (!options.database.empty()) command.insert(command.end(), {"--database", options.database});
    command.insert(command.end(), more.begin(), more.end());
    return command;
}

support::child_exit end_of(support::child_process& worker) {
    auto const end = worker.wait_for(life_max);
    if (!end) throw std::runtime_error{"a worker did not end within a minute"};
    return *end;
}

/// Waits for a line in the diary.
void wait_for(diary const& seen, std::string_view what, std::string_view step) {
    if (!support::eventually(life_max, [&] { return seen.count(what, step) != 0; }))
        throw std::runtime_error{"a worker did not come to '" + std::string{what} + ' ' +
                                 std::string{step} + "' within a minute"};
}

/// The rest of the line of the worker's output that begins with `word`.
std::string printed(std::filesystem::path const& folder, std::string const& word) {
    auto lines = std::istringstream{support::read_text(folder / "output")};
    for (std::string line; std::getline(lines, line);)
        if (line.starts_with(word + ' ')) return line.substr(word.size() + 1);
    return {};
}

/// What the store says of the order.
struct recorded_order {
    recoup::operation_record head{};
    std::vector<recoup::step_record> steps{};
};

recorded_order look(scenario_options const& options, std::filesystem::path const& folder) {
    return with_store(options.store, {folder, options.database}, [](auto& store) {
        recoup::operations ops{store};
        auto found = ops.find(std::string{operation_name}, order_key).value();
        if (!found) throw std::runtime_error{"the store does not know the order"};
        return recorded_order{*std::move(found),
                              ops.history(std::string{operation_name}, order_key).value()};
    });
}

}  // namespace

namespace {

/// Notes what the store and the diary say at the moment of the kill.
void note_kill(outcome& result, scenario_options const& options,
               std::filesystem::path const& folder, diary const& seen) {
    auto const at_kill = look(options, folder);
    for (auto const step : steps)
        result.steps.push_back(
            {.step = step,
             .recorded_at_kill = std::any_of(at_kill.steps.begin(), at_kill.steps.end(),
                                             [&](recoup::step_record const& row) {
                                                 return row.name == step &&
                                                        row.status == recoup::step_status::done;
                                             }),
             .runs_until_kill = seen.count("run", step)});
}

}  // namespace

outcome run_killed_at(kill_point kill, scenario_options const& options) {
    auto const when = kill.when == moment::before_record ? "before" : "after";
    auto const folder = options.folder / (std::string{kill.step} + '-' + when);
    std::filesystem::create_directory(folder);
    auto const seen = diary{diary_in(folder)};
    auto result = outcome{.kill = kill};
    auto first_words =
        std::vector<std::string>{"--kill-step", std::string{kill.step}, "--kill-when", when};
    if (options.two_at_once()) first_words.emplace_back("--halt");

    auto first = support::child_process{command_of(options, folder, first_words),
                                        folder / "output-of-the-first"};
    auto second = std::optional<support::child_process>{};
    auto const begin_second = [&] {
        second.emplace(command_of(options, folder, {}), folder / "output");
    };
    if (options.two_at_once()) {
        wait_for(seen, "halted", kill.step);
        begin_second();
        // Once for each of them: now both are at it, and the second one has to wait.
        if (!support::eventually(life_max, [&] { return seen.count("asked", "order") == 2; }))
            throw std::runtime_error{"the second worker did not begin within a minute"};
        note_kill(result, options, folder, seen);
        first.send_signal(SIGKILL);
        result.resumable = "0";
    }
    result.killed = end_of(first).signal == SIGKILL;
    if (!options.two_at_once()) {
        note_kill(result, options, folder, seen);
        begin_second();
    }
    auto const end = end_of(*second);
    result.exit_code = end.signal == 0 ? end.code : 128 + end.signal;
    for (auto& one : result.steps) {
        one.runs = seen.count("run", one.step);
        one.replays = seen.count("replayed", one.step);
    }
    result.resumed = printed(folder, "resumed");
    result.result = printed(folder, "result");
    auto const at_end = look(options, folder).head;
    result.status = to_string(at_end.status);
    result.recoveries = at_end.recoveries;
    return result;
}

std::vector<outcome> run_all(scenario_options const& options) {
    // A store that cannot be used is told of here, and not waited for in each worker.
    with_store(options.store, {options.folder, options.database}, [](auto&) {});
    auto points = std::vector<kill_point>{};
    for (auto const step : steps)
        for (auto const when : {moment::before_record, moment::after_record})
            points.push_back({step, when});
    // Where there is a lease to wait for, some wait at once.
    auto const at_once = options.two_at_once() ? std::size_t{5} : std::size_t{1};
    auto all = std::vector<outcome>{};
    for (std::size_t from = 0; from < points.size(); from += at_once) {
        auto some = std::vector<std::future<outcome>>{};
        for (auto i = from; i != std::min(from + at_once, points.size()); ++i)
            some.push_back(std::async(at_once == 1 ? std::launch::deferred : std::launch::async,
                                      [&, i] { return run_killed_at(points[i], options); }));
        for (auto& one : some) all.push_back(one.get());
    }
    return all;
}

}  // namespace orders
