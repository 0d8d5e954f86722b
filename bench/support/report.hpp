// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "support/statistics.hpp"

#include <recoup/validation/finding.hpp>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace bench {

/// A tree of figures, as it will stand in report.json; in the order of writing.
class figures {
  public:
    using value = std::variant<bool, std::int64_t, double, std::string, spread>;

    figures& set(std::string const& name, value const& what);
    figures& set(std::string const& name, char const* what);
    /// A branch; the reference stays good.
    figures& at(std::string const& name);
    /// One more item of a list; the reference stays good.
    figures& add(std::string const& list);

    [[nodiscard]] auto const& leaves() const noexcept { return leaves_; }
    [[nodiscard]] auto const& branches() const noexcept { return branches_; }
    [[nodiscard]] auto const& lists() const noexcept { return lists_; }

  private:
    std::vector<std::pair<std::string, value>> leaves_;
    std::deque<std::pair<std::string, figures>> branches_;
    std::deque<std::pair<std::string, std::deque<figures>>> lists_;
};

/// What a verdict is about.
enum class requirement : std::uint8_t {
    goal,  ///< a few nanoseconds, or milliseconds of a disk: noise alone can miss it, so it does
           ///< not decide
    contract,  ///< what must hold whatever the machine does
    overhead,  ///< the four requirements of the original report
    memory,
    recovery_time,
    success,
};

using recoup::validation::finding;

/// Judges a figure that should be at most `most` and that is worth no more than give or take `noise`.
constexpr finding judged(double seen, double most, double noise) {
    if (seen <= most) return finding::met;
    return seen - noise > most ? finding::missed : finding::too_noisy_to_tell;
}
static_assert(judged(4.9, 5, 9) == finding::met);
static_assert(judged(10, 5, 1) == finding::missed);
static_assert(judged(10, 5, 6) == finding::too_noisy_to_tell);

/// One line of the verdict table.
struct verdict {
    std::string name;
    std::string measured;
    std::string wanted;
    finding found = finding::met;
    requirement of = requirement::contract;
    std::string missed_by{};  ///< how far off it is, where that is known
    /// What was judged, in the unit of a requirement of the original.
    std::optional<double> figure{};
};

/// What could not be measured here, and why.
struct skipped {
    std::string name;
    std::string why;
};

/// What the benchmarks found.
struct report {
    figures machine;
    figures requirements;
    figures series;  ///< what plots are drawn from
    figures details;
    std::vector<verdict> verdicts;
    std::vector<skipped> skips;
    /// What the summary of the original report holds.
    std::vector<double> overheads_percent;
    double success_rate_percent = 0;
    double seconds = 0;

    verdict& judge(std::string name, bool met, std::string measured, std::string wanted,
                   requirement of = requirement::contract, std::string missed_by = {}) {
        return judge(std::move(name), met ? finding::met : finding::missed, std::move(measured),
                     std::move(wanted), of, std::move(missed_by));
    }

    verdict& judge(std::string name, finding found, std::string measured, std::string wanted,
                   requirement of, std::string missed_by = {}) {
        return verdicts.emplace_back(
            verdict{std::move(name), std::move(measured), std::move(wanted), found, of,
                    found == finding::met ? std::string{} : std::move(missed_by)});
    }

    void skip(std::string name, std::string why) {
        skips.push_back({std::move(name), std::move(why)});
    }
};

/// How much to measure.
struct plan {
    bool quick = false;
    std::string scratch;  ///< a folder on a real disk, for the stores
    std::string program;  ///< this program, for child processes
};

/// `1.23 ns`.
std::string text(double value, char const* unit, int digits = 2);
/// `1.23 (1.10 … 2.02) ns`: median, least and greatest.
std::string text(spread const& values, char const* unit, int digits = 2);

void print_table(report const& what);
/// The four requirements of the original, and by how much each was met or missed.
void print_requirements(report const& what);
/// Returns: false where it cannot be written.
bool write_json(report const& what, std::string const& path);

}  // namespace bench
