// SPDX-License-Identifier: BSL-1.0
#pragma once

// What the tests of the journal share: a folder of their own, calls that fail when told to, some records.

#include <recoup/store/journal_store.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace journal_test {

/// A folder that is removed at the end.
class folder {
  public:
    folder() {
        auto pattern = (std::filesystem::temp_directory_path() / "recoup-journal-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error{"no temporary folder"};
        path_ = std::filesystem::canonical(pattern).string();
    }
    folder(folder const&) = delete;
    folder& operator=(folder const&) = delete;
    ~folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    [[nodiscard]] std::string operator/(std::string const& name) const {
        return path_ + "/" + name;
    }
    [[nodiscard]] std::string const& path() const { return path_; }

    /// All files of it, as a crash of the process leaves them.
    void copy_to(folder const& other) const {
        for (auto const& one : std::filesystem::directory_iterator{path_}) {
            if (one.path().extension() == ".lock") continue;
            std::filesystem::copy_file(one.path(), other.path_ / one.path().filename(),
                                       std::filesystem::copy_options::overwrite_existing);
        }
    }

  private:
    std::string path_;
};

/// Any file system will do for a test that does not cut the power. No thread, unless asked for.
inline recoup::journal_store_options anywhere(
    recoup::durability kept = recoup::durability::process_crash) {
    recoup::journal_store_options options{.durability = kept, .flush_every = recoup::unlimited};
    options.accepted_file_systems = {"tmpfs", "ramfs", "fuse", "9p"};
    return options;
}

inline std::string file_bytes(std::string const& path) {
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}

inline void write_file(std::string const& path, std::string const& bytes) {
    std::ofstream file{path, std::ios::binary | std::ios::trunc};
    file << bytes;
    file.close();
    std::filesystem::permissions(
        path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

inline recoup::record some_record(std::string key, std::string checkpoint = "half") {
    recoup::record what;
    what.id = {"", "download", std::move(key)};
    what.checkpoint = std::move(checkpoint);
    return what;
}

template <class Result>
bool fails_with(Result const& got, recoup::store_errc expected) {
    return !got.has_value() && got.error().code() == make_error_code(expected);
}

/// What the calls of a test do: counted from 1, and failed where `fails` gives an `errno`.
struct call_script {
    std::vector<std::string> calls{};
    std::function<int(std::size_t number, std::string const& call)> fails{};
    bool short_writes = false;

    // The flusher calls, too.
    std::mutex mutex{};

    int note(std::string const& call) {
        auto made = std::size_t{0};
        {
            std::lock_guard const lock{mutex};
            calls.push_back(call);
            made = calls.size();
        }
        return fails ? fails(made, call) : 0;
    }
};

struct scripted_calls {
    std::shared_ptr<call_script> script = std::make_shared<call_script>();
    recoup::platform::file_calls real{};

    int fail(std::string call) {
        auto const error = script->note(call);
        if (error != 0) errno = error;
        return error;
    }
    recoup::platform::unique_fd create(int in, std::string const& name, std::error_code& error) {
        if (auto const wrong = fail("create " + name)) {
            error = {wrong, std::generic_category()};
            return {};
        }
        return real.create(in, name, error);
    }
    ::ssize_t write_at(int file, void const* from, std::size_t size, std::uint64_t at) {
        if (fail("write") != 0) return -1;
        return real.write_at(file, from, script->short_writes && size > 7 ? size / 2 : size, at);
    }
    int sync(int /*file*/) { return fail("sync") != 0 ? -1 : 0; }  // no power is cut here
    int allocate(int file, std::uint64_t from, std::uint64_t to) {
        if (auto const wrong = fail("allocate")) return wrong;
        return real.allocate(file, from, to);
    }
    int rename(int in, std::string const& from, std::string const& to) {
        return fail("rename") != 0 ? -1 : real.rename(in, from, to);
    }
    int remove(int in, std::string const& name) {
        return fail("remove") != 0 ? -1 : real.remove(in, name);
    }
    int sync_folder(int /*in*/) { return fail("sync_folder") != 0 ? -1 : 0; }
};

/// For tests that open a great many journals and cut no power.
struct quick_calls : recoup::platform::file_calls {
    int sync(int /*file*/) noexcept { return 0; }
    int sync_folder(int /*in*/) noexcept { return 0; }
};
using quick_store = recoup::basic_journal_store<quick_calls>;

using scripted_store = recoup::basic_journal_store<scripted_calls>;

/// Makes stores for the conformance suite.
struct journals {
    recoup::journal_store_options options;
    std::shared_ptr<folder> in = std::make_shared<folder>();
    int count = 0;

    std::unique_ptr<recoup::journal_store> reopen() {
        return std::make_unique<recoup::journal_store>(
            *in / ("store" + std::to_string(count) + ".journal"), options);
    }
    std::unique_ptr<recoup::journal_store> fresh() {
        ++count;
        return reopen();
    }
};

}  // namespace journal_test
