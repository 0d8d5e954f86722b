// SPDX-License-Identifier: BSL-1.0
#include "support/loopback_server.hpp"

#include "support/text_file.hpp"

#include <chrono>
#include <stdexcept>

namespace support {

loopback_server::loopback_server(std::filesystem::path const& program,
                                 std::filesystem::path const& root,
                                 std::filesystem::path const& folder, std::string const& name,
                                 std::vector<std::string> const& options)
    : log_(folder / (name + ".access.log")) {
    auto const output = folder / (name + ".out");
    std::vector<std::string> command{program.string(), root.string(), "--access-log",
                                     log_.string()};
    command.insert(command.end(), options.begin(), options.end());
    write_text(log_, "");
    process_ = std::make_unique<child_process>(command, output);

    std::string said;
    bool const listens = eventually(std::chrono::seconds{10}, [&] {
        said = std::filesystem::exists(output) ? read_text(output) : "";
        return said.ends_with('\n') || !process_->running();
    });
    auto const port = said.rfind(':');
    if (!listens || !said.starts_with("listening") || port == std::string::npos)
        throw std::runtime_error("the server " + name + " does not start: " + said);
    url_ = "http://127.0.0.1:" + said.substr(port + 1);
    url_.pop_back();  // the end of the line
}

}  // namespace support
