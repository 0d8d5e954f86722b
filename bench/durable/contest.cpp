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

void contest::run_once(side& one, contest_plan const& how) {
    std::vector<double> times;
    auto const operations = static_cast<double>(how.batches * how.batch);
    auto const process = nanoseconds_of(CLOCK_PROCESS_CPUTIME_ID);
    auto const thread = nanoseconds_of(CLOCK_THREAD_CPUTIME_ID);
    auto const begin = nanoseconds_of(CLOCK_MONOTONIC);
    auto last = begin;
    for (std::size_t i = 0; i != how.batches; ++i) {
        one.run(std::exchange(next_key_, next_key_ + how.batch), how.batch);
        auto const now = nanoseconds_of(CLOCK_MONOTONIC);
        times.push_back((now - std::exchange(last, now)) / static_cast<double>(how.batch));
    }
    one.mean.push_back((last - begin) / operations);
    one.caller_cpu.push_back((nanoseconds_of(CLOCK_THREAD_CPUTIME_ID) - thread) / operations);
    one.typical.push_back(quantile(std::move(times), 0.5));
    if (one.settle) one.settle();
    one.process_cpu.push_back((nanoseconds_of(CLOCK_PROCESS_CPUTIME_ID) - process) / operations);
}

void contest::run(contest_plan const& how) {
    auto const count = sides_.size();
    auto const above = [](std::vector<double> const& one, std::vector<double> const& bare) {
        return (one.back() / bare.back() - 1) * 100;
    };
    for (auto round = 0; round != how.rounds; ++round) {
        for (std::size_t i = 0; i != count; ++i)
            run_once(sides_[(i + static_cast<std::size_t>(round)) % count], how);
        auto const& bare = sides_.front();
        for (auto& one : sides_) {
            one.added.push_back(one.typical.back() - bare.typical.back());
            one.percent.push_back(above(one.typical, bare.typical));
            one.mean_percent.push_back(above(one.mean, bare.mean));
            one.cpu_percent.push_back(above(one.caller_cpu, bare.caller_cpu));
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
        row.set("time_ns", spread_of(one.typical))
            .set("mean_time_ns", spread_of(one.mean))
            .set("cpu_ns_of_the_caller", spread_of(one.caller_cpu))
            .set("cpu_ns_of_the_process", spread_of(one.process_cpu));
        if (&one == &sides_.front()) continue;
        bench::tell(row, "added_ns", one.added);
        bench::tell(row, "overhead_percent", one.percent);
        bench::tell(row, "overhead_percent_of_the_mean", one.mean_percent);
        bench::tell(row, "overhead_percent_of_the_callers_cpu", one.cpu_percent);
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
                   requirement of, double noise, std::string const& beside) {
    auto const seen = spread_of(percent).median;
    into.judge(std::move(name), judged(seen, most, noise),
               with(shown(percent, "%+.2f", "%"), beside), "≤ " + text(most, "%", most < 1 ? 1 : 0),
               of, text(seen - most, "percentage points"))
        .figure = seen;
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
