// SPDX-License-Identifier: BSL-1.0
#include "regression/judge.hpp"

#include "regression/figures.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

namespace bench::regression {

namespace {

verdict compared(double before, double now, double allowed) {
    // What is written has two digits behind the point.
    constexpr auto rounding = 0.005;
    if (now > before + allowed + rounding) return verdict::slower;
    if (now < before - allowed - rounding) return verdict::faster;
    return verdict::kept;
}

double allowed_of(tolerance const& chosen, double before) {
    return std::max(before * chosen.percent / 100, chosen.instructions);
}

std::string ratio_name(count_of_path const& of) { return of.path + " : " + of.twin; }

std::optional<double> ratio(std::optional<double> one, std::optional<double> twin) {
    if (!one || !twin || *twin == 0) return std::nullopt;
    return *one / *twin;
}

std::optional<double> found_in(counts const& all, std::string const& path) {
    for (auto const& one : all)
        if (one.path == path) return one.instructions;
    return std::nullopt;
}

/// The greatest of all toolchains.
std::optional<double> greatest_ratio(baseline const& against, count_of_path const& of) {
    std::optional<double> most;
    for (auto const& one : against.toolchains)
        if (auto const found = ratio(one.find(of.path), one.find(of.twin)))
            most = std::max(most.value_or(0), *found);
    return most;
}

judged judged_count(toolchain_counts const* known, tolerance const& chosen,
                    count_of_path const& of) {
    judged made{.what = of.path, .now = of.instructions};
    if (known == nullptr) {
        made.found = verdict::not_judged;
        return made;
    }
    made.before = known->find(of.path);
    made.found = made.before
                     ? compared(*made.before, of.instructions, allowed_of(chosen, *made.before))
                     : verdict::not_known;
    return made;
}

judged judged_ratio(baseline const& against, toolchain_counts const* known, counts const& found,
                    count_of_path const& of) {
    judged made{.what = ratio_name(of), .now = ratio(of.instructions, found_in(found, of.twin))};
    made.before = known != nullptr ? ratio(known->find(of.path), known->find(of.twin))
                                   : greatest_ratio(against, of);
    if (!made.now) {
        made.found = verdict::not_counted;
    } else if (!made.before) {
        made.found = known != nullptr ? verdict::not_known : verdict::not_judged;
    } else {
        auto const percent =
            known != nullptr ? against.allowed.ratio_percent : against.allowed.other_ratio_percent;
        made.found = compared(*made.before, *made.now, *made.before * percent / 100);
        // A ratio of other toolchains is only a bound.
        if (known == nullptr && made.found == verdict::faster) made.found = verdict::kept;
    }
    return made;
}

struct verdict_text {
    verdict which;
    char const* word;
};

constexpr std::array verdict_texts{
    verdict_text{verdict::kept, "ok"},
    verdict_text{verdict::faster, "faster"},
    verdict_text{verdict::slower, "SLOWER"},
    verdict_text{verdict::not_known, "NOT IN THE BASELINE"},
    verdict_text{verdict::not_counted, "IN THE BASELINE, AND DID NOT RUN"},
    verdict_text{verdict::not_judged, "not judged"},
};

char const* word(verdict of) {
    for (auto const& one : verdict_texts)
        if (one.which == of) return one.word;
    return "";
}

std::size_t width_of(std::string const& text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char one) {
        return (static_cast<unsigned char>(one) & 0xC0U) != 0x80U;
    }));
}

using line = std::array<std::string, 5>;

/// In columns; the figures to the right.
std::string aligned(std::vector<line> const& lines) {
    std::array<std::size_t, 5> widths{};
    for (auto const& one : lines)
        for (std::size_t i = 0; i != one.size(); ++i)
            widths[i] = std::max(widths[i], width_of(one[i]));
    std::string made;
    for (auto const& one : lines) {
        for (std::size_t i = 0; i + 1 != one.size(); ++i) {
            std::string const space(widths[i] - width_of(one[i]), ' ');
            made += (i == 0 ? one[i] + space : space + one[i]) + "  ";
        }
        made += one.back() + '\n';
    }
    return made;
}

/// What is to be said of the rows of one verdict.
std::string listed(judgement const& of, verdict which, std::string const& first) {
    std::string made;
    for (auto const& one : of.rows)
        if (one.found == which) {
            made += "    " + one.what;
            if (one.before && one.now)
                made += ": " + shown(*one.before) + " → " + shown(*one.now) + ", " +
                        change_text(*one.before, *one.now);
            made += '\n';
        }
    return made.empty() ? made : first + '\n' + made;
}

}  // namespace

bool judgement::has(verdict which) const {
    return std::any_of(rows.begin(), rows.end(),
                       [&](auto const& one) { return one.found == which; });
}

judgement judge(baseline const& against, std::string const& toolchain, counts const& found) {
    auto const* const known = against.find(toolchain);
    judgement made{.toolchain = toolchain, .known = known != nullptr};
    for (auto const& one : found) made.rows.push_back(judged_count(known, against.allowed, one));
    if (known != nullptr)
        for (auto const& [path, instructions] : known->instructions)
            if (!found_in(found, path))
                made.rows.push_back(
                    {.what = path, .before = instructions, .found = verdict::not_counted});
    for (auto const& one : found)
        if (!one.twin.empty()) made.rows.push_back(judged_ratio(against, known, found, one));
    return made;
}

std::string to_text(judgement const& of) {
    std::vector<line> lines{
        {"instructions a call, and ratios", "baseline", "now", "difference", "verdict"}};
    for (auto const& one : of.rows)
        lines.push_back(
            {one.what, one.before ? shown(*one.before) : "–", one.now ? shown(*one.now) : "–",
             one.before && one.now ? change_text(*one.before, *one.now) : "–", word(one.found)});
    auto made = of.toolchain + '\n' + aligned(lines);
    made +=
        listed(of, verdict::faster,
               "faster than the baseline, which would let them slip back unseen; accept it with: "
               "bench/run --accept");
    made +=
        listed(of, verdict::not_known, "not in the baseline; add them with: bench/run --accept");
    made += listed(of, verdict::not_counted,
                   "in the baseline, and did not run; drop them with: bench/run --accept");
    made += listed(of, verdict::slower, "SLOWER than the baseline allows:");
    if (!of.known)
        made += "no baseline for " + of.toolchain +
                "; not judged, but for ratios by the greatest of other toolchains.\n"
                "Where nothing is slower than it should be, make one with: bench/run --accept\n";
    return made;
}

int exit_status(judgement const& of) {
    if (of.has(verdict::slower)) return 1;
    if (of.has(verdict::not_known) || of.has(verdict::not_counted)) return 2;
    return of.known ? 0 : 77;
}

}  // namespace bench::regression
