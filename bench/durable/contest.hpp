// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "support/report.hpp"
#include "support/statistics.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace bench {

/// One way of doing an operation, and what it took.
struct side {
    std::string name{};
    /// Does `count` operations, with the keys from `first` on.
    std::function<void(std::uint64_t first, std::size_t count)> run{};
    /// Waits until nothing of them is left to do in the background; not part of the caller's time.
    std::function<void()> settle{};

    // Of a round each, in nanoseconds an operation.
    std::vector<double> typical{};      ///< of the caller: the median of the round's batches
    std::vector<double> mean{};         ///< of the caller: all batches
    std::vector<double> caller_cpu{};   ///< of the caller's thread
    std::vector<double> process_cpu{};  ///< of all threads, settled
    // Above the first side, in its round.
    std::vector<double> added{};         ///< nanoseconds, typical
    std::vector<double> percent{};       ///< typical
    std::vector<double> mean_percent{};  ///< of the mean
    std::vector<double> cpu_percent{};   ///< of the caller's thread
};

/// How a contest is held.
struct contest_plan {
    int rounds = 0;
    std::size_t batches = 1;  ///< a side's turn in a round: so many batches, each timed
    std::size_t batch = 1;    ///< operations a batch: a clock costs more than what some sides add
};

/// Compares ways of doing the same operation with the first of them.
///
/// Each round runs every side in turn, the order shifted by one from round to round. A side is settled
/// before the next one begins, so that none pays for another's background work. What counts is the median
/// over the rounds of the ratio within a round: what else the machine does meets neighbours alike, and a
/// stall is one round.
class contest {
  public:
    void add(side one) { sides_.push_back(std::move(one)); }

    void run(contest_plan const& how);

    [[nodiscard]] side const& at(std::string const& name) const;

    /// All sides, as figures.
    void tell(figures& into) const;

  private:
    void run_once(side& one, contest_plan const& how);

    std::vector<side> sides_{};
    std::uint64_t next_key_ = 1;
};

/// Two ways of doing the same, in turn, each of which gives a figure of its own.
struct duel {
    std::vector<double> floor{};
    std::vector<double> product{};
    std::vector<double> ratio{};  ///< product by floor, in one round
};

/// Runs both in turn until `budget` is spent, the floor first in every other round.
template <class Floor, class Product>
duel compare(std::chrono::nanoseconds budget, Floor&& floor, Product&& product) {
    constexpr auto rounds_min = 8;
    constexpr auto rounds_max = 1'000;
    auto const until = std::chrono::steady_clock::now() + budget;
    duel seen;
    for (auto round = 0; round != rounds_max; ++round) {
        if (round >= rounds_min && std::chrono::steady_clock::now() > until) break;
        auto const floor_first = round % 2 == 0;
        double least = floor_first ? floor() : 0;
        double const ours = product();
        if (!floor_first) least = floor();
        seen.floor.push_back(least);
        seen.product.push_back(ours);
        seen.ratio.push_back(ours / least);
    }
    return seen;
}

/// `+1.20 % (half between +1.00 and +1.50)`
std::string shown(std::vector<double> const& values, char const* format, char const* unit);

/// The quartiles of `values`, beside the least and the greatest.
void tell(figures& into, std::string const& name, std::vector<double> const& values);

/// Judges the median of `percent`, of which each is the overhead of a round, by at most `most`, give or take
/// `noise`: what the same work differs by from itself (see noise_of).
void judge_percent(report& into, std::string name, std::vector<double> const& percent, double most,
                   requirement of, double noise, std::string const& beside = {});

/// Judges the median of ratios that should be at most `most`.
void judge_ratio_below(report& into, std::string name, std::vector<double> const& ratio,
                       double most, std::string const& beside = {});

/// Judges the median of ratios that should be at least `least`.
void judge_ratio_above(report& into, std::string name, std::vector<double> const& ratio,
                       double least, std::string const& beside = {});

}  // namespace bench
