// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/clock.hpp>
#include <recoup/core/result.hpp>
#include <recoup/platform/file.hpp>
#include <recoup/platform/process.hpp>
#include <recoup/store/detail/fork_registry.hpp>
#include <recoup/store/detail/store_failure.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace recoup::inline v1::detail {

inline failure unsafe(std::string text) {
    return store_failure(store_errc::unsafe_location, std::move(text));
}

inline failure system_failure(std::string const& what, std::error_code error) {
    auto const denied =
        error == std::errc::permission_denied || error == std::errc::read_only_file_system;
    auto const full = error == std::errc::no_space_on_device || error == std::errc::file_too_large;
    return store_failure(denied ? store_errc::read_only
                         : full ? store_errc::full
                                : store_errc::unavailable,
                         what + ": " + error.message());
}

inline std::string octal(std::uint32_t mode) {
    std::string digits;
    for (auto shift : {9U, 6U, 3U, 0U}) digits += static_cast<char>('0' + ((mode >> shift) & 7U));
    return digits;
}

/// Where a store keeps its file, checked: nobody else can put another file in its place, read it, or
/// change it; and one process at a time owns it.
///
/// It never opens the database file once that exists: closing any descriptor of it would drop the
/// locks that another connection of this process holds on it (POSIX locks belong to the process).
class file_guard {
  public:
    file_guard() = default;
    file_guard(file_guard const&) = delete;
    file_guard& operator=(file_guard const&) = delete;
    ~file_guard() {
        unlock();
        let_go();
    }

    /// Finds the folder of `path`; makes it where it is missing and `create` says so.
    result<void> locate(std::string const& path, bool create) {
        auto const slash = path.rfind('/');
        name_ = slash == std::string::npos ? path : path.substr(slash + 1);
        auto folder = slash == std::string::npos ? std::string{"."}
                      : slash == 0               ? std::string{"/"}
                                                 : path.substr(0, slash);
        if (name_.empty() || name_ == "." || name_ == ".." || name_.size() > name_bytes_max ||
            path.find('\0') != std::string::npos)
            return unsafe("\"" + path +
                          "\" does not name a file; expected a path with a file name of 1 to " +
                          std::to_string(name_bytes_max) + " bytes");
        std::error_code error;
        auto found = platform::canonical(folder, error);
        if (error == std::errc::no_such_file_or_directory && create) {
            if (auto const made = make_folder(folder); !made.has_value()) return made.error();
            found = platform::canonical(folder, error);
        }
        if (error) return system_failure("the folder " + folder, error);
        folder_path_ = found;
        folder_ = platform::open_folder(found, error);
        if (error) return system_failure("the folder " + found, error);
        return check_folder();
    }

    /// Refuses a file system that does not keep what was synced, unless its name is `accepted`.
    result<void> check_file_system(std::vector<std::string> const& accepted) const {
        auto const kind = platform::file_system_name(folder_.get());
        if (!platform::unfit_for_power_loss(kind) ||
            std::find(accepted.begin(), accepted.end(), kind) != accepted.end())
            return success();
        return unsafe(
            folder_path_ + " is on a file system of the kind " + kind +
            ", which does not keep records through a power loss; expected a local one, or \"" +
            kind + "\" among accepted_file_systems");
    }

    /// Makes this process the file's owner, or tells who is; waits for at most `wait`.
    result<void> lock(duration wait) { return lock(wait, false); }

    /// Makes this process one of those that share the file; there is no owner meanwhile.
    result<void> share(duration wait) { return lock(wait, true); }

    /// Holds the lock of a file of its own beside the store: it shows that this process is there.
    result<void> hold(std::string const& suffix) {
        auto const lock_name = name_ + suffix;
        std::error_code error;
        held_.open([&] { return platform::open_lock_file(folder_.get(), lock_name, error); });
        if (error) return system_failure(shown(lock_name), error);
        if (auto const safe = check(platform::facts_of(held_.get()), lock_name); !safe.has_value())
            return safe.error();
        if (!platform::try_lock(held_.get(), error))
            return error ? system_failure("locking " + shown(lock_name), error)
                         : store_failure(store_errc::locked,
                                         shown(lock_name) + " is held by another process");
        held_name_ = lock_name;
        return success();
    }
    /// Whether some process holds such a lock.
    [[nodiscard]] bool is_held(std::string const& suffix) const noexcept {
        return platform::is_locked(folder_.get(), name_ + suffix);
    }

