// SPDX-License-Identifier: BSL-1.0
#include "durable/diary.hpp"

#include "support/text_file.hpp"
#include "support/unique_fd.hpp"

#include <algorithm>
#include <cerrno>
#include <sstream>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace orders {

namespace {

std::string line_of(std::string_view what, std::string_view step) {
    return std::string{what} + ' ' + std::string{step};
}

}  // namespace

diary::diary(std::filesystem::path path) : path_{std::move(path)} {}

void diary::add(std::string_view what, std::string_view step) const {
    auto const line = line_of(what, step) + '\n';
    auto const file =
        support::unique_fd{::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)};
    // One call of write(2), so that a line is there as a whole or not at all.
    if (file.get() < 0 ||
        ::write(file.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size()))
        throw std::system_error{errno, std::generic_category(), "writing " + path_.string()};
}

std::size_t diary::count(std::string_view what, std::string_view step) const {
    if (!std::filesystem::exists(path_)) return 0;
    auto const wanted = line_of(what, step);
    auto lines = std::istringstream{support::read_text(path_)};
    auto found = std::size_t{0};
    for (std::string line; std::getline(lines, line);) found += line == wanted ? 1U : 0U;
    return found;
}

}  // namespace orders
