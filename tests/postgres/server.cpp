// SPDX-License-Identifier: BSL-1.0
#include "postgres/server.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <thread>

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace recoup_test {

namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

/// The server does not run as root: then it is the user `postgres`, else whoever we are.
struct account {
    uid_t user;
    gid_t group;
};
account server_account() {
    if (::geteuid() != 0) return {::geteuid(), ::getegid()};
    auto const* const found = ::getpwnam("postgres");
    if (found == nullptr) return {0, 0};
    return {found->pw_uid, found->pw_gid};
}

/// The folder of the newest server's programs; empty where there is none.
std::string find_programs() {
    if (auto const* const given = std::getenv("RECOUP_POSTGRES_BIN")) return given;
    std::string best;
    int newest = 0;
    std::error_code none;
    for (auto const& one : fs::directory_iterator{"/usr/lib/postgresql", none}) {
        auto const version = std::atoi(one.path().filename().c_str());
        if (version <= newest || !fs::exists(one.path() / "bin/initdb", none)) continue;
        newest = version;
        best = (one.path() / "bin").string();
    }
    return best;
}

int free_port() {
    auto const one = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ::sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::socklen_t size = sizeof address;
    auto const got = ::bind(one, reinterpret_cast<::sockaddr*>(&address), size) == 0 &&
                     ::getsockname(one, reinterpret_cast<::sockaddr*>(&address), &size) == 0;
    ::close(one);
    if (!got) throw std::runtime_error{"no free port"};
    return ntohs(address.sin_port);
}

std::string text_of(std::string const& path) {
    std::ifstream in{path};
    return {std::istreambuf_iterator<char>{in}, {}};
}

[[noreturn]] void skip(std::string const& why) {
    std::cout << "SKIPPED: the tests of postgres_store did not run: " << why << std::endl;
    std::_Exit(0);
}

/// Waits until `holds`, for a minute.
template <class Condition>
bool eventually(Condition const& holds) {
    auto const until = std::chrono::steady_clock::now() + 60s;
    while (!holds()) {
        if (std::chrono::steady_clock::now() > until) return false;
        std::this_thread::sleep_for(5ms);
    }
    return true;
}

}  // namespace

postgres_server& postgres_server::get() {
    static postgres_server server{{}};
    return server;
}

postgres_server::postgres_server(std::vector<std::string> settings)
    : programs_{find_programs()}, settings_{std::move(settings)} {
    if (programs_.empty())
        skip(
            "there is no server below /usr/lib/postgresql (Debian and Ubuntu: postgresql), and "
            "RECOUP_POSTGRES_BIN names none");
    auto const as = server_account();
    if (as.user == 0) skip("this is root, and there is no user postgres for the server to run as");
    auto pattern = (fs::temp_directory_path() / "recoup-pg-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error{"no temporary folder"};
    folder_ = pattern;
    if (::chown(folder_.c_str(), as.user, as.group) != 0) throw std::runtime_error{"no chown"};
    port_ = free_port();
    make_cluster();
    start();
}

postgres_server::~postgres_server() {
    crash();
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
}

pid_t postgres_server::launch(std::vector<std::string> const& command,
                              std::string const& log) const {
    auto const as = server_account();
    std::vector<char*> words;
    for (auto const& word : command) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    auto const parent = ::getpid();
    auto const child = ::fork();
    if (child != 0) return child;
    auto const out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(out, STDERR_FILENO);
    ::setpgid(0, 0);  // a Ctrl-C on the terminal is for the tests
    if (::geteuid() == 0 &&
        (::setgroups(0, nullptr) != 0 || ::setgid(as.group) != 0 || ::setuid(as.user) != 0))
        ::_exit(98);
    ::prctl(PR_SET_PDEATHSIG, SIGQUIT);  // behind setuid, which clears it
    if (::getppid() != parent) ::_exit(97);
    if (::chdir("/") != 0) ::_exit(96);
    ::execv(words[0], words.data());
    ::_exit(99);
}

void postgres_server::make_cluster() {
    auto const password = folder_ + "/password";
    std::ofstream{password} << "of-the-superuser\n";
    fs::permissions(password,
                    fs::perms::owner_read | fs::perms::group_read | fs::perms::others_read);
    auto const log = folder_ + "/initdb.log";
    auto const child = launch({programs_ + "/initdb", "-D", folder_ + "/data", "-U", "postgres",
                               "-E", "UTF8", "--locale=C", "--no-sync", "--auth-local=trust",
                               "--auth-host=scram-sha-256", "--pwfile=" + password},
                              log);
    int status = 0;
    ::waitpid(child, &status, 0);
    if (status != 0) throw std::runtime_error{"initdb failed: " + text_of(log)};
}

void postgres_server::start() {
    std::vector<std::string> command{programs_ + "/postgres",
                                     "-D",
                                     folder_ + "/data",
                                     "-k",
                                     folder_,
                                     "-p",
                                     std::to_string(port_),
                                     "-c",
                                     "listen_addresses=127.0.0.1",
                                     "-c",
                                     "max_connections=200",
                                     "-c",
                                     "shared_buffers=64MB"};
    for (auto const& setting : settings_) {
        command.emplace_back("-c");
        command.push_back(setting);
    }
    server_ = launch(command, folder_ + "/server.log");
    auto const answers = [&] {
        int status = 0;
        if (::waitpid(server_, &status, WNOHANG) == server_) {
            server_ = -1;
            throw std::runtime_error{"the server ended: " + text_of(folder_ + "/server.log")};
        }
        return PQping(conninfo().c_str()) == PQPING_OK;
    };
    if (!eventually(answers))
        throw std::runtime_error{"the server does not answer: " + text_of(folder_ + "/server.log")};
}

void postgres_server::crash() {
    if (server_ <= 0) return;
    ::kill(server_, SIGQUIT);
    ::waitpid(server_, nullptr, 0);
    server_ = -1;
}

std::string postgres_server::conninfo(std::string const& more) const {
    return "host=" + folder_ + " port=" + std::to_string(port_) +
           " user=postgres dbname=postgres " + more;
}

std::string postgres_server::conninfo_of(std::string const& user,
                                         std::string const& password) const {
    return "host=127.0.0.1 port=" + std::to_string(port_) + " dbname=postgres user=" + user +
           " password=" + password;
}

plain_client::plain_client(postgres_server& server) : raw_{PQconnectdb(server.conninfo().c_str())} {
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
    auto opened = recoup::postgres_store::open(postgres_server::get().conninfo(more), options);
    if (!opened.has_value()) throw std::runtime_error{opened.error().describe()};
    return std::move(opened).assume_value();
}

}  // namespace recoup_test
