// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/clock.hpp>
#include <recoup/core/identity.hpp>
#include <recoup/core/random.hpp>
#include <recoup/core/result.hpp>
#include <recoup/platform/folder.hpp>
#include <recoup/store/detail/bytes.hpp>
#include <recoup/store/detail/crc32c.hpp>
#include <recoup/store/detail/file_guard.hpp>
#include <recoup/store/operation_request.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// A request as a file, little-endian:
//
//     4 bytes "rcrq"     u8 format (1)     u8 kind     u64 number of the operation
//     text as u32 length and bytes         u32 CRC-32C of all bytes before it
//
// Its name is the moment that it was made, in nanoseconds since 1970 as 16 hexadecimal digits, a random
// number of 16 more, and ".request". While it is written it is called ".new" instead.

namespace recoup::inline v1::detail {

/// A request with more bytes is none: what is largest has a version as its text.
inline constexpr std::size_t request_bytes_max = 4 + 1 + 1 + 8 + 4 + identifier_bytes_max + 4;

inline constexpr std::string_view request_magic = "rcrq";
inline constexpr std::uint8_t request_format = 1;

inline std::string encode_request(operation_request const& what) {
    auto bytes = std::string{request_magic};
    put_number(bytes, request_format);
    put_number(bytes, static_cast<std::uint8_t>(what.what));
    put_number(bytes, what.operation);
    put_text(bytes, what.text);
    put_number(bytes, crc32c(bytes));
    return bytes;
}

/// The request in `bytes`, which may hold anything; nothing where it is none.
inline std::optional<operation_request> decode_request(std::string_view bytes) {
    if (bytes.size() > request_bytes_max || bytes.size() < 4 || !bytes.starts_with(request_magic))
        return std::nullopt;
    auto const whole = bytes.substr(0, bytes.size() - 4);
    if (byte_reader{bytes.substr(whole.size())}.number<std::uint32_t>() != crc32c(whole))
        return std::nullopt;
    byte_reader from{whole.substr(request_magic.size())};
    auto const format = from.number<std::uint8_t>();
    auto const kind = from.number<std::uint8_t>();
    operation_request what;
    what.operation = from.number<std::uint64_t>();
    what.text = from.text(identifier_bytes_max, "its text is cut");
    auto const known = kind >= static_cast<std::uint8_t>(operation_request::kind::cancel) &&
                       kind <= static_cast<std::uint8_t>(operation_request::kind::accept);
    if (from.wrong() != nullptr || !from.at_end() || format != request_format || !known ||
        !valid_identifier(what.text))
        return std::nullopt;
    what.what = static_cast<operation_request::kind>(kind);
    return what;
}

/// The folder `FILE.requests` beside a store's file, in which others leave what they want of its owner:
/// so that a file that must have one writer has no other.
///
/// One who asks makes the folder where it is missing, 0700, and in it one file a request, 0600 and whole
/// from the moment that it has its name. The owner of the store takes them. Both refuse a folder that is
/// a link or open to others, and take nothing from a file that is a link, has another name, or another
/// owner, mode or size than a request has: the owner removes it, and counts it as refused.
///
/// A request is given to the owner at least once: `take` removes what the `take` before it gave, so that
/// the owner has done it by then. One thread at a time.
class request_box {
  public:
    /// `store` is the store's file: absolute, without links, in a folder that was found safe.
    explicit request_box(std::string const& store) : path_{store + ".requests"} {}

    /// The most requests that wait at a time; one more is `store_errc::full`.
    static constexpr std::size_t requests_max = 64;

