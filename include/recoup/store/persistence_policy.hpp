// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/result.hpp>
#include <recoup/store/record.hpp>
#include <recoup/store/store_errc.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace recoup::inline v1 {

/// What a record survives once a store has acknowledged it.
enum class durability : std::uint8_t {
    none,           ///< nothing: it lives in this process
    process_crash,  ///< the end of the process, however it comes
    power_loss,     ///< the end of the machine's power
};

/// The name of `what`, as in the enumeration.
constexpr std::string_view to_string(durability what) noexcept {
    switch (what) {
        case durability::none: return "none";
        case durability::process_crash: return "process_crash";
        case durability::power_loss: return "power_loss";
    }
    return "none";
}

template <class Char, class Traits>
std::basic_ostream<Char, Traits>& operator<<(std::basic_ostream<Char, Traits>& out,
                                             durability what) {
    return out << to_string(what);
}

/// Which records `list` gives: those that match all that is set, in the order of (space, name, key).
struct record_filter {
    std::optional<record_status> status{};
    std::optional<std::string> name{};
    std::optional<operation_id> after{};  ///< only those behind it: for reading page by page
    std::size_t limit = 1000;
};

/// Where records live: a persistence policy.
///
/// The contract, beyond the syntax:
/// - `save(what, at_most)` stores `what` under `what.id` if the stored revision is `what.revision`,
///   where no record counts as revision 0; else it changes nothing and fails with
///   `store_errc::conflict`. It returns the new revision, which is greater than the old one, and than
///   any that the same identity had before it was erased: an old one is never right again. Once it
///   has returned a value the record is as durable as `durability()` says, and every later `load`
///   gives it, field for field, with the new revision.
/// - `load` gives the record, or nothing where there is none. A damaged record is the error
///   `store_errc::corrupt`, never a wrong value and never "nothing".
/// - `erase(id, revision, at_most)` removes the record if its revision is `revision`, else fails with
///   `conflict`; removing what is not there succeeds.
/// - `list` gives whole records. Damaged ones are left out, and reported by the store's own means;
///   they never make `list` fail.
/// - `clean_up(now, most)` removes up to `most` records that have ended (not `running`) and whose
///   `expires` is not after `now`; it returns how many.
/// - Errors are values of `recoup::failure` with a `store_errc` code (and a text that says what, where
///   and what was expected); nothing throws but std::bad_alloc. A store that is unavailable or full
///   is told from one that is damaged. What failed has changed nothing that was acknowledged.
/// - `at_most` bounds the time a call may wait for others; `unlimited` is no bound.
/// - Identities are checked with `valid(id)` by the caller; a store may rely on it, and must bind
///   them as values, never splice them into a language.
///
/// Optional: `bool may_contain(operation_ref) noexcept`, a cheap filter with no false negative: where
/// it says no, `load` would give nothing. It must not block: coroutines ask it on their executor.
///
/// Thread safety: all members may be called concurrently; `save` and `erase` of one id are atomic.
/// `testing/store_conformance.hpp` checks all this on any model.
template <class S>
concept persistence_policy = requires(
    S& store, S const& constant, record const& what, operation_ref id, std::uint64_t revision,
    record_filter const& filter, system_time now, std::size_t most, duration at_most) {
    { store.load(id, at_most) } -> std::same_as<result<std::optional<record>>>;
    { store.save(what, at_most) } -> std::same_as<result<std::uint64_t>>;
    { store.erase(id, revision, at_most) } -> std::same_as<result<void>>;
    { store.list(filter) } -> std::same_as<result<std::vector<record>>>;
    { store.clean_up(now, most) } -> std::same_as<result<std::size_t>>;
    { constant.durability() } noexcept -> std::same_as<recoup::durability>;
};

}  // namespace recoup::inline v1
