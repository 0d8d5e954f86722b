// SPDX-License-Identifier: BSL-1.0
#include "report/svg.hpp"

#include "report/text.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <stdexcept>

namespace bench::report_page {

double axis::operator()(double value) const {
    auto const inside = std::clamp(value, least, greatest);
    auto const share = logarithmic ? std::log(inside / least) / std::log(greatest / least)
                                   : (inside - least) / (greatest - least);
    return from + share * (to - from);
}

std::vector<double> axis::ticks() const {
    std::vector<double> made;
    constexpr auto ticks_max = 40;
    if (logarithmic) {
        auto decade = std::pow(10, std::ceil(std::log10(least) - 1e-9));
        for (; decade <= greatest * 1.0001 && made.size() < ticks_max; decade *= 10)
            made.push_back(decade);
        return made;
    }
    auto const rough = (greatest - least) / 5;
    auto const decade = std::pow(10, std::floor(std::log10(rough)));
    auto const times = rough / decade;
    auto const step = decade * (times < 1.5 ? 1 : times < 3.5 ? 2 : times < 7.5 ? 5 : 10);
    for (auto value = std::ceil(least / step) * step;
         value <= greatest + step * 1e-6 && made.size() < ticks_max; value += step)
        made.push_back(std::abs(value) < step * 1e-6 ? 0 : value);
    return made;
}

std::string svg::number(double value, double most) const {
    if (!std::isfinite(value) || value < -0.5 || value > most + 0.5)
        throw std::logic_error{"a mark would lie outside of its picture"};
    char buffer[32];
    std::snprintf(buffer, sizeof buffer, "%.1f", value);
    return buffer;
}

std::string svg::at(double x, double y) const {
    return number(x, width_) + " " + number(y, height_);
}

void svg::text(double x, double y, char const* anchor, std::string const& what,
               std::string const& kind) {
    body_ += "<text x=\"" + number(x, width_) + "\" y=\"" + number(y, height_) +
             "\" text-anchor=\"" + anchor + "\"" + (kind.empty() ? "" : " class=\"" + kind + "\"") +
             ">" + escaped(what) + "</text>\n";
}

void svg::line(double x1, double y1, double x2, double y2, std::string const& kind) {
    body_ += "<path class=\"" + kind + "\" d=\"M" + at(x1, y1) + "L" + at(x2, y2) + "\"/>\n";
}

void svg::bar(double x, double y, double width, double height, std::string const& kind,
              std::string const& tip) {
    body_ += "<rect class=\"mark " + kind + "\" x=\"" + number(x, width_) + "\" y=\"" +
             number(y, height_) + "\" width=\"" + number(width, width_ - x) + "\" height=\"" +
             number(height, height_ - y) + "\"><title>" + escaped(tip) + "</title></rect>\n";
}

void svg::path(std::vector<std::pair<double, double>> const& points, std::string const& kind) {
    if (points.empty()) return;
    body_ += "<path class=\"" + kind + "\" d=\"";
    auto letter = 'M';
    for (auto const& [x, y] : points) {
        body_ += letter + at(x, y);
        letter = 'L';
    }
    body_ += "\"/>\n";
}

std::string svg::form(shape form, double x, double y) const {
    auto const points = [&](std::initializer_list<std::pair<double, double>> corners) {
        std::string made = "<path d=\"";
        auto letter = 'M';
        for (auto const& [right, down] : corners) {
            made += letter + at(x + right, y + down);
            letter = 'L';
        }
        return made + "Z\"";
    };
    switch (form) {
        case shape::square: return points({{-4.5, -4.5}, {4.5, -4.5}, {4.5, 4.5}, {-4.5, 4.5}});
        case shape::triangle: return points({{0, -6}, {6, 4.5}, {-6, 4.5}});
        case shape::diamond: return points({{0, -6}, {6, 0}, {0, 6}, {-6, 0}});
        case shape::ring:
            return "<circle cx=\"" + number(x, width_) + "\" cy=\"" + number(y, height_) +
                   "\" r=\"8\"";
        case shape::circle: break;
    }
    return "<circle cx=\"" + number(x, width_) + "\" cy=\"" + number(y, height_) + "\" r=\"5\"";
}

void svg::mark(shape which, double x, double y, std::string const& kind, std::string const& tip) {
    body_ += "<g class=\"mark " + kind + "\">" + form(which, x, y) + "/><title>" + escaped(tip) +
             "</title></g>\n";
}

void svg::sample(shape which, double x, double y, std::string const& kind) {
    body_ += "<g class=\"" + kind + "\">" + form(which, x, y) + "/></g>\n";
}

std::string svg::finish(std::string const& id, std::string const& title,
                        std::string const& description) const {
    char box[64];
    std::snprintf(box, sizeof box, "0 0 %.0f %.0f", width_, height_);
    return "<svg role=\"img\" viewBox=\"" + std::string{box} + "\" aria-labelledby=\"" + id +
           "-title " + id + "-desc\">\n<title id=\"" + id + "-title\">" + escaped(title) +
           "</title>\n<desc id=\"" + id + "-desc\">" + escaped(description) + "</desc>\n" + body_ +
           "</svg>\n";
}

}  // namespace bench::report_page
