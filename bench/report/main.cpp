// SPDX-License-Identifier: BSL-1.0
// Makes of a report.json what people read: the page, and the table of the README; and compares it with its
// documentation.
#include "report/documentation.hpp"
#include "report/json.hpp"
#include "report/page.hpp"
#include "report/readme.hpp"

#include <cstdio>
#include <exception>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

namespace {

using namespace bench::report_page;

constexpr auto bytes_max = std::size_t{64} << 20U;

std::string read(std::string const& path) {
    std::ifstream file{path, std::ios::binary};
    std::string whole{std::istreambuf_iterator<char>{file}, {}};
    if (!file) throw std::runtime_error{"cannot read " + path};
    if (whole.size() > bytes_max) throw std::runtime_error{path + " is too large for a report"};
    return whole;
}

void write(std::string const& path, std::string const& text) {
    std::ofstream file{path, std::ios::binary};
    file << text;
    file.close();
    if (!file) throw std::runtime_error{"cannot write " + path};
}

int usage() {
    std::fputs(
        "usage: recoup_report html REPORT PAGE      draws the page\n"
        "       recoup_report readme REPORT README  writes the table between its markers\n"
        "       recoup_report readme-check REPORT README\n"
        "       recoup_report check REPORT DOCUMENTATION  compares the fields\n",
        stderr);
    return 2;
}

int run(std::string const& what, std::string const& from, std::string const& other) {
    if (what != "html" && what != "readme" && what != "readme-check" && what != "check")
        return usage();
    auto const report = json::parse(read(from));
    if (what == "html") {
        write(other, page(report));
        return 0;
    }
    if (what == "check") {
        auto const found = differences(report, read(other));
        for (auto const& one : found) std::fprintf(stderr, "%s: %s\n", from.c_str(), one.c_str());
        return found.empty() ? 0 : 1;
    }
    auto const is = read(other);
    auto const should = with_figures(is, figures_table(report));
    if (what == "readme") {
        if (is != should) write(other, should);
        return 0;
    }
    if (is == should) return 0;
    std::fprintf(
        stderr,
        "%s: its table of figures is not what %s gives; write it with: bench/run --from %s "
        "--readme\n",
        other.c_str(), from.c_str(), from.c_str());
    return 1;
}

}  // namespace

int main(int count, char** arguments) try {
    return count == 4 ? run(arguments[1], arguments[2], arguments[3]) : usage();
} catch (std::exception const& caught) {
    std::fprintf(stderr, "recoup_report: %s\n", caught.what());
    return 2;
}
