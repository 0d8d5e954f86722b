// SPDX-License-Identifier: BSL-1.0
#include "crash/power_cut.hpp"

#include "crash/harness.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// The power fails at every moment of a run, in every way that leaves a legal disk.

namespace {

using namespace recoup_test;

/// A run, with the disk's log and what had been acknowledged after each step.
struct recorded_run {
    disk_log log{};
    std::vector<lane_model> after{};  ///< after so many steps
    std::uint64_t acknowledged = 0;
    std::uint64_t failures = 0;  ///< calls that were made to fail
};

struct run_options {
    std::uint32_t steps = 40;
    mistake planted = mistake::none;
    std::uint64_t failing_sync = 0;  ///< which one fails; 0: none
};

recorded_run record_run(store_kind const& kind, std::uint64_t seed, run_options const& how) {
    recorded_run run;
    temporary_folder folder;
    shared_log log;
    auto const models = make_models(1, seed);
    disk below{folder.path()};
    below.plant(how.planted);
    if (how.failing_sync != 0) below.fail(calls::sync, how.failing_sync, EIO, false);
    if (auto opened = kind.open(folder.path()); opened.has_value())
        run_work(*opened.value(), models, *log,
                 {.steps = how.steps, .on_step = [&](std::size_t, std::uint32_t step, bool done) {
                      below.mark(2 * step + (done ? 1U : 0U));
                  }});
    run.failures = below.failures();
    run.log = below.take_log();
    run.acknowledged = log->acknowledged();
    auto model = models.front();
    run.after.push_back(model);
    for (std::uint32_t i = 0; i != log->lanes[0].done; ++i) {
        take_outcome(model, plan_step(model, kind.keeps_operations), log->lanes[0].outcomes[i]);
        run.after.push_back(model);
    }
    if (log->bad) FAIL_CHECK(log->words.data());
    return run;
}

/// What the store must hold when the power fails there.
std::vector<lane_model> expected_at(recorded_run const& run, std::size_t position,
                                    bool with_operations) {
    std::size_t done = 0;
    std::size_t begun = 0;
    for (std::size_t i = 0; i != position; ++i) {
        auto const& event = run.log.events[i];
        if (event.what != disk_event::kind::mark) continue;
        auto const step = event.offset / 2 + 1;
        (event.offset % 2 == 1 ? done : begun) = step;
    }
    auto model = run.after[done];
    if (begun > done) take_outcome(model, plan_step(model, with_operations), {});
    return {model};
}

/// The same where a power cut may take back what was acknowledged: any state that there was.
std::vector<lane_model> allowed_at(recorded_run const& run, std::size_t position,
                                   bool with_operations) {
    auto all = expected_at(run, position, with_operations);
    for (auto const& before : run.after) {
        if (before.step >= all.front().step) break;
        for (std::size_t key = 0; key != record_keys; ++key)
            for (auto const& one : before.records[key]) all.front().records[key].push_back(one);
        for (std::size_t key = 0; key != operation_keys; ++key)
            for (auto const& one : before.operations[key])
                all.front().operations[key].push_back(one);
        // A step that cleans up saves first, and so had a state of its own in between.
        auto const next = plan_step(before, with_operations);
        if (next.what != planned_step::kind::clean) continue;
        auto between = next.record;
        between.revision = 0;
        all.front().records[next.key].push_back(std::move(between));
    }
    return all;
}

findings open_and_judge(store_kind const& kind, std::string const& folder,
                        std::vector<lane_model> models, unsigned boot = 1) {
    disk fast{folder, {.log = false, .boot = boot}};
    auto opened = kind.open(folder);
    if (!opened.has_value())
        return {.refused = 1, .words = "it does not open: " + opened.error().describe()};
    return judge(*opened.value(), models);
}

/// A state: the moment, and the variant of what is in doubt.
struct cut {
    std::size_t position;
    std::uint64_t variant;
};

/// All states of a log that `write_to` numbers and two random ones a moment, or `most` of them.
std::vector<cut> cuts_of(disk_log const& log, std::size_t most, std::uint64_t seed,
                         std::uint64_t& legal) {
    std::vector<cut> all;
    disk_state state{log};
    do {
        auto const random = state.doubts() > 1 ? 2U : 0U;
        for (std::uint64_t i = 0; i != state.variants() + random; ++i)
            all.push_back({state.position(), i});
    } while (state.advance());
    legal += all.size();
    std::vector<cut> some;
    for (auto const number : sample(all.size(), most, seed)) some.push_back(all[number]);
    return some;
}

struct cut_report {
    std::uint64_t states = 0;
    std::uint64_t legal = 0;
    findings found{};
};

/// Opens states after a power cut, and some after a second one while the store was opened.
cut_report cut_power(store_kind const& kind, recorded_run const& run, std::uint64_t seed,
                     std::size_t most, std::size_t nested_most) {
    cut_report report;
    auto const strict = kind.kept == recoup::durability::power_loss;
    auto const expect = [&](std::size_t position) {
        return strict ? expected_at(run, position, kind.keeps_operations)
                      : allowed_at(run, position, kind.keeps_operations);
    };
    auto const cuts = cuts_of(run.log, most, seed, report.legal);
    auto const nested = sample(cuts.size(), nested_most, seed + 1);
    disk_state state{run.log};
    for (std::size_t i = 0; i != cuts.size(); ++i) {
        auto const [position, variant] = cuts[i];
        while (state.position() < position) state.advance();
        auto const expected = expect(position);
        auto const note = [&](findings found, std::string const& where) {
            ++report.states;
            if (!found.ok())
                found.words = kind.name + ", after event " + std::to_string(position) + " of " +
                              std::to_string(run.log.events.size()) + ", variant " +
                              std::to_string(variant) + where + ": " + found.words;
            report.found += found;
        };
        temporary_folder left;
        state.write_to(left.path(), variant);
        if (!std::binary_search(nested.begin(), nested.end(), i)) {
            note(open_and_judge(kind, left.path(), expected), "");
            continue;
        }
        // The power fails again while the store comes back.
        disk_log second;
        {
            disk below{left.path(), {.boot = 1}};
            auto opened = kind.open(left.path());
            if (opened.has_value()) opened.value().reset();
            second = below.take_log();
        }
        disk_state again{second};
        std::uint64_t ignored = 0;
        for (auto const& inner : cuts_of(second, long_run() ? 10 : 3, seed + i, ignored)) {
            while (again.position() < inner.position) again.advance();
            temporary_folder then;
            again.write_to(then.path(), inner.variant);
            note(open_and_judge(kind, then.path(), expected, 2),
                 ", then after event " + std::to_string(inner.position) + ", variant " +
                     std::to_string(inner.variant));
        }
    }
    return report;
}

std::string figures(cut_report const& report) {
    return std::to_string(report.states) + " states of " + std::to_string(report.legal) + ", " +
           recoup_test::figures(report.found);
}

}  // namespace