  private:
    void let_go() noexcept {
        if (!held_name_.empty() && !held_.in_another_process()) remove(held_name_);
        held_.close();
    }

    result<void> lock(duration wait, bool shared) {
        auto const lock_name = name_ + ".lock";
        std::error_code error;
        owner_.open([&] { return platform::open_lock_file(folder_.get(), lock_name, error); });
        if (error == std::errc::too_many_symbolic_link_levels)
            return unsafe(shown(lock_name) + " is a symbolic link; expected a regular file");
        if (error) return system_failure(shown(lock_name), error);
        if (auto const safe = check(platform::facts_of(owner_.get()), lock_name); !safe.has_value())
            return safe.error();
        auto const until = saturating_add(real_clock::now(), wait);
        while (!(shared ? platform::try_lock_shared(owner_.get(), error)
                        : platform::try_lock(owner_.get(), error))) {
            if (error) return system_failure("locking " + shown(lock_name), error);
            auto const left = until - real_clock::now();
            if (left <= duration::zero()) {
                auto refused =
                    store_failure(store_errc::locked, shown(name_) + " is in use by " + who_owns());
                owner_.close();  // else `unlock` would take the owner's name out of the file
                return refused;
            }
            platform::pause(std::min(left, lock_poll));
        }
        shares_ = shared;
        if (shared) return success();
        // For people only: where it cannot be written, say on a full disk, the lock holds all the same.
        static_cast<void>(platform::write_whole(
            owner_.get(), owner_title + std::to_string(platform::process_number()) + "\n" +
                              platform::utc_now() + "\n" + platform::program_name() + "\n"));
        return success();
    }

  public:
    /// Whether the file is there; where it is, that it is safe to use, with what belongs to it.
    result<bool> check_files() const {
        std::error_code error;
        auto const facts = platform::facts_at(folder_.get(), name_, error);
        if (error) return system_failure(shown(name_), error);
        if (facts.exists)
            if (auto const safe = check(facts, name_); !safe.has_value()) return safe.error();
        for (auto const* suffix : {"-wal", "-shm", "-journal"}) {
            auto const beside = name_ + suffix;
            auto const seen = platform::facts_at(folder_.get(), beside, error);
            if (error) return system_failure(shown(beside), error);
            if (!seen.exists) continue;
            if (auto const safe = check(seen, beside); !safe.has_value()) return safe.error();
            // SQLite removes a log that it finds beside an empty file, and it may be all that is left. A
            // journal there is what a crash leaves that came while the file was made.
            auto const lost =
                !facts.exists || (facts.size == 0 && std::string_view{suffix} == "-wal");
            if (lost && seen.size != 0 && std::string_view{suffix} != "-shm")
                return unsafe(shown(beside) + " is there without what belongs before it in " +
                              shown(name_) + "; put the file back, or move this one away");
        }
        return facts.exists;
    }

    /// The facts of a file that belongs to this one, of that name in the same folder; a failure where it
    /// is there and is not safe to use.
    [[nodiscard]] result<platform::file_facts> check_beside(std::string const& name) const {
        std::error_code error;
        auto const facts = platform::facts_at(folder_.get(), name, error);
        if (error) return system_failure(shown(name), error);
        if (facts.exists)
            if (auto const safe = check(facts, name); !safe.has_value()) return safe.error();
        return facts;
    }

    /// Makes the file, empty, for its owner only; it must not be there.
    result<void> create() const {
        std::error_code error;
        // Closed at once: no connection of this process can have locks on a file that was not there.
        platform::create_file(folder_.get(), name_, error).reset();
        if (!error) error = platform::sync_folder(folder_.get());
        if (error) return system_failure("making " + shown(name_), error);
        return success();
    }

    void remove(std::string const& name) const noexcept {
        ::unlinkat(folder_.get(), name.c_str(), 0);
    }

