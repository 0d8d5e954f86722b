// SPDX-License-Identifier: BSL-1.0
#include "support/postgres_server.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace support {

namespace {

namespace fs = std::filesystem;

constexpr auto start_at_most = std::chrono::seconds{60};
constexpr auto stop_at_most = std::chrono::seconds{30};
constexpr auto look_every = std::chrono::milliseconds{5};

/// Where `initdb` and `postgres` are: Debian keeps them out of PATH, a folder for each version.
std::string find_binaries() {
    std::vector<std::pair<int, std::string>> found;
    std::error_code ignored;
    for (auto const& each : fs::directory_iterator{"/usr/lib/postgresql", ignored})
        found.emplace_back(std::atoi(each.path().filename().c_str()), each.path() / "bin");
    std::sort(found.rbegin(), found.rend());
    for (auto const* folder : {"/usr/local/bin", "/usr/bin"}) found.emplace_back(0, folder);
    for (auto const& [version, folder] : found)
        if (fs::exists(folder + "/initdb", ignored) && fs::exists(folder + "/postgres", ignored))
            return folder;
    return {};
}

passwd const* server_user() { return geteuid() == 0 ? getpwnam("postgres") : getpwuid(geteuid()); }

/// Starts a program that ends with this process; what it says goes to `log`.
pid_t launch(std::vector<std::string> const& words, std::string const& log) {
    std::vector<char*> arguments;
    for (auto const& each : words) arguments.push_back(const_cast<char*>(each.c_str()));
    arguments.push_back(nullptr);
    auto const* const user = server_user();
    auto const parent = getpid();
    auto const child = fork();
    if (child != 0) return child;
    // From here on only what is safe in the child of a program with threads; initgroups reads files, so
    // the one group has to do.
    if (geteuid() == 0 &&
        (setgroups(0, nullptr) != 0 || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0))
        _exit(126);
    prctl(PR_SET_PDEATHSIG, SIGQUIT);  // behind setuid, which takes it back
    if (getppid() != parent) _exit(126);
    auto const out = open(log.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (out < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(out, STDERR_FILENO) < 0) _exit(126);
    execv(arguments[0], arguments.data());
    _exit(127);
}

bool ended(pid_t child, int options, int& status) {
    auto got = waitpid(child, &status, options);
    while (got < 0 && errno == EINTR) got = waitpid(child, &status, options);
    return got == child;
}

std::string random_password() {
    std::uint8_t bytes[16]{};
    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) return {};
    std::string text;
    for (auto const each : bytes) {
        text += "0123456789abcdef"[each >> 4U];
        text += "0123456789abcdef"[each & 15U];
    }
    return text;
}

/// A port that is free now; 0 where there is none.
int free_port() {
    auto const socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket < 0) return 0;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const plain = reinterpret_cast<sockaddr*>(&address);
    auto const bound = bind(socket, plain, size) == 0 && getsockname(socket, plain, &size) == 0;
    close(socket);
    return bound ? ntohs(address.sin_port) : 0;
}

std::string content_of(std::string const& path) {
    std::ifstream file{path};
    return {std::istreambuf_iterator<char>{file}, {}};
}

/// The eighth line of its file says so, for pg_ctl.
bool is_ready(std::string const& folder) {
    std::ifstream file{folder + "/data/postmaster.pid"};
    std::string line;
    for (auto i = 0; i != 8; ++i)
        if (!std::getline(file, line)) return false;
    return line.rfind("ready", 0) == 0;
}

}  // namespace

