// SPDX-License-Identifier: BSL-1.0
#include "report/rows.hpp"

#include "report/text.hpp"

#include <algorithm>
#include <cmath>

namespace bench::report_page {

namespace {

constexpr double width = 400;
constexpr double row_height = 21;
constexpr double values_width = 74;

/// About as wide as `text` is drawn.
double width_of(std::string const& text) {
    return 7.0 * static_cast<double>(std::count_if(text.begin(), text.end(), [](char one) {
               return (static_cast<unsigned char>(one) & 0xC0U) != 0x80U;
           }));
}

}  // namespace

void draw_legend(svg& into, double x, double y, std::vector<legend_entry> const& entries) {
    for (auto const& one : entries) {
        into.sample(one.form, x + 6, y - 4, one.kind);
        into.text(x + (one.form == shape::ring ? 20 : 17), y, "start", one.label);
        x += 32 + width_of(one.label);
    }
}

std::optional<row> row_of(json const& spread) {
    row made;
    if (auto const value = number(spread)) {
        made.value = made.low = made.high = *value;
        return made;
    }
    auto const median = number(at(spread, {"median"}));
    if (!median) return std::nullopt;
    made.value = *median;
    made.low = std::min(number(at(spread, {"min"})).value_or(*median), *median);
    made.high = std::max(number(at(spread, {"max"})).value_or(*median), *median);
    return made;
}

std::string draw_rows(row_plan const& how, std::vector<row_group> const& groups) {
    auto greatest = how.most.value_or(how.least * 10);
    auto height = 34.0;
    for (auto const& group : groups) {
        height += group.title.empty() ? 4 : row_height + 4;
        for (auto const& one : group.rows) {
            height += row_height;
            greatest = std::max({greatest, one.value, one.high});
        }
    }
    auto const top = (how.legend.empty() ? 6.0 : 24.0) + (how.bound ? 18.0 : 0.0);
    height += top;
    axis const across{.least = how.least,
                      .greatest = std::pow(10, std::ceil(std::log10(greatest) - 1e-9)),
                      .from = how.labels_width + 8,
                      .to = width - values_width - 8,
                      .logarithmic = true};
    auto const bottom = height - 34;
    svg drawn{width, height};
    draw_legend(drawn, 0, 14, how.legend);

    auto const ticks = across.ticks();
    // As many as can be read side by side.
    auto const every = (ticks.size() + 4) / 5;
    for (std::size_t i = 0; i != ticks.size(); ++i) {
        auto const x = across(ticks[i]);
        drawn.line(x, top, x, bottom, "grid");
        if (i % every != 0) continue;
        drawn.text(x, bottom + 14, "middle", tick_text(ticks[i]), "tick");
    }
    drawn.text((across.from + across.to) / 2, bottom + 29, "middle", how.unit, "tick");
    if (how.bound) {
        auto const x = across(*how.bound);
        drawn.line(x, top - 4, x, bottom, "bound");
        drawn.text(x, top - 8, "middle", how.bound_label, "bound-label");
    }

    auto y = top;
    for (auto const& group : groups) {
        if (!group.title.empty()) {
            y += row_height + 4;
            drawn.text(0, y - 5, "start", group.title, "group");
        } else {
            y += 4;
        }
        for (auto const& one : group.rows) {
            auto const middle = y + row_height / 2;
            drawn.text(8, middle + 4, "start", one.label);
            if (one.high > one.low)
                drawn.line(across(one.low), middle, across(one.high), middle,
                           "whisker " + one.kind);
            drawn.mark(one.form, across(one.value), middle, one.kind, one.tip);
            drawn.text(width, middle + 4, "end", one.shown, "value");
            y += row_height;
        }
    }
    return drawn.finish(how.id, how.title, how.description);
}

}  // namespace bench::report_page
