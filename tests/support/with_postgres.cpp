// SPDX-License-Identifier: BSL-1.0
// with_postgres COMMAND ARGUMENT…
//
// Starts a PostgreSQL server of its own, tells libpq of it in the environment, runs the command, and ends
// with its exit status. Where no server can be had it says SKIPPED, and ends with 0.
#include "support/postgres_server.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int count, char** arguments) {
    if (count < 2) {
        std::fputs("usage: with_postgres COMMAND ARGUMENT...\n", stderr);
        return 2;
    }
    std::string why_not;
    auto const server = support::postgres_server::start(why_not);
    if (server == nullptr) {
        std::printf("SKIPPED: %s did not run: %s\n", arguments[1], why_not.c_str());
        return 0;
    }
    auto const parent = ::getpid();
    auto const child = ::fork();
    if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent) ::_exit(126);
        ::setenv("PGHOST", "127.0.0.1", 1);
        ::setenv("PGPORT", std::to_string(server->port()).c_str(), 1);
        ::setenv("PGUSER", support::postgres_server::user_name().c_str(), 1);
        ::setenv("PGPASSWORD", server->password().c_str(), 1);
        ::setenv("PGDATABASE", "postgres", 1);
        // For tests that would rather not be let loose on a server that is somebody's.
        ::setenv("RECOUP_PRIVATE_POSTGRES", "1", 1);
        ::execvp(arguments[1], arguments + 1);
        std::perror(arguments[1]);
        ::_exit(127);
    }
    int status = 0;
    while (child > 0 && ::waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    if (child > 0 && WIFEXITED(status)) return WEXITSTATUS(status);
    std::fprintf(stderr, "with_postgres: %s did not end in order\n", arguments[1]);
    return 1;
}
