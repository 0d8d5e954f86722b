// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <string>

namespace prometheus_test {

/// How a program ended, and what it printed.
struct said {
    int code = 0;
    std::string text;
};

/// Whether promtool is there; where it is not, the test case says that it is skipped.
bool has_promtool();

/// Runs `promtool <arguments>` with `input` as a file: its standard input, and what `{}` stands for.
said promtool(std::string arguments, std::string const& input);

}  // namespace prometheus_test
