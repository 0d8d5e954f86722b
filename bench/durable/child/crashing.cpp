// SPDX-License-Identifier: BSL-1.0
// Dies in the second step of an operation, or resumes it there and says when.
#include "durable/child/crashing.hpp"

#include <recoup/durable.hpp>

#include <array>
#include <csignal>
#include <string>

#include <unistd.h>

namespace {

using recoup::operation;
using recoup::result;

/// Is killed in its second step.
result<std::uint64_t> die(operation& op, std::uint64_t value) {
    op.step("first", [&] { return value; }).value();
    op.step("second", [&] {
          ::raise(SIGKILL);
          return value;
      }).value();
    return value;
}

/// Reports three moments in its second step, and ends there.
struct report_and_end {
    std::int64_t entered;
    std::int64_t opened;

    result<std::uint64_t> operator()(operation& op, std::uint64_t value) const {
        op.step("first", [&] {
              ::_exit(3);  // it is recorded, and must not run again
              return value;
          }).value();
        op.step("second", [&] {
              std::array<std::int64_t, 3> const report{entered, opened, bench::now()};
              auto const written = ::write(STDOUT_FILENO, report.data(), sizeof report);
              ::_exit(written == sizeof report && op.resumed() && value == 7 ? 0 : 4);
              return value;
          }).value();
        return value;
    }
};

}  // namespace

int main(int count, char** arguments) {
    auto const entered = bench::now();
    if (count != 4) return 2;
    bench::with_store(arguments[2], arguments[3], [&](auto& store) {
        auto const opened = bench::now();
        recoup::operations on{store};
        if (std::string{arguments[1]} == bench::dies) {
            static_cast<void>(on.define("resume", die).run("only", std::uint64_t{7}));
        } else {
            on.define("resume", report_and_end{entered, opened});
            on.resume();
        }
    });
    return 5;  // nothing has killed it, or nothing was resumed
}
