// SPDX-License-Identifier: BSL-1.0
#pragma once

// A layer between SQLite and the real files: fails a call of one's choice, counts calls, and keeps
// what a power cut would leave. While one lives it is the default file system of SQLite.

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <map>
#include <new>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <sqlite3.h>

namespace recoup_test {

class faulty_vfs {
  public:
    enum class call { write, sync, truncate, read };

    faulty_vfs() : real_{sqlite3_vfs_find(nullptr)}, shim_{*real_} {
        shim_.zName = "recoup-faulty";
        shim_.szOsFile = static_cast<int>(sizeof(shim_file)) + real_->szOsFile;
        shim_.pAppData = this;
        shim_.pNext = nullptr;
        shim_.xOpen = &faulty_vfs::open;
        shim_.xDelete = &faulty_vfs::remove;
        shim_.xGetLastError = [](sqlite3_vfs* vfs, int, char*) { return self(vfs).last_errno_; };
        sqlite3_vfs_register(&shim_, 1);
    }
    faulty_vfs(faulty_vfs const&) = delete;
    faulty_vfs& operator=(faulty_vfs const&) = delete;
    ~faulty_vfs() {
        sqlite3_vfs_unregister(&shim_);
        sqlite3_vfs_register(real_, 1);
    }

    /// Fails the `number`-th call of that kind from now (1: the next), on files whose name ends so; once,
    /// or it and all that follow.
    void fail(call what, unsigned number, int code, int error, bool for_good = false,
              std::string_view suffix = "") {
        failing_ = {what, number, code, error, for_good, std::string{suffix}};
        failed_ = false;
    }
    void heal() { failing_.number = 0; }
    [[nodiscard]] bool failed() const { return failed_; }

    /// How many syncs of files whose name ends so there were.
    [[nodiscard]] unsigned syncs(std::string_view suffix) const {
        unsigned count = 0;
        for (auto const& [path, number] : syncs_)
            if (path.ends_with(suffix)) count += number;
        return count;
    }

    /// A planted mistake: a sync that says it was done, and was not.
    void lie_about_syncs() { lying_ = true; }

    /// Writes what may be left of each file after a power cut: all that was synced, and of the rest any
    /// sectors.
    void cut_power(std::string const& to_folder, std::uint64_t seed) const {
        std::mt19937_64 random{seed};
        for (auto const& [path, kept] : images_) {
            auto bytes = kept.synced;
            for (auto const& one : kept.pending) {
                if (one.truncation) {
                    if (random() % 2 == 0) bytes.resize(std::min(bytes.size(), one.offset));
                    continue;
                }
                for (std::size_t at = 0; at < one.bytes.size(); at += sector) {
                    if (random() % 2 == 0) continue;
                    place(bytes, one.offset + at, std::string_view{one.bytes}.substr(at, sector));
                }
            }
            auto const name = path.substr(path.rfind('/'));
            std::ofstream file{to_folder + name, std::ios::binary | std::ios::trunc};
            file << bytes;
        }
    }

  private:
    static constexpr std::size_t sector = 512;
    struct change {
        std::size_t offset;
        std::string bytes;
        bool truncation;
    };
    struct image {
        std::string synced;
        std::vector<change> pending;
    };
    struct plan {
        call what = call::write;
        unsigned number = 0;
        int code = SQLITE_OK;
        int error = 0;
        bool for_good = false;
        std::string suffix;
    };
    struct shim_file {
        sqlite3_file base;
        faulty_vfs* vfs;
        std::string* path;
        sqlite3_io_methods methods;
        sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
    };

    static faulty_vfs& self(sqlite3_vfs* vfs) { return *static_cast<faulty_vfs*>(vfs->pAppData); }
    static shim_file& of(sqlite3_file* file) { return *reinterpret_cast<shim_file*>(file); }

    static void place(std::string& bytes, std::size_t offset, std::string_view what) {
        if (bytes.size() < offset + what.size()) bytes.resize(offset + what.size());
        std::copy(what.begin(), what.end(), bytes.begin() + static_cast<std::ptrdiff_t>(offset));
    }

    /// The code to fail with, or SQLITE_OK.
    int verdict(call what, std::string const& path) {
        if (failing_.number == 0 || failing_.what != what || !path.ends_with(failing_.suffix))
            return SQLITE_OK;
        if (failing_.number > 1) {
            --failing_.number;
            return SQLITE_OK;
        }
        if (!failing_.for_good) failing_.number = 0;
        failed_ = true;
        last_errno_ = failing_.error;
        errno = failing_.error;
        return failing_.code;
    }

    static int open(sqlite3_vfs* vfs, char const* name, sqlite3_file* file, int flags, int* out) {
        auto& mine = self(vfs);
        auto& shim = of(file);
        std::memset(file, 0, static_cast<std::size_t>(vfs->szOsFile));
        auto const code = mine.real_->xOpen(mine.real_, name, shim.real(), flags, out);
        if (shim.real()->pMethods == nullptr) return code;
        shim.vfs = &mine;
        shim.path = new std::string{name != nullptr ? name : "temporary"};
        shim.methods = *shim.real()->pMethods;
        set_methods(shim.methods);
        shim.base.pMethods = &shim.methods;
        if (code == SQLITE_OK && !mine.images_.contains(*shim.path)) {
            std::ifstream there{*shim.path, std::ios::binary};
            mine.images_[*shim.path].synced = {std::istreambuf_iterator<char>{there}, {}};
        }
        return code;
    }

