// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/durable_store.hpp>
#include <recoup/store/operation_request.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace inspect {

/// Something in a store that is not whole.
struct damage {
    std::string what{};   ///< its identity as far as it can be told
    std::string wrong{};  ///< what is wrong with it
};

/// What looking through a whole store found.
struct verification {
    std::uint64_t records = 0;  ///< those that are whole
    std::uint64_t operations = 0;
    std::uint64_t steps = 0;
    std::vector<damage> damaged{};
    std::vector<std::string> problems{};  ///< what is wrong with the store as a whole

    [[nodiscard]] bool ok() const noexcept { return damaged.empty() && problems.empty(); }
};

/// A process that has a store's file for itself, as it wrote itself into the lock file.
struct owner_info {
    std::string process{};
    std::string program{};
    std::string since{};
};

/// A store of any kind, opened for looking or as its owner.
class store {
  public:
    store() = default;
    store(store const&) = delete;
    store& operator=(store const&) = delete;
    virtual ~store() = default;

    /// `sqlite`, `journal` or `postgres`.
    [[nodiscard]] virtual std::string kind() const = 0;
    /// Where it is; for a file its path without links.
    [[nodiscard]] virtual std::string location() const = 0;
    /// Whether several processes may write it at a time.
    [[nodiscard]] virtual bool shared() const = 0;

    virtual recoup::result<std::vector<recoup::record>> records(
        recoup::record_filter const& filter) = 0;
    virtual recoup::result<std::optional<recoup::record>> load(recoup::operation_ref id) = 0;
    virtual recoup::result<std::vector<recoup::operation_record>> operations(
        recoup::operation_filter const& filter) = 0;
    virtual recoup::result<std::optional<recoup::operation_record>> find(
        recoup::operation_ref id) = 0;
    virtual recoup::result<std::vector<recoup::step_record>> steps(std::uint64_t number) = 0;
    virtual recoup::result<verification> verify() = 0;
    /// What was met that is damaged, and was left out.
    virtual recoup::result<std::vector<damage>> damaged() = 0;

    // For the one who owns it, or a shared one.
    virtual recoup::result<void> apply(recoup::operation_request const& request,
                                       recoup::system_time now) = 0;
    /// Does what waits in the store's box; how many requests that were.
    virtual recoup::result<std::size_t> apply_waiting(recoup::system_time now) = 0;
    virtual recoup::result<std::size_t> clean_up(recoup::system_time now, std::size_t most) = 0;
    virtual recoup::result<void> remove(recoup::record const& what) = 0;
    virtual recoup::result<void> remove(recoup::operation_record const& what) = 0;
};

/// How a store is opened.
struct open_options {
    /// Kinds of file system that are taken for a store of `power_loss` although they are unfit for it.
    std::vector<std::string> accepted_file_systems{};
};

/// Opens for looking: takes no lock, makes and changes nothing, may be done beside an owner.
///
/// Throws: problem.
[[nodiscard]] std::unique_ptr<store> open_to_look(std::string const& where);

/// Opens as the one who may write.
///
/// Returns: nothing where another process owns it. Throws: problem.
[[nodiscard]] std::unique_ptr<store> open_to_own(std::string const& where,
                                                 open_options const& options);

/// Who owns the store's file now; nothing where nobody does, or where it is no file. Disturbs nobody.
///
/// `location` is what an open store says that it is.
[[nodiscard]] std::optional<owner_info> owner_of(std::string const& location);

/// What `where` is, as it may be printed: a URI without the password in it.
[[nodiscard]] std::string shown(std::string const& where);

}  // namespace inspect