TEST_CASE("a power cut at any moment takes nothing that was acknowledged under power_loss") {
    for (auto const& kind : store_kinds()) {
        auto const run = record_run(kind, crash_seed(), {});
        REQUIRE(run.acknowledged > 30);
        auto const report = cut_power(kind, run, crash_seed(), 250, 25);
        INFO(report.found.words);
        summarise("power cut, " + kind.name, figures(report));
        CHECK(report.found.ok());
        CHECK(report.states > 200);
    }
}

TEST_CASE("after a failed sync a power cut takes nothing that was acknowledged") {
    for (auto const& kind : kinds_like("power_loss")) {
        cut_report all;
        std::uint64_t failures = 0;
        auto const most = long_run() ? 1000U : 12U;
        for (std::uint64_t number = 1; number <= most; ++number) {
            auto const failing = long_run() ? number : 1 + number * 5;
            auto const run = record_run(kind, crash_seed(), {.failing_sync = failing});
            if (run.failures == 0) break;
            ++failures;
            auto const report = cut_power(kind, run, crash_seed() + number, 20, 0);
            all.found += report.found;
            all.states += report.states;
            all.legal += report.legal;
        }
        INFO(all.found.words);
        summarise("power cut after a failed sync, " + kind.name,
                  std::to_string(failures) + " failures, " + figures(all));
        CHECK(all.found.ok());
        CHECK(failures > 3);
    }
}

namespace {

cut_report with_mistake(store_kind const& kind, run_options const& how, std::size_t most = 80) {
    return cut_power(kind, record_run(kind, crash_seed(), how), crash_seed(), most, 0);
}

void tell(std::string const& control, store_kind const& kind, cut_report const& report) {
    summarise("control: " + control + ", " + kind.name,
              "caught: " + figures(report) + ": " + report.found.words);
}

}  // namespace

TEST_CASE("the suite notices a skipped sync") {
    for (auto const& kind : kinds_like("power_loss")) {
        auto const report = with_mistake(kind, {.planted = mistake::skipped_sync});
        tell("skipped sync", kind, report);
        CHECK(report.found.lost + report.found.refused > 10);
    }
}

TEST_CASE("the suite notices a skipped sync of a folder") {
    for (auto const& kind : kinds_like("power_loss")) {
        auto const report = with_mistake(kind, {.planted = mistake::skipped_folder_sync});
        tell("skipped folder sync", kind, report);
        CHECK(report.found.lost + report.found.refused > 10);
    }
}

TEST_CASE("the suite notices a sync that failed and was tried again") {
    for (auto const& kind : kinds_like("power_loss")) {
        cut_report all;
        for (std::uint64_t number = 8; number != 20; ++number) {
            auto const report =
                with_mistake(kind, {.planted = mistake::retried_sync, .failing_sync = number}, 20);
            all.states += report.states;
            all.legal += report.legal;
            all.found += report.found;
        }
        tell("retried sync", kind, all);
        CHECK(all.found.lost + all.found.refused > 0);
    }
}
