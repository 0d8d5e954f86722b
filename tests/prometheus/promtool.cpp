// SPDX-License-Identifier: BSL-1.0
#include "promtool.hpp"

#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <utility>

#include <sys/wait.h>

namespace prometheus_test {

bool has_promtool() {
    if (std::system("command -v promtool >/dev/null") == 0) return true;
    WARN("SKIPPED: promtool is not installed (Debian and Ubuntu: prometheus)");
    return false;
}

said promtool(std::string arguments, std::string const& input) {
    recoup_test::temporary_folder const folder;
    auto const file = folder / "input";
    auto const printed = folder / "printed";
    std::ofstream{file, std::ios::binary} << input;
    if (auto const place = arguments.find("{}"); place != std::string::npos)
        arguments.replace(place, 2, file);
    auto const status =
        std::system(("promtool " + arguments + " <" + file + " >" + printed + " 2>&1").c_str());
    std::ifstream read{printed, std::ios::binary};
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1,
            {std::istreambuf_iterator<char>{read}, {}}};
}

}  // namespace prometheus_test
