// SPDX-License-Identifier: BSL-1.0
#include "postgres/server.hpp"

#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <utility>

#include <unistd.h>

namespace recoup_test {

support::postgres_server& server() {
    static auto const one = server_with({});
    return *one;
}

std::unique_ptr<support::postgres_server> server_with(std::vector<std::string> settings) {
    std::string why_not;
    auto made = support::postgres_server::start(why_not, std::move(settings));
    if (made == nullptr) {
        std::cout << "SKIPPED: the tests of postgres_store did not run: " << why_not << std::endl;
        std::_Exit(0);
    }
    return made;
}

std::string conninfo(std::string const& more) { return server().connection_string() + ' ' + more; }

std::string conninfo_of(std::string const& user, std::string const& password) {
    return "host=127.0.0.1 port=" + std::to_string(server().port()) +
           " dbname=postgres user=" + user + " password=" + password;
}

void crash_server() { server().stop(true); }

void start_server() {
    if (!server().start_again())
        throw std::runtime_error{"the server does not start again: " + server().log()};
}

plain_client::plain_client() : raw_{PQconnectdb(conninfo().c_str())} {
    if (PQstatus(raw_) != CONNECTION_OK) throw std::runtime_error{PQerrorMessage(raw_)};
}

void plain_client::run(std::string const& sql) { ask(sql); }

std::string plain_client::ask(std::string const& sql) {
    auto* const got = PQexec(raw_, sql.c_str());
    auto const status = PQresultStatus(got);
    std::string answer;
    if (status == PGRES_TUPLES_OK && PQntuples(got) != 0) answer = PQgetvalue(got, 0, 0);
    PQclear(got);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
        throw std::runtime_error{sql + ": " + PQerrorMessage(raw_)};
    return answer;
}

recoup::postgres_store_options fresh_options() {
    static int count = 0;
    recoup::postgres_store_options options;
    options.schema = "recoup_" + std::to_string(::getpid()) + "_" + std::to_string(++count);
    return options;
}

std::unique_ptr<recoup::postgres_store> open_store(recoup::postgres_store_options const& options,
                                                   std::string const& more) {
    auto opened = recoup::postgres_store::open(conninfo(more), options);
    if (!opened.has_value()) throw std::runtime_error{opened.error().describe()};
    return std::move(opened).assume_value();
}

}  // namespace recoup_test
