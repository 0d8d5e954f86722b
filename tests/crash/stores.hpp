// SPDX-License-Identifier: BSL-1.0
#pragma once

// The stores under test behind one interface, so that what breaks them is written once.

#include <recoup/store/durable_store.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace recoup_test {

/// Any model of `persistence_policy`, and of `durable_store` where `keeps_operations`.
class any_store {
  public:
    any_store() = default;
    any_store(any_store const&) = delete;
    any_store& operator=(any_store const&) = delete;
    virtual ~any_store() = default;

    virtual recoup::result<std::optional<recoup::record>> load(recoup::operation_ref id) = 0;
    virtual recoup::result<std::uint64_t> save(recoup::record const& what) = 0;
    virtual recoup::result<void> erase(recoup::operation_ref id, std::uint64_t revision) = 0;
    virtual recoup::result<std::vector<recoup::record>> list(
        recoup::record_filter const& which) = 0;
    virtual recoup::result<std::size_t> clean_up(recoup::system_time now, std::size_t most) = 0;
    [[nodiscard]] virtual recoup::durability durability() const = 0;

    [[nodiscard]] virtual bool keeps_operations() const = 0;
    virtual recoup::result<std::uint64_t> enter(std::string const& who, recoup::duration lease) = 0;
    virtual recoup::result<std::vector<std::uint64_t>> renew(std::uint64_t owner,
                                                             recoup::duration lease) = 0;
    virtual recoup::result<void> leave(std::uint64_t owner) = 0;
    virtual recoup::result<recoup::started_operation> start(recoup::operation_record const& head,
                                                            std::uint64_t owner) = 0;
    virtual recoup::result<std::vector<recoup::operation_record>> claim(
        recoup::claim_request const& request) = 0;
    virtual recoup::result<recoup::operation_record> take(std::uint64_t number, std::uint64_t epoch,
                                                          std::uint64_t owner) = 0;
    virtual recoup::result<recoup::write_receipt> write(recoup::operation_write const& what) = 0;
    virtual recoup::result<void> request_cancel(std::uint64_t number) = 0;
    virtual recoup::result<void> remove(std::uint64_t number, std::uint64_t epoch) = 0;
    virtual recoup::result<std::optional<recoup::operation_record>> find(
        recoup::operation_ref id) = 0;
    virtual recoup::result<std::vector<recoup::operation_record>> operations(
        recoup::operation_filter const& which) = 0;
    virtual recoup::result<std::vector<recoup::step_record>> steps(std::uint64_t number) = 0;

    /// Whether the store's own look at everything finds it whole; true where it has none.
    virtual bool whole() = 0;
};

/// How to open one kind of store in a folder of its own.
struct store_kind {
    std::string name{};
    recoup::durability kept = recoup::durability::none;
    bool keeps_operations = false;
    bool shared = false;               ///< several processes may have it open
    bool own_revisions = false;        ///< a record's are forgotten with the object that gave them
    bool remote = false;               ///< on a server, so that each call takes milliseconds
    unsigned opening_calls = 12;       ///< that change files: some of them, after a crash
    std::vector<std::string> files{};  ///< those that hold what it keeps, when it is closed
    std::string copies{};  ///< part of the names of files that hold the same once more; empty: none
    std::function<recoup::result<std::unique_ptr<any_store>>(std::string const& folder)> open{};
    /// Where an owner is dead by its lease alone: as if those of all owners had passed. Pre: none lives.
    std::function<void(std::string const& folder)> pass_leases{};
};

/// All that this build has.
std::vector<store_kind> const& store_kinds();

/// Those, and what is made of them and more than files, so that it can be killed and no more.
std::vector<store_kind> const& kinds_to_kill();

/// Writes behind the caller, with a log in a journal.
store_kind write_behind_kind();
/// The same with a log that keeps nothing.
store_kind forgetful_write_behind_kind();

/// A store in memory, which no test here can damage.
store_kind memory_kind();

/// Of `most` the part that there is time for in a sample.
inline std::size_t as_many(store_kind const& kind, std::size_t most) {
    return kind.remote ? (most + 5) / 6 : most;
}

/// Those whose name contains `part`.
std::vector<store_kind> kinds_like(std::string const& part);

}  // namespace recoup_test
