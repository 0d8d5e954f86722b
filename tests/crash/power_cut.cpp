// SPDX-License-Identifier: BSL-1.0
#include "crash/power_cut.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <string_view>
#include <utility>

namespace recoup_test {

namespace {

constexpr std::size_t sector = 512;

std::string parent_of(std::string const& path) {
    auto const slash = path.rfind('/');
    return slash == std::string::npos ? std::string{"."} : path.substr(0, slash);
}

/// Writes a file that only its owner may use; what is zero is left out, since much may be.
void write_file(std::filesystem::path const& path, std::string const& bytes) {
    namespace fs = std::filesystem;
    static constexpr std::size_t block = 4096;
    static std::string const zeros(block, '\0');
    std::ofstream file{path, std::ios::binary | std::ios::trunc};
    for (std::size_t at = 0; at < bytes.size(); at += block) {
        auto const part = std::string_view{bytes}.substr(at, block);
        if (part == std::string_view{zeros}.substr(0, part.size())) continue;
        file.seekp(static_cast<std::streamoff>(at));
        file.write(part.data(), static_cast<std::streamsize>(part.size()));
    }
    file.close();
    fs::resize_file(path, bytes.size());
    fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
}

}  // namespace

disk_state::disk_state(disk_log const& log) : log_{&log}, names_{log.names} {
    for (auto const& content : log.contents) files_.push_back({content, {}});
    for (auto const& folder : log.folders) names_[folder] = a_folder;
    seen_ = names_;
}

void disk_state::place(std::string& bytes, std::size_t offset, std::string_view what) {
    if (bytes.size() < offset + what.size()) bytes.resize(offset + what.size());
    std::copy(what.begin(), what.end(), bytes.begin() + static_cast<std::ptrdiff_t>(offset));
}

void disk_state::apply(std::string& bytes, change const& one) {
    if (one.resize)
        bytes.resize(one.offset);
    else
        place(bytes, one.offset, one.bytes);
}

void disk_state::sync_names(std::string const& folder) {
    std::erase_if(pending_names_, [&](renaming const& one) {
        if (parent_of(one.path) != folder) return false;
        if (!one.from.empty()) names_.erase(one.from);
        if (one.file == no_file)
            names_.erase(one.path);
        else
            names_[one.path] = one.file;
        return true;
    });
}

bool disk_state::advance() {
    if (position_ == log_->events.size()) return false;
    auto const& event = log_->events[position_++];
    using kind = disk_event::kind;
    switch (event.what) {
        case kind::make:
            pending_names_.push_back({event.path, event.file, {}});
            seen_[event.path] = event.file;
            break;
        case kind::make_folder:
            pending_names_.push_back({event.path, a_folder, {}});
            seen_[event.path] = a_folder;
            break;
        case kind::rename:
            pending_names_.push_back({event.to, seen_[event.path], event.path});
            seen_[event.to] = seen_[event.path];
            seen_.erase(event.path);
            break;
        case kind::remove:
            pending_names_.push_back({event.path, no_file, {}});
            seen_.erase(event.path);
            break;
        case kind::write:
            files_[event.file].pending.push_back({false, event.offset, event.bytes});
            break;
        case kind::resize: files_[event.file].pending.push_back({true, event.offset, {}}); break;
        case kind::sync: {
            auto& one = files_[event.file];
            for (auto const& pending : one.pending) apply(one.synced, pending);
            one.pending.clear();
            break;
        }
        case kind::lost: files_[event.file].pending.clear(); break;
        case kind::sync_folder: sync_names(event.path); break;
        case kind::mark: break;
    }
    return true;
}

std::size_t disk_state::doubts() const {
    auto count = pending_names_.size();
    for (auto const& one : files_) count += one.pending.size();
    return count;
}

/// `lands(number, sector, sectors)` tells of each piece of what is in doubt whether it is there.
template <class Lands>
void disk_state::build(std::string const& folder, Lands const& lands) const {
    namespace fs = std::filesystem;
    std::size_t number = 0;
    auto names = names_;
    for (auto const& one : pending_names_) {
        if (!lands(number++, std::size_t{0}, std::size_t{1})) continue;
        if (!one.from.empty()) names.erase(one.from);
        if (one.file == no_file)
            names.erase(one.path);
        else
            names[one.path] = one.file;
    }
    auto contents = std::vector<std::string>{};
    for (auto const& one : files_) {
        auto bytes = one.synced;
        for (auto const& pending : one.pending) {
            auto const mine = number++;
            if (pending.resize) {
                if (lands(mine, std::size_t{0}, std::size_t{1})) apply(bytes, pending);
                continue;
            }
            auto const sectors = (pending.bytes.size() + sector - 1) / sector;
            for (std::size_t i = 0; i != sectors; ++i)
                if (lands(mine, i, sectors))
                    place(bytes, pending.offset + i * sector,
                          std::string_view{pending.bytes}.substr(i * sector, sector));
        }
        contents.push_back(std::move(bytes));
    }
    // In the order of the paths, and so a folder comes before what is in it.
    for (auto const& [path, holds] : names) {
        auto const whole = fs::path{folder} / path;
        if (!fs::is_directory(whole.parent_path())) continue;
        if (holds == a_folder) {
            fs::create_directory(whole);
            fs::permissions(whole, fs::perms::owner_all);
            continue;
        }
        write_file(whole, contents[holds]);
    }
}

void disk_state::write_to(std::string const& folder, std::uint64_t variant) const {
    auto const regular = variants();
    if (variant >= regular) {
        std::mt19937_64 random{variant};
        build(folder, [&](auto, auto, auto) { return random() % 2 == 0; });
    } else if (variant < 2) {
        build(folder, [&](auto, auto, auto) { return variant == 1; });
    } else {
        auto const chosen = static_cast<std::size_t>((variant - 2) / 3);
        switch ((variant - 2) % 3) {
            case 0:
                build(folder, [&](std::size_t number, auto, auto) { return number == chosen; });
                break;
            case 1:
                build(folder, [&](std::size_t number, auto, auto) { return number != chosen; });
                break;
            default:
                build(folder, [&](std::size_t number, std::size_t at, std::size_t of) {
                    return number < chosen || (number == chosen && at < of / 2);
                });
        }
    }
}

}  // namespace recoup_test
