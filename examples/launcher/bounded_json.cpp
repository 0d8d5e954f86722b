// SPDX-License-Identifier: BSL-1.0
#include "launcher/bounded_json.hpp"

#include "support/unique_fd.hpp"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>

namespace launcher {

namespace {

std::string read_bounded(std::filesystem::path const& path, json_source const& source) {
    std::string const named = "the " + source.what + " '" + path.string() + "' ";
    // O_NONBLOCK: opening a pipe that nobody writes to would wait for ever.
    support::unique_fd const file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    struct stat status{};
    if (!file || ::fstat(file.get(), &status) != 0)
        throw problem(source.unreadable, named + "cannot be read: " + std::strerror(errno));
    if (!S_ISREG(status.st_mode)) throw problem(source.unreadable, named + "is not a file");

    std::string text(source.bytes_max + 1, '\0');
    std::size_t length = 0;
    while (length < text.size()) {
        ssize_t const got = ::read(file.get(), text.data() + length, text.size() - length);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            throw problem(source.unreadable, named + "cannot be read: " + std::strerror(errno));
        if (got == 0) break;
        length += static_cast<std::size_t>(got);
    }
    if (length > source.bytes_max)
        throw problem(source.malformed,
                      named + "is larger than " + std::to_string(source.bytes_max) + " bytes");
    text.resize(length);
    return text;
}

}  // namespace

nlohmann::json parse_json(std::string const& text, std::string const& name,
                          json_source const& source) {
    std::string const named = "the " + source.what + " '" + name + "' ";
    // Building is iterative, but destroying, copying and printing a deep value recurse.
    auto const bounded = [&](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
        if (depth > source.depth_max)
            throw problem(source.malformed, named + "is nested deeper than " +
                                                std::to_string(source.depth_max) + " levels");
        return true;
    };
    try {
        return nlohmann::json::parse(text, bounded);
    } catch (nlohmann::json::parse_error const& error) {
        throw problem(source.malformed,
                      named + "is not JSON: byte " + std::to_string(error.byte) + " is unexpected");
    }
}

nlohmann::json read_json(std::filesystem::path const& path, json_source const& source) {
    return parse_json(read_bounded(path, source), path.string(), source);
}

}  // namespace launcher
