// SPDX-License-Identifier: BSL-1.0
#pragma once

// What the tests of the SQLite store share: a plain connection, some records.

#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

#include <recoup/store/sqlite_store.hpp>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>

#include <sqlite3.h>
#include <sys/stat.h>

namespace recoup_test {

/// Any file system will do for a test that does not cut the power.
inline recoup::sqlite_store_options anywhere(
    recoup::durability kept = recoup::durability::power_loss) {
    recoup::sqlite_store_options options{.durability = kept};
    options.accepted_file_systems = {"tmpfs", "ramfs", "fuse", "9p"};
    return options;
}

/// A connection of another program to the same file.
class plain_connection {
  public:
    explicit plain_connection(std::string const& path) {
        if (sqlite3_open(path.c_str(), &db_) != SQLITE_OK)
            throw std::runtime_error{sqlite3_errmsg(db_)};
    }
    plain_connection(plain_connection const&) = delete;
    plain_connection& operator=(plain_connection const&) = delete;
    ~plain_connection() { sqlite3_close(db_); }

    void run(std::string const& sql) {
        if (sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
            throw std::runtime_error{sql + ": " + sqlite3_errmsg(db_)};
    }
    /// The first column of the first row.
    std::string ask(std::string const& sql) {
        std::string answer;
        auto const take = [](void* to, int, char** values, char**) {
            *static_cast<std::string*>(to) = values[0] != nullptr ? values[0] : "NULL";
            return 1;
        };
        sqlite3_exec(db_, sql.c_str(), take, &answer, nullptr);
        return answer;
    }
    [[nodiscard]] sqlite3* get() const { return db_; }

  private:
    sqlite3* db_ = nullptr;
};

inline recoup::record some_record(std::string key) {
    recoup::record what;
    what.id = {"", "download", std::move(key)};
    what.checkpoint = "half of " + what.id.key;
    return what;
}

/// Saves a record of that key as new; its revision.
inline std::uint64_t put(recoup::sqlite_store& store, std::string const& key) {
    auto const saved = store.save(some_record(key));
    if (!saved.has_value()) throw std::runtime_error{saved.error().describe()};
    return saved.value();
}

template <class Result>
recoup::failure error_of(Result const& got) {
    if (got.has_value()) return recoup::failure{};
    return got.error();
}

/// The failure to open, or an empty one.
inline recoup::failure opening_error(std::string const& path,
                                     recoup::sqlite_store_options const& options = anywhere()) {
    return error_of(recoup::sqlite_store::open(path, options));
}

inline bool opens(std::string const& path,
                  recoup::sqlite_store_options const& options = anywhere()) {
    return recoup::sqlite_store::open(path, options).has_value();
}

inline std::string file_bytes(std::string const& path) {
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}

inline void write_file(std::string const& path, std::string const& bytes) {
    std::ofstream file{path, std::ios::binary | std::ios::trunc};
    file << bytes;
}

inline unsigned mode_of(std::string const& path) {
    struct ::stat seen{};
    return ::lstat(path.c_str(), &seen) == 0 ? seen.st_mode & 07777U : 0U;
}

/// Makes stores for the conformance suite.
struct sqlite_stores {
    recoup::sqlite_store_options options;
    std::shared_ptr<temporary_folder> folder = std::make_shared<temporary_folder>();
    int count = 0;

    std::unique_ptr<recoup::sqlite_store> reopen() {
        return std::make_unique<recoup::sqlite_store>(*folder / ("store" + std::to_string(count)),
                                                      options);
    }
    std::unique_ptr<recoup::sqlite_store> fresh() {
        ++count;
        return reopen();
    }
};

inline bool is(recoup::failure const& found, recoup::store_errc expected) {
    return found.code() == make_error_code(expected);
}

}  // namespace recoup_test