    /// Leaves a request for the owner; it survives a power cut when this returns.
    ///
    /// Returns: the name under which `waiting` knows it.
    result<std::string> put(operation_request const& what) {
        if (!valid_identifier(what.text))
            return store_failure(store_errc::too_large,
                                 "the text of a request is not printable UTF-8 of at most " +
                                     std::to_string(identifier_bytes_max) + " bytes");
        auto folder = open(true);
        if (!folder.has_value()) return std::move(folder).assume_error();
        auto const box = folder.assume_value().get();
        std::error_code error;
        auto const names = platform::names_in(box, names_max, error);
        if (error) return system_failure("reading the folder " + path_, error);
        if (names.size() >= requests_max)
            return store_failure(store_errc::full,
                                 path_ + " holds " + std::to_string(names.size()) +
                                     " files that its owner has not taken; the limit is " +
                                     std::to_string(requests_max));
        auto const name = new_name();
        if (auto const failed = write(box, name + unfinished, encode_request(what)))
            error = failed;
        else
            error = platform::rename_in(box, name + unfinished, name + finished);
        if (error) {
            static_cast<void>(platform::remove_in(box, name + unfinished));
            return system_failure("leaving a request in " + path_, error);
        }
        if (auto const failed = platform::sync_folder(box)) {
            // It may or may not outlive the power: rather none than one that nobody knows of.
            static_cast<void>(platform::remove_in(box, name + finished));
            return system_failure("syncing the folder " + path_, failed);
        }
        return name + finished;
    }

    /// Whether the request of that name has not been taken yet.
    [[nodiscard]] result<bool> waiting(std::string const& name) const {
        auto folder = open(false);
        if (!folder.has_value()) return std::move(folder).assume_error();
        if (!folder.assume_value()) return false;
        std::error_code error;
        auto const facts = platform::facts_at(folder.assume_value().get(), name, error);
        if (error) return system_failure(path_ + "/" + name, error);
        return facts.exists;
    }

    /// For the owner: removes what the last call gave, and gives what waits, in the order of asking.
    [[nodiscard]] result<std::vector<operation_request>> take() {
        auto folder = open(false);
        if (!folder.has_value()) return std::move(folder).assume_error();
        std::vector<operation_request> taken;
        if (!folder.assume_value()) return taken;
        auto const box = folder.assume_value().get();
        if (auto removed = remove_given(box); !removed.has_value())
            return std::move(removed).assume_error();
        std::error_code error;
        auto names = platform::names_in(box, names_max, error);
        if (error) return system_failure("reading the folder " + path_, error);
        std::sort(names.begin(), names.end());
        for (auto const& name : names) {
            if (taken.size() == requests_max) break;
            if (name.ends_with(unfinished)) {
                remove_leftover(box, name);
                continue;
            }
            auto what = name.ends_with(finished) ? read(box, name) : std::nullopt;
            if (what) {
                taken.push_back(std::move(*what));
                given_.push_back(name);
            } else {
                // This folder holds nothing but requests. One that is none is not done, and would
                // take the place of others for ever.
                static_cast<void>(platform::remove_in(box, name));
                ++refused_;
            }
        }
        return taken;
    }

    /// For the owner that ends in order: removes what the last `take` gave.
    void finish() noexcept {
        if (given_.empty()) return;
        std::error_code error;
        auto const folder = platform::open_folder(path_, error);
        if (folder && !problem_of(folder.get())) static_cast<void>(remove_given(folder.get()));
    }

    /// For the owner that has made the store's file: what was asked of another one is void.
    [[nodiscard]] result<void> clear() {
        auto folder = open(false);
        if (!folder.has_value()) return std::move(folder).assume_error();
        if (!folder.assume_value()) return success();
        std::error_code error;
        for (auto const& name : platform::names_in(folder.assume_value().get(), names_max, error))
            static_cast<void>(platform::remove_in(folder.assume_value().get(), name));
        if (error) return system_failure("reading the folder " + path_, error);
        return success();
    }

    /// How many files were no requests, and were removed.
    [[nodiscard]] std::size_t refused() const noexcept { return refused_; }
    [[nodiscard]] std::string const& path() const noexcept { return path_; }

  private:
    // More names are not looked at; of these, at most `requests_max` are requests.
    static constexpr std::size_t names_max = 4 * requests_max;
    static constexpr char const* finished = ".request";
    static constexpr char const* unfinished = ".new";
    /// After this long nobody is still writing a request.
    static constexpr duration leftover_after = std::chrono::hours{1};

