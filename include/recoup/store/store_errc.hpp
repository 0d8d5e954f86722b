// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/category.hpp>

#include <string>
#include <system_error>

namespace recoup::inline v1 {

/// What can be wrong with a store. The numbers may be stored: only append.
enum class store_errc {
    unavailable = 1,  ///< it cannot be reached or read now
    conflict,         ///< the record was changed by another since it was read
    full,             ///< no space
    locked,           ///< another process owns it
    corrupt,          ///< a record or the file is damaged; nothing was removed
    read_only,        ///< it may be read but not written
    newer_version,    ///< it was written by a newer version of the library
    setting_refused,  ///< a setting that durability rests on could not be had
    stopped,          ///< it stopped for good after a failed sync
    too_large,        ///< a record exceeds the store's limit
    unsafe_location,  ///< a link, a foreign owner, an open mode or an unfit file system
    foreign_schema,   ///< the file is not one of recoup's, or was tampered with
    forked,           ///< it was opened before a fork, in another process
    fenced,           ///< the operation was taken over: this writer is too late
    owned,            ///< somebody who is alive runs the operation
};

namespace detail {

struct store_error_category final : std::error_category {
    char const* name() const noexcept override { return "recoup.store"; }
    std::string message(int code) const override {
        switch (static_cast<store_errc>(code)) {
            case store_errc::unavailable: return "the store is unavailable";
            case store_errc::conflict: return "the record was changed by another writer";
            case store_errc::full: return "the store is full";
            case store_errc::locked: return "the store is in use by another process";
            case store_errc::corrupt: return "a record is damaged";
            case store_errc::read_only: return "the store is read-only";
            case store_errc::newer_version: return "the store was written by a newer version";
            case store_errc::setting_refused: return "a setting for durability was refused";
            case store_errc::stopped: return "the store stopped after a failed sync";
            case store_errc::too_large: return "the record is too large for the store";
            case store_errc::unsafe_location: return "the store's location is not safe";
            case store_errc::foreign_schema: return "the file is not a recoup store";
            case store_errc::forked: return "the store belongs to the parent process";
            case store_errc::fenced: return "the operation was taken over by another owner";
            case store_errc::owned: return "another owner runs the operation";
        }
        return "unknown store error " + std::to_string(code);
    }
};

}  // namespace detail

/// The category of `store_errc`.
inline std::error_category const& store_category() noexcept {
    static detail::store_error_category const instance;
    return instance;
}

inline std::error_code make_error_code(store_errc code) noexcept {
    return {static_cast<int>(code), store_category()};
}

/// What kind of failure a store's error is.
constexpr category category_of(store_errc code) noexcept {
    switch (code) {
        case store_errc::full: return category::disk_full;
        case store_errc::corrupt: return category::corruption;
        case store_errc::read_only: return category::permission;
        case store_errc::unsafe_location: return category::permission;
        case store_errc::newer_version:
        case store_errc::setting_refused:
        case store_errc::foreign_schema: return category::configuration;
        case store_errc::too_large: return category::invalid_input;
        case store_errc::forked: return category::defect;
        case store_errc::unavailable:
        case store_errc::conflict:
        case store_errc::locked:
        case store_errc::fenced:
        case store_errc::owned:
        case store_errc::stopped: return category::service_unavailable;
    }
    return category::unknown;
}

}  // namespace recoup::inline v1

template <>
struct std::is_error_code_enum<recoup::store_errc> : std::true_type {};