std::unique_ptr<postgres_server> postgres_server::start(std::string& why_not) {
    std::unique_ptr<postgres_server> made{new postgres_server};
    made->binaries_ = find_binaries();
    if (made->binaries_.empty()) {
        why_not = "no PostgreSQL server is installed (Debian: postgresql)";
        return nullptr;
    }
    auto const* const user = server_user();
    if (user == nullptr) {
        why_not = "PostgreSQL does not run as root, and there is no user postgres";
        return nullptr;
    }
    // Not below /tmp, which may be memory: what is synced there costs nothing.
    std::string pattern = "/var/tmp/recoup-postgres-XXXXXX";
    made->password_ = random_password();
    if (mkdtemp(pattern.data()) == nullptr || made->password_.empty()) {
        why_not = "no folder can be made in /var/tmp";
        return nullptr;
    }
    made->folder_ = pattern;
    auto const secret = pattern + "/password";
    {
        auto const file = open(secret.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        auto const& word = made->password_;
        auto const written =
            file >= 0 && write(file, word.data(), word.size()) == static_cast<ssize_t>(word.size());
        if (file >= 0) close(file);
        auto const given =
            geteuid() != 0 || (chown(pattern.c_str(), user->pw_uid, user->pw_gid) == 0 &&
                               chown(secret.c_str(), user->pw_uid, user->pw_gid) == 0);
        if (!written || !given) {
            why_not = "the folder " + pattern + " cannot be prepared";
            return nullptr;
        }
    }
    int status = 0;
    auto const initdb =
        launch({made->binaries_ + "/initdb", "-D", pattern + "/data", "-U", "recoup", "-A",
                "scram-sha-256", "--pwfile", secret, "--no-sync", "--locale=C", "--encoding=UTF8"},
               pattern + "/log");
    if (initdb < 0 || !ended(initdb, 0, status) || status != 0) {
        why_not = "initdb failed: " + made->log();
        return nullptr;
    }
    // The port may be taken between finding and using it.
    constexpr auto ports_tried_max = 5;
    for (auto i = 0; i != ports_tried_max; ++i) {
        made->port_ = free_port();
        if (made->port_ != 0 && made->start_again()) return made;
    }
    why_not = "the server did not start: " + made->log();
    return nullptr;
}

bool postgres_server::start_again() {
    auto const setting = [](std::string const& name, std::string const& value) {
        return "--" + name + "=" + value;
    };
    std::error_code ignored;
    fs::remove(folder_ + "/data/postmaster.pid", ignored);
    child_ =
        launch({binaries_ + "/postgres", "-D", folder_ + "/data",
                setting("listen_addresses", "127.0.0.1"), setting("port", std::to_string(port_)),
                setting("unix_socket_directories", ""), setting("fsync", "on"),
                setting("synchronous_commit", "on"), setting("max_connections", "100")},
               folder_ + "/log");
    if (child_ < 0) return false;
    auto const until = std::chrono::steady_clock::now() + start_at_most;
    int status = 0;
    while (std::chrono::steady_clock::now() < until) {
        if (is_ready(folder_)) return true;
        if (ended(child_, WNOHANG, status)) break;
        std::this_thread::sleep_for(look_every);
    }
    stop(true);
    return false;
}

void postgres_server::stop(bool abruptly) {
    if (child_ <= 0) return;
    kill(child_, abruptly ? SIGQUIT : SIGINT);
    auto const until = std::chrono::steady_clock::now() + stop_at_most;
    int status = 0;
    while (!ended(child_, WNOHANG, status)) {
        if (std::chrono::steady_clock::now() > until) {
            kill(child_, SIGKILL);
            static_cast<void>(ended(child_, 0, status));
            break;
        }
        std::this_thread::sleep_for(look_every);
    }
    child_ = -1;
}

postgres_server::~postgres_server() {
    stop();
    std::error_code ignored;
    if (!folder_.empty()) fs::remove_all(folder_, ignored);
}

std::string postgres_server::connection_string() const {
    return "host=127.0.0.1 port=" + std::to_string(port_) +
           " user=recoup dbname=postgres connect_timeout=10 password=" + password_;
}

std::string postgres_server::log() const {
    constexpr std::size_t most = 2'000;
    auto whole = content_of(folder_ + "/log");
    if (whole.size() > most) whole.erase(0, whole.size() - most);
    return whole;
}

}  // namespace support
