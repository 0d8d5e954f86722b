// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

namespace bench::regression {

inline constexpr auto file_bytes_max = std::size_t{64} << 20U;

/// Throws: std::runtime_error that names it.
inline std::string read_file(std::string const& path) {
    std::ifstream file{path, std::ios::binary};
    std::string whole{std::istreambuf_iterator<char>{file}, {}};
    if (!file) throw std::runtime_error{"cannot read " + path};
    if (whole.size() > file_bytes_max) throw std::runtime_error{path + " is too large"};
    return whole;
}

/// Throws: std::runtime_error that names it.
inline void write_file(std::string const& path, std::string const& text) {
    std::ofstream file{path, std::ios::binary};
    file << text;
    file.close();
    if (!file) throw std::runtime_error{"cannot write " + path};
}

}  // namespace bench::regression
