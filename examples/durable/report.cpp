// SPDX-License-Identifier: BSL-1.0
#include "durable/report.hpp"

#include "durable/worker.hpp"

#include <array>
#include <cstdio>

namespace orders {

namespace {

template <class... Values>
std::string formatted(char const* format, Values... values) {
    std::array<char, 200> text{};
    std::snprintf(text.data(), text.size(), format, values...);
    return text.data();
}

char const* moment_name(moment when) {
    return when == moment::before_record ? "before record" : "after record";
}

bool result_right(outcome const& one) {
    return one.result == expected_result(ordered_item, ordered_pieces) && one.status == "succeeded";
}

std::string row_of(outcome const& one) {
    std::size_t recorded = 0;
    std::size_t runs = 0;
    std::size_t replays = 0;
    std::string twice;
    for (auto const& step : one.steps) {
        recorded += step.recorded_at_kill ? 1U : 0U;
        runs += step.runs;
        replays += step.replays;
        if (step.runs > 1) twice += (twice.empty() ? "" : " ") + std::string{step.step};
    }
    return formatted("%-8s %-14s %8zu %10zu %8zu  %-10s %10u  %s\n",
                     std::string{one.kill.step}.c_str(), moment_name(one.kill.when), recorded, runs,
                     replays, twice.empty() ? "-" : twice.c_str(), one.recoveries,
                     result_right(one) ? "right" : "WRONG");
}

void add_flaws_of(outcome const& one, std::vector<std::string>& found) {
    auto const flaw = [&](std::string const& text) {
        found.push_back("killed in " + std::string{one.kill.step} + ", " +
                        moment_name(one.kill.when) + ": " + text);
    };
    if (!one.killed) flaw("the first process was not killed");
    if (one.exit_code != 0)
        flaw("the second process ended with exit status " + std::to_string(one.exit_code));
    if (one.resumed != "1") flaw("resume() ended " + one.resumed + " operations, expected 1");
    if (one.recoveries != 1)
        flaw(std::to_string(one.recoveries) + " recoveries are recorded, expected 1");
    if (!result_right(one)) flaw("the result is '" + one.result + "', and it is " + one.status);
    auto reached = true;  // until the step in which it was killed
    for (auto const& step : one.steps) {
        auto const name = std::string{step.step};
        auto const killed_here = step.step == one.kill.step;
        auto const in_flight = killed_here && one.kill.when == moment::before_record;
        if (step.recorded_at_kill != (reached && !in_flight))
            flaw(step.recorded_at_kill ? name + " was recorded too early"
                                       : name + " had run, and was not recorded");
        if (step.recorded_at_kill && step.runs != step.runs_until_kill)
            flaw(name + " ran again although it was recorded");
        auto const expected = in_flight && step.step != probed_step ? 2U : 1U;
        if (step.runs != expected)
            flaw(name + " ran " + std::to_string(step.runs) + " times, expected " +
                 std::to_string(expected));
        if (step.replays != (step.recorded_at_kill ? 1U : 0U))
            flaw(name + " was replayed " + std::to_string(step.replays) + " times");
        if (killed_here) reached = false;
    }
}

}  // namespace

std::string report(std::vector<outcome> const& all) {
    auto text = formatted("%-8s %-14s %8s %10s %8s  %-10s %10s  %s\n", "killed", "", "recorded",
                          "bodies run", "replayed", "run twice", "recoveries", "result");
    for (auto const& one : all) text += row_of(one);
    return text;
}

std::vector<std::string> flaws(std::vector<outcome> const& all) {
    auto found = std::vector<std::string>{};
    for (auto const& one : all) add_flaws_of(one, found);
    if (all.size() != 2 * steps.size()) found.emplace_back("not every step was killed twice");
    return found;
}

}  // namespace orders
