// SPDX-License-Identifier: BSL-1.0
#pragma once

// A PostgreSQL server of the tests' own, and what they share.

#include "support/catch.hpp"

#include <recoup/store/postgres_store.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <libpq-fe.h>
#include <sys/types.h>

namespace recoup_test {

/// A server on a socket and on loopback, fsync on, in a folder that is removed at the end. It ends with
/// this process, whatever that dies of.
class postgres_server {
  public:
    /// The one of this process, started at the first use. Where the machine has no server program, this says
    /// so and ends the process: the tests are skipped, and ctest shows it.
    static postgres_server& get();

    /// A server apart, with settings (`fsync=off`, …).
    explicit postgres_server(std::vector<std::string> settings);
    postgres_server(postgres_server const&) = delete;
    postgres_server& operator=(postgres_server const&) = delete;
    ~postgres_server();

    /// How a store reaches it, by its socket. `more`: further words.
    [[nodiscard]] std::string conninfo(std::string const& more = {}) const;
    /// The same through loopback, with a password.
    [[nodiscard]] std::string conninfo_of(std::string const& user,
                                          std::string const& password) const;

    [[nodiscard]] int port() const noexcept { return port_; }

    /// Ends all its processes at once, as a crash does, and waits until they are gone.
    void crash();
    /// Starts it again, and waits until it answers.
    void start();
    void restart() {
        crash();
        start();
    }

  private:
    void make_cluster();
    pid_t launch(std::vector<std::string> const& command, std::string const& log) const;
    std::string folder_;
    std::string programs_;
    std::vector<std::string> settings_;
    int port_ = 0;
    pid_t server_ = -1;
};

/// A connection of somebody else's to the server, with full rights.
class plain_client {
  public:
    explicit plain_client(postgres_server& server = postgres_server::get());
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
