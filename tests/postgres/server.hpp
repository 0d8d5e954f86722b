// SPDX-License-Identifier: BSL-1.0
#pragma once

// A PostgreSQL server of the tests' own, and what they share.

#include "support/catch.hpp"
#include "support/child.hpp"
#include "support/postgres_server.hpp"

#include <recoup/store/postgres_store.hpp>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <libpq-fe.h>
#include <sys/wait.h>
#include <unistd.h>

namespace recoup_test {

/// The server of this process, started at the first use. Where none can be had, this says so and ends the
/// process: the tests are skipped, and ctest shows it.
support::postgres_server& server();

/// A server apart, with settings (`fsync=off`, …).
std::unique_ptr<support::postgres_server> server_with(std::vector<std::string> settings);

/// How a store reaches the one of this process. `more`: further words.
std::string conninfo(std::string const& more = {});
std::string conninfo_of(std::string const& user, std::string const& password);

/// Ends all of the server's processes at once, as a crash does.
void crash_server();
/// Starts it again, and waits until it answers.
void start_server();
inline void restart_server() {
    crash_server();
    start_server();
}

/// A connection of somebody else's to the server, with full rights.
class plain_client {
  public:
    plain_client();
    plain_client(plain_client const&) = delete;
    plain_client& operator=(plain_client const&) = delete;
    ~plain_client() { PQfinish(raw_); }

    void run(std::string const& sql);
    /// The first column of the first row.
    std::string ask(std::string const& sql);
    [[nodiscard]] PGconn* get() const { return raw_; }

  private:
    PGconn* raw_;
};

/// Options with a schema that no other test uses.
recoup::postgres_store_options fresh_options();

std::unique_ptr<recoup::postgres_store> open_store(recoup::postgres_store_options const& options,
                                                   std::string const& more = {});

/// Of a child: what its parent reads with `next()`.
inline void report(int to, std::uint64_t number) {
    static_cast<void>(::write(to, &number, sizeof number));
}
/// Waits until a child has stopped itself: a signal of the parent's besides could stop it once more, when
/// it is thawed.
inline void await_stop(child const& one) {
    int status = 0;
    ::waitpid(one.pid(), &status, WUNTRACED);
}

template <class Result>
auto value_of(Result got) {
    if (!got.has_value()) FAIL(got.error().describe());
    return std::move(got).assume_value();
}
template <class Result>
recoup::failure error_of(Result const& got) {
    if (got.has_value()) FAIL("it succeeded");
    return got.error();
}
inline void done(recoup::result<void> const& got) {
    if (!got.has_value()) FAIL(got.error().describe());
}
/// Of a `store_errc`; 0: it succeeded.
std::uint64_t code_of(auto const& got) {
    return got.has_value() ? 0 : static_cast<std::uint64_t>(got.error().code().value());
}
constexpr auto number_of(recoup::store_errc code) { return static_cast<std::uint64_t>(code); }

inline recoup::operation_record operation(std::string key) {
    recoup::operation_record what;
    what.id = {"tests", "work", std::move(key)};
    what.status = recoup::operation_status::running;
    return what;
}
inline recoup::step_record step(std::uint32_t index, std::string value = {}) {
    recoup::step_record what;
    what.index = index;
    what.name = "step";
    what.count = index;
    what.value = std::move(value);
    return what;
}
/// A write of steps under the fence of `of`.
inline recoup::operation_write writing(recoup::operation_record const& of,
                                       std::vector<recoup::step_record> const& steps) {
    return {.number = of.number, .epoch = of.epoch, .steps = steps};
}
inline recoup::claim_request claiming(std::uint64_t owner, std::size_t limit = 100) {
    static std::vector<std::string> const names{"work"};
    return {.owner = owner,
            .space = "tests",
            .names = names,
            .now = recoup::real_clock::system_now(),
            .limit = limit};
}

}  // namespace recoup_test
