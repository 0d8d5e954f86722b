// SPDX-License-Identifier: BSL-1.0
#include "import.hpp"

#include <set>
#include <sstream>

namespace import {

std::string manifest() {
    std::string text;
    for (auto line = 0; line != 200; ++line)
        text += "model-" + std::to_string(line % 150) + " size " + std::to_string(line) + '\n';
    return text;
}

std::size_t read(std::string const& text) {
    std::set<std::string> names;
    std::istringstream lines{text};
    for (std::string name, word, size; lines >> name >> word >> size;) names.insert(name);
    return names.size();
}

}  // namespace import
