// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace prometheus_test {

using label_values = std::map<std::string, std::string>;

struct sample {
    std::string name;
    label_values labels;
    double value = 0;

    /// As it is asked for: `name{label="value"}`, the labels in their order and escaped.
    [[nodiscard]] std::string series() const;
};

struct family {
    std::string name;
    std::string help;
    std::string type;
    std::vector<sample> samples;
};

/// Reads the text format of Prometheus, version 0.0.4, and no more than that.
///
/// Throws: std::runtime_error that names the line, also where a family or a series is there twice, or a sample
/// stands outside of its family.
std::vector<family> read_exposition(std::string_view text);

/// All samples of all families, by their series.
std::map<std::string, double> by_series(std::vector<family> const& families);

}  // namespace prometheus_test
