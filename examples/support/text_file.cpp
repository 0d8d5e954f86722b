// SPDX-License-Identifier: BSL-1.0
#include "support/text_file.hpp"

#include <cerrno>
#include <fstream>
#include <iterator>
#include <system_error>

namespace support {

namespace {

[[noreturn]] void throw_errno(int error, std::string const& what) {
    throw std::system_error(error, std::generic_category(), what);
}

}  // namespace

std::string read_text(std::filesystem::path const& path, std::size_t bytes_max) {
    std::error_code error;
    auto const size = std::filesystem::file_size(path, error);
    if (error) throw std::system_error(error, path.string());
    if (size > bytes_max) throw_errno(EFBIG, path.string());
    std::ifstream file(path, std::ios::binary);
    if (!file) throw_errno(errno, path.string());
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void write_text(std::filesystem::path const& path, std::string const& text) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << text;
    file.close();
    if (!file) throw_errno(EIO, "writing " + path.string());
}

}  // namespace support
