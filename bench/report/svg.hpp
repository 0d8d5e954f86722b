// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <string>
#include <vector>

namespace bench::report_page {

/// The shape of a mark: what a colour says, it says too.
enum class shape { circle, square, triangle, diamond, ring };

/// Where a figure lies on an axis. What is beyond an end lies on it.
struct axis {
    double least = 0;
    double greatest = 1;
    double from = 0;  ///< where `least` lies
    double to = 1;
    bool logarithmic = false;

    [[nodiscard]] double operator()(double value) const;
    /// Decades, or some five round figures.
    [[nodiscard]] std::vector<double> ticks() const;
};

/// One picture, drawn in a box of `width` by `height`.
///
/// Throws std::logic_error where a coordinate is not finite or outside the box.
class svg {
  public:
    svg(double width, double height) : width_{width}, height_{height} {}

    /// `anchor`: start, middle or end.
    void text(double x, double y, char const* anchor, std::string const& what,
              std::string const& kind = "");
    void line(double x1, double y1, double x2, double y2, std::string const& kind);
    void bar(double x, double y, double width, double height, std::string const& kind,
             std::string const& tip);
    void path(std::vector<std::pair<double, double>> const& points, std::string const& kind);
    /// `tip` is shown by whoever points at it.
    void mark(shape form, double x, double y, std::string const& kind, std::string const& tip);
    /// The same for a legend: it is no figure.
    void sample(shape form, double x, double y, std::string const& kind);

    /// The picture; `id` is unique in its page.
    [[nodiscard]] std::string finish(std::string const& id, std::string const& title,
                                     std::string const& description) const;

  private:
    std::string at(double x, double y) const;
    std::string number(double value, double most) const;
    std::string form(shape form, double x, double y) const;

    double width_;
    double height_;
    std::string body_{};
};

}  // namespace bench::report_page
