// SPDX-License-Identifier: BSL-1.0
#include "inspect/store.hpp"

#include "inspect/exit_code.hpp"
#include "inspect/store_over.hpp"
#include "inspect/text.hpp"

#include <recoup/platform/file.hpp>
#include <recoup/store/sqlite_store.hpp>

#if __has_include(<recoup/store/journal_store.hpp>)
#include <recoup/store/journal_store.hpp>
#define RECOUP_INSPECT_JOURNAL 1
#endif
#if defined(RECOUP_INSPECT_POSTGRES)
#include <recoup/store/postgres_store.hpp>
#endif

#include <array>
#include <cerrno>
#include <string_view>

#include <fcntl.h>
#include <sys/file.h>

namespace inspect {

namespace {

enum class file_kind { sqlite, journal, empty, foreign };

bool is_uri(std::string const& where) {
    return where.starts_with("postgresql://") || where.starts_with("postgres://");
}

/// What the first bytes of a file say. It is closed again before any store opens it: SQLite's locks would
/// go with a descriptor that is closed later.
file_kind kind_of(std::string const& path) {
    recoup::platform::unique_fd const file{
        ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)};
    if (!file)
        throw problem(errno == ENOENT ? exit_code::not_found : exit_code::store,
                      shown(path) + ": " + recoup::platform::last_error().message());
    if (!recoup::platform::facts_of(file.get()).regular)
        throw problem(exit_code::store, shown(path) + " is not a regular file");
    auto const front = recoup::platform::read_front(file.get(), 72);
    using namespace std::string_view_literals;
    if (front.empty()) return file_kind::empty;
    if (front.starts_with("RECOUPJ\n"sv)) return file_kind::journal;
    // The application id in the header, big-endian at 68: "rcup". A file of another program is told so
    // by the store, in its own words.
    return front.starts_with("SQLite format 3\0"sv) ? file_kind::sqlite : file_kind::foreign;
}

problem no_store(std::string const& where, std::string const& why) {
    return {exit_code::store, shown(where) + " " + why +
                                  "; expected a SQLite store, a journal, or a postgresql:// URI"};
}

template <class Store, class Options>
std::unique_ptr<store> opened(char const* kind, std::string const& where, Options options) {
    auto made = Store::open(where, std::move(options));
    if (!made.has_value()) {
        if (made.error().code() == recoup::store_errc::locked) return nullptr;
        throw problem_of(made.error());
    }
    auto over = std::move(made).assume_value();
    auto location = shown(where);
    if constexpr (requires { over->path(); }) location = over->path();
    auto const shared = std::string_view{kind} == "postgres";
    return std::make_unique<store_over<Store>>(kind, std::move(location), shared, std::move(over));
}

std::unique_ptr<store> open_store(std::string const& where, bool read_only,
                                  open_options const& how) {
    if (is_uri(where)) {
#if defined(RECOUP_INSPECT_POSTGRES)
        return opened<recoup::postgres_store>("postgres", where, recoup::postgres_store_options{});
#else
        throw problem(exit_code::store, "this program was built without PostgreSQL");
#endif
    }
    switch (kind_of(where)) {
        case file_kind::sqlite: {
            recoup::sqlite_store_options options;
            options.read_only = read_only;
            options.lock_wait = {};
            options.accepted_file_systems = how.accepted_file_systems;
            return opened<recoup::sqlite_store>("sqlite", where, std::move(options));
        }
        case file_kind::journal: {
#if defined(RECOUP_INSPECT_JOURNAL)
            recoup::journal_store_options options;
            options.read_only = read_only;
            options.lock_wait = {};
            options.accepted_file_systems = how.accepted_file_systems;
            return opened<recoup::journal_store>("journal", where, std::move(options));
#else
            throw problem(exit_code::store, "this program was built without the journal");
#endif
        }
        case file_kind::empty: throw no_store(where, "is empty");
        case file_kind::foreign: break;
    }
    throw no_store(where, "is of another kind");
}

/// Whether somebody has the exclusive lock of an open file; asks without taking it.
bool is_locked(int file) noexcept {
#if defined(F_OFD_GETLK)
    struct ::flock whole{};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    return ::fcntl(file, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
#else
    // Shared and given back at once: an owner that tries just then waits for it as it does for another.
    if (::flock(file, LOCK_SH | LOCK_NB) != 0) return true;
    ::flock(file, LOCK_UN);
    return false;
#endif
}

}  // namespace

std::string shown(std::string const& where) { return printable(where); }

std::unique_ptr<store> open_to_look(std::string const& where) {
    auto made = open_store(where, true, {});
    if (!made) throw problem(exit_code::in_use, shown(where) + " is in use by another process");
    return made;
}

std::unique_ptr<store> open_to_own(std::string const& where, open_options const& options) {
    return open_store(where, false, options);
}

std::optional<owner_info> owner_of(std::string const& location) {
    recoup::platform::unique_fd const lock{::open(
        (location + ".lock").c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)};
    if (!lock || !is_locked(lock.get())) return std::nullopt;
    // Written by the owner for people: a title, then process, moment and program, a line each.
    auto const text = recoup::platform::read_front(lock.get(), 300);
    std::string_view rest = text;
    std::array<std::string, 4> lines;
    for (auto& line : lines) {
        auto const end = std::min(rest.find('\n'), rest.size());
        line = printable(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    if (lines[0] != "recoup owner") return owner_info{};
    return owner_info{lines[1], lines[3], lines[2]};
}

}  // namespace inspect