    static int remove(sqlite3_vfs* vfs, char const* name, int sync) {
        auto& mine = self(vfs);
        mine.images_.erase(name);
        return mine.real_->xDelete(mine.real_, name, sync);
    }

    static void set_methods(sqlite3_io_methods& to) {
        to.xClose = [](sqlite3_file* file) {
            auto& shim = of(file);
            auto const code = shim.real()->pMethods->xClose(shim.real());
            delete shim.path;
            return code;
        };
        to.xRead = [](sqlite3_file* file, void* into, int size, sqlite3_int64 offset) {
            auto& shim = of(file);
            if (auto const code = shim.vfs->verdict(call::read, *shim.path)) return code;
            return shim.real()->pMethods->xRead(shim.real(), into, size, offset);
        };
        to.xWrite = [](sqlite3_file* file, void const* from, int size, sqlite3_int64 offset) {
            auto& shim = of(file);
            if (auto const code = shim.vfs->verdict(call::write, *shim.path)) return code;
            shim.vfs->images_[*shim.path].pending.push_back(
                {static_cast<std::size_t>(offset),
                 std::string{static_cast<char const*>(from), static_cast<std::size_t>(size)},
                 false});
            return shim.real()->pMethods->xWrite(shim.real(), from, size, offset);
        };
        to.xTruncate = [](sqlite3_file* file, sqlite3_int64 size) {
            auto& shim = of(file);
            if (auto const code = shim.vfs->verdict(call::truncate, *shim.path)) return code;
            shim.vfs->images_[*shim.path].pending.push_back(
                {static_cast<std::size_t>(size), "", true});
            return shim.real()->pMethods->xTruncate(shim.real(), size);
        };
        to.xSync = [](sqlite3_file* file, int) {
            auto& shim = of(file);
            ++shim.vfs->syncs_[*shim.path];
            if (auto const code = shim.vfs->verdict(call::sync, *shim.path)) return code;
            if (shim.vfs->lying_) return SQLITE_OK;
            auto& kept = shim.vfs->images_[*shim.path];
            for (auto const& one : kept.pending) {
                if (one.truncation)
                    kept.synced.resize(std::min(kept.synced.size(), one.offset));
                else
                    place(kept.synced, one.offset, one.bytes);
            }
            kept.pending.clear();
            return SQLITE_OK;  // the real disk need not be waited for
        };
        to.xFileSize = [](sqlite3_file* file, sqlite3_int64* size) {
            return of(file).real()->pMethods->xFileSize(of(file).real(), size);
        };
        to.xLock = [](sqlite3_file* file, int level) {
            return of(file).real()->pMethods->xLock(of(file).real(), level);
        };
        to.xUnlock = [](sqlite3_file* file, int level) {
            return of(file).real()->pMethods->xUnlock(of(file).real(), level);
        };
        to.xCheckReservedLock = [](sqlite3_file* file, int* out) {
            return of(file).real()->pMethods->xCheckReservedLock(of(file).real(), out);
        };
        to.xFileControl = [](sqlite3_file* file, int what, void* argument) {
            if (what == SQLITE_FCNTL_LAST_ERRNO && of(file).vfs->last_errno_ != 0) {
                *static_cast<int*>(argument) = of(file).vfs->last_errno_;
                return SQLITE_OK;
            }
            return of(file).real()->pMethods->xFileControl(of(file).real(), what, argument);
        };
        to.xSectorSize = [](sqlite3_file* file) {
            return of(file).real()->pMethods->xSectorSize(of(file).real());
        };
        to.xDeviceCharacteristics = [](sqlite3_file* file) {
            return of(file).real()->pMethods->xDeviceCharacteristics(of(file).real());
        };
        to.xShmMap = [](sqlite3_file* file, int page, int size, int extend, void volatile** out) {
            return of(file).real()->pMethods->xShmMap(of(file).real(), page, size, extend, out);
        };
        to.xShmLock = [](sqlite3_file* file, int offset, int count, int flags) {
            return of(file).real()->pMethods->xShmLock(of(file).real(), offset, count, flags);
        };
        to.xShmBarrier = [](sqlite3_file* file) {
            of(file).real()->pMethods->xShmBarrier(of(file).real());
        };
        to.xShmUnmap = [](sqlite3_file* file, int remove_it) {
            return of(file).real()->pMethods->xShmUnmap(of(file).real(), remove_it);
        };
        to.xFetch = [](sqlite3_file*, sqlite3_int64, int, void** out) {
            *out = nullptr;
            return SQLITE_OK;
        };
        to.xUnfetch = [](sqlite3_file*, sqlite3_int64, void*) { return SQLITE_OK; };
    }

    sqlite3_vfs* real_;
    sqlite3_vfs shim_;
    plan failing_;
    bool failed_ = false;
    bool lying_ = false;
    int last_errno_ = 0;
    std::map<std::string, image> images_;
    std::map<std::string, unsigned> syncs_;
};

}  // namespace recoup_test
