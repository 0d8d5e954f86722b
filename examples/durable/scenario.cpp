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
#include <sstream>
#include <stdexcept>

namespace orders {

namespace {

constexpr auto life_max = std::chrono::minutes{1};

support::child_exit live(scenario_options const& options, std::filesystem::path const& folder,
                         std::vector<std::string> const& more) {
    auto command = std::vector<std::string>{options.program.string(), "--worker", folder.string(),
                                            "--store", options.store};
    command.insert(command.end(), more.begin(), more.end());
    auto child = support::child_process{command, folder / "output"};
    auto const end = child.wait_for(life_max);
    if (!end) throw std::runtime_error{"a worker did not end within a minute"};
    return *end;
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
    return with_store(options.store, folder, [](auto& store) {
        recoup::operations ops{store};
        auto found = ops.find(std::string{operation_name}, order_key).value();
        if (!found) throw std::runtime_error{"the store does not know the order"};
        return recorded_order{*std::move(found),
                              ops.history(std::string{operation_name}, order_key).value()};
    });
}

}  // namespace

outcome run_killed_at(kill_point kill, scenario_options const& options) {
    auto const when = kill.when == moment::before_record ? "before" : "after";
    auto const folder = options.folder / (std::string{kill.step} + '-' + when);
    std::filesystem::create_directory(folder);
    auto const seen = diary{diary_in(folder)};
    auto result = outcome{.kill = kill};

    auto const first =
        live(options, folder, {"--kill-step", std::string{kill.step}, "--kill-when", when});
    result.killed = first.signal == SIGKILL;
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

    auto const second = live(options, folder, {});
    result.exit_code = second.signal == 0 ? second.code : 128 + second.signal;
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
    auto all = std::vector<outcome>{};
    for (auto const step : steps)
        for (auto const when : {moment::before_record, moment::after_record})
            all.push_back(run_killed_at({step, when}, options));
    return all;
}

}  // namespace orders
