// SPDX-License-Identifier: BSL-1.0
#include "durable/contest.hpp"

#include <chrono>
#include <cstdio>
#include <ctime>
#include <stdexcept>
#include <utility>

namespace bench {

namespace {

double nanoseconds_of(clockid_t which) {
    timespec now{};
    clock_gettime(which, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

std::string with(std::string measured, std::string const& beside) {
    if (!beside.empty()) measured += "; " + beside;
    return measured;
}

}  // namespace

void contest::run_once(std::size_t which, std::size_t batch) {
    auto& one = sides_[which];
    auto const first = std::exchange(next_key_, next_key_ + batch);
    auto const cpu = nanoseconds_of(CLOCK_PROCESS_CPUTIME_ID);
    auto const begin = nanoseconds_of(CLOCK_MONOTONIC);
    one.run(first, batch);
    auto const took = nanoseconds_of(CLOCK_MONOTONIC) - begin;
    if (one.settle) one.settle();
    auto const used = nanoseconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    one.nanoseconds.push_back(took / static_cast<double>(batch));
    one.cpu_nanoseconds.push_back(used / static_cast<double>(batch));
}

void contest::run(int rounds, std::size_t batch) {
    auto const count = sides_.size();
    for (auto round = 0; round != rounds; ++round) {
        for (std::size_t i = 0; i != count; ++i)
            run_once((i + static_cast<std::size_t>(round)) % count, batch);
        auto const bare = sides_.front().nanoseconds.back();
        for (auto& one : sides_) {
            one.percent.push_back((one.nanoseconds.back() / bare - 1) * 100);
            one.added.push_back(one.nanoseconds.back() - bare);
        }
    }
}

side const& contest::at(std::string const& name) const {
    for (auto const& one : sides_)
        if (one.name == name) return one;
    throw std::out_of_range{"no side is called " + name};
}

void contest::tell(figures& into) const {
    for (auto const& one : sides_) {
        auto& row = into.at(one.name);
        row.set("time_ns", spread_of(one.nanoseconds))
            .set("cpu_ns_of_the_process", spread_of(one.cpu_nanoseconds));
        if (&one == &sides_.front()) continue;
        bench::tell(row, "overhead_percent", one.percent);
        bench::tell(row, "added_ns", one.added);
    }
}

std::string shown(std::vector<double> const& values, char const* format, char const* unit) {
    auto const number = [&](double value) {
        char text[48];
        std::snprintf(text, sizeof text, format, value);
        return std::string{text};
    };
    return number(quantile(values, 0.5)) + " " + unit + " (half between " +
           number(quantile(values, 0.25)) + " and " + number(quantile(values, 0.75)) + ")";
}

void tell(figures& into, std::string const& name, std::vector<double> const& values) {
    into.set(name, spread_of(values))
        .set(name + "_quarter_below", quantile(values, 0.25))
        .set(name + "_quarter_above", quantile(values, 0.75));
}

void judge_percent(report& into, std::string name, std::vector<double> const& percent, double most,
                   requirement of, std::string const& beside) {
    auto const seen = spread_of(percent).median;
    into.judge(std::move(name), seen <= most, with(shown(percent, "%+.2f", "%"), beside),
               "≤ " + text(most, "%", most < 1 ? 1 : 0), of,
               text(seen - most, "percentage points"));
}

void judge_ratio_below(report& into, std::string name, std::vector<double> const& ratio,
                       double most, std::string const& beside) {
    auto const seen = spread_of(ratio).median;
    into.judge(std::move(name), seen <= most, with(shown(ratio, "%.3f", "×"), beside),
               "≤ " + text(most, "×", 1), requirement::goal,
               text((seen / most - 1) * 100, "% of it", 1));
}

void judge_ratio_above(report& into, std::string name, std::vector<double> const& ratio,
                       double least, std::string const& beside) {
    auto const seen = spread_of(ratio).median;
    into.judge(std::move(name), seen >= least, with(shown(ratio, "%.3f", "×"), beside),
               "≥ " + text(least, "×", 1), requirement::goal,
               "a factor of " + text(least / seen, "", 2));
}

}  // namespace bench