    [[nodiscard]] platform::file_facts facts() const noexcept {
        std::error_code ignored;
        return platform::facts_at(folder_.get(), name_, ignored);
    }
    [[nodiscard]] std::error_code sync_folder() const noexcept {
        return platform::sync_folder(folder_.get());
    }
    [[nodiscard]] std::string path() const { return shown(name_); }
    [[nodiscard]] std::string const& name() const noexcept { return name_; }
    [[nodiscard]] std::string path_of(std::string const& name) const { return shown(name); }
    [[nodiscard]] int folder() const noexcept { return folder_.get(); }
    [[nodiscard]] bool forked() const noexcept { return owner_.forked(); }
    [[nodiscard]] bool in_another_process() const noexcept { return owner_.in_another_process(); }

    /// Gives the lock back, and takes the name out of it.
    void unlock() noexcept {
        if (owner_.get() >= 0 && !shares_ && !owner_.in_another_process())
            static_cast<void>(platform::write_whole(owner_.get(), ""));
        owner_.close();
    }

  private:
    static constexpr std::size_t name_bytes_max = 200;  // NAME_MAX is 255, and suffixes are added
    static constexpr duration lock_poll{5'000'000};
    static constexpr auto owner_title = "recoup owner\n";

    [[nodiscard]] std::string shown(std::string const& name) const {
        return folder_path_ == "/" ? "/" + name : folder_path_ + "/" + name;
    }

    static result<void> make_folder(std::string const& folder) {
        if (auto const error = platform::make_folder(folder))
            return system_failure("making the folder " + folder, error);
        std::error_code error;
        auto const parent =
            platform::open_folder(platform::canonical(folder + "/..", error), error);
        if (!error) error = platform::sync_folder(parent.get());
        if (error) return system_failure("making the folder " + folder, error);
        return success();
    }

    /// Who may write to the folder may put another file in place of ours.
    [[nodiscard]] result<void> check_folder() const {
        auto const facts = platform::facts_of(folder_.get());
        auto const me = platform::current_user();
        if (facts.owner != me && facts.owner != 0)
            return unsafe("the folder " + folder_path_ + " belongs to user " +
                          std::to_string(facts.owner) + "; expected user " + std::to_string(me) +
                          " or the superuser");
        auto const sticky = (facts.mode & 01000U) != 0;
        auto const by_all = (facts.mode & 0002U) != 0;
        auto const by_others =
            (facts.mode & 0020U) != 0 && facts.group != platform::current_group();
        if (!sticky && (by_all || by_others))
            return unsafe("the folder " + folder_path_ + " has mode " + octal(facts.mode) +
                          " and others may write to it; expected 0755 or less: chmod go-w");
        return success();
    }

    [[nodiscard]] result<void> check(platform::file_facts const& facts,
                                     std::string const& name) const {
        auto const file = shown(name);
        if (facts.link) return unsafe(file + " is a symbolic link; expected a regular file");
        if (!facts.regular) return unsafe(file + " is not a regular file");
        auto const me = platform::current_user();
        if (facts.owner != me)
            return unsafe(file + " belongs to user " + std::to_string(facts.owner) +
                          "; expected user " + std::to_string(me));
        if ((facts.mode & 07177U) != 0)
            return unsafe(file + " has mode " + octal(facts.mode) + "; expected 0600: chmod 600");
        if (facts.links != 1)
            return unsafe(file + " has " + std::to_string(facts.links) + " hard links; expected 1");
        return success();
    }

    /// The owner as the lock file names it: foreign bytes, so taken only as far as they are printable.
    [[nodiscard]] std::string who_owns() const {
        auto const text = platform::read_front(owner_.get(), 300);
        std::string_view rest = text;
        if (!rest.starts_with(owner_title)) return "another process";
        rest.remove_prefix(std::string_view{owner_title}.size());
        std::string parts[3];
        for (auto& part : parts) {
            auto const end = std::min(rest.find('\n'), rest.size());
            for (auto const byte : rest.substr(0, end))
                if (byte >= ' ' && byte <= '~') part += byte;
            rest.remove_prefix(std::min(end + 1, rest.size()));
        }
        return "process " + parts[0] + " (" + parts[2] + ") since " + parts[1];
    }

    std::string folder_path_;
    std::string name_;
    platform::unique_fd folder_;
    process_bound_fd owner_;
    process_bound_fd held_;
    std::string held_name_;
    bool shares_ = false;
};

}  // namespace recoup::inline v1::detail