    /// The folder; none where it is missing and `make` does not say so.
    [[nodiscard]] result<platform::unique_fd> open(bool make) const {
        if (make)
            if (auto const error = platform::make_folder(path_))
                return system_failure("making the folder " + path_, error);
        std::error_code error;
        auto folder = platform::open_folder(path_, error);
        if (error == std::errc::no_such_file_or_directory && !make) return platform::unique_fd{};
        if (error == std::errc::too_many_symbolic_link_levels ||
            error == std::errc::not_a_directory)
            return unsafe(path_ + " is not a folder; expected one of mode 0700");
        if (error) return system_failure("the folder " + path_, error);
        if (auto problem = problem_of(folder.get())) return std::move(*problem);
        return folder;
    }

    /// Who may write to the folder may ask: so that must be nobody else.
    [[nodiscard]] std::optional<failure> problem_of(int folder) const {
        auto const facts = platform::facts_of(folder);
        auto const me = platform::current_user();
        if (facts.owner != me)
            return unsafe("the folder " + path_ + " belongs to user " +
                          std::to_string(facts.owner) + "; expected user " + std::to_string(me));
        if ((facts.mode & 0777U) != 0700U)
            return unsafe("the folder " + path_ + " has mode " + octal(facts.mode) +
                          "; expected 0700: chmod 700");
        return std::nullopt;
    }

    static std::string hexadecimal(std::uint64_t number) {
        std::string digits;
        for (auto shift = 64U; shift != 0;)
            digits += "0123456789abcdef"[(number >> (shift -= 4U)) & 0xFU];
        return digits;
    }

    static std::string new_name() {
        auto const now = real_clock::system_now().time_since_epoch().count();
        return hexadecimal(static_cast<std::uint64_t>(now)) + hexadecimal(random_seed());
    }

    static std::error_code write(int box, std::string const& name, std::string_view bytes) {
        std::error_code error;
        auto const file = platform::create_file(box, name, error);
        if (error) return error;
        if (!platform::write_whole(file.get(), bytes))
            return std::make_error_code(std::errc::no_space_on_device);
        return platform::sync_file(file.get());
    }

    [[nodiscard]] static std::optional<operation_request> read(int box, std::string const& name) {
        std::error_code error;
        auto const file = platform::open_to_read(box, name, error);
        if (error) return std::nullopt;
        // Of the open file, so that it is the one that is read.
        auto const facts = platform::facts_of(file.get());
        if (!facts.regular || facts.owner != platform::current_user() ||
            (facts.mode & 07177U) != 0 || facts.links != 1 || facts.size > request_bytes_max)
            return std::nullopt;
        return decode_request(platform::read_front(file.get(), request_bytes_max + 1));
    }

    /// What one left behind who ended while writing: its name tells when it began.
    static void remove_leftover(int box, std::string const& name) {
        auto const now = real_clock::system_now();
        auto const limit = hexadecimal(
            static_cast<std::uint64_t>((now - leftover_after).time_since_epoch().count()));
        if (name < limit) static_cast<void>(platform::remove_in(box, name));
    }

    result<void> remove_given(int box) {
        // Not synced: a request that comes back with the power is done once more, as after a crash.
        while (!given_.empty()) {
            if (auto const error = platform::remove_in(box, given_.back()))
                return system_failure("removing " + path_ + "/" + given_.back(), error);
            given_.pop_back();
        }
        return success();
    }

    std::string path_;
    std::vector<std::string> given_;
    std::size_t refused_ = 0;
};

/// The box as a store keeps it: for several threads at a time, and made when it is first looked into.
class request_inbox {
  public:
    /// `store` is the store's file, as for `request_box`.
    [[nodiscard]] result<std::vector<operation_request>> take(std::string const& store) {
        std::lock_guard const lock{mutex_};
        if (!box_) box_.emplace(store);
        return box_->take();
    }
    /// For the owner that ends in order.
    void close() noexcept {
        std::lock_guard const lock{mutex_};
        if (box_) box_->finish();
        box_.reset();
    }

  private:
    std::mutex mutex_;
    std::optional<request_box> box_;
};

}  // namespace recoup::inline v1::detail
