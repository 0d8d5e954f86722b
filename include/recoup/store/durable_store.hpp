// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/result.hpp>
#include <recoup/store/operation_record.hpp>
#include <recoup/store/persistence_policy.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace recoup::inline v1 {

/// What `start` found or made.
struct started_operation {
    operation_record record{};
    bool made =
        false;  ///< it was not there; else `record` is what was there, and it was left alone
};

/// A write to one operation: applied whole or not at all. It refers to what the caller owns.
struct operation_write {
    std::uint64_t number = 0;  ///< which operation
    std::uint64_t epoch = 0;   ///< the fence: must be the operation's
    /// What replaces the stored head; null: that stays. `id`, `number`, `epoch`, `owner`, `parent` and
    /// `created` of it are the store's, and not taken over. `cancel_requested` of it may note a wish to
    /// cancel; it takes none back.
    operation_record const* head = nullptr;
    std::span<step_record const> steps{};  ///< each added, or put in place of the one of its index
    bool drop_steps = false;               ///< the steps recorded until now go, before `steps` come
    /// The wish to cancel noted until now goes, before what `head` says of one counts: it was obeyed, or
    /// came too late. Without a head: nothing.
    bool drop_wish = false;
    bool release = false;  ///< the operation has no owner any more
};

/// What a writer is told.
struct write_receipt {
    /// Somebody wanted the operation to end when the write came, also where it dropped that wish.
    bool cancel_requested = false;

    friend bool operator==(write_receipt, write_receipt) noexcept = default;
};

/// Which operations an owner wants.
struct claim_request {
    std::uint64_t owner = 0;
    std::string_view space{};
    std::span<std::string const> names{};  ///< only operations of these names
    system_time now{};                     ///< what `due` is compared with
    std::size_t limit = 100;
};

/// Which operations `operations` gives: those that match all that is set, in the order of their numbers.
struct operation_filter {
    std::optional<operation_status> status{};
    std::optional<std::string> space{};
    std::optional<std::string> name{};
    std::optional<std::uint64_t> parent{};
    std::uint64_t after = 0;  ///< only greater numbers: for reading page by page
    std::size_t limit = 1000;
};

/// Where durable operations live: a persistence policy that also keeps operations and their steps.
///
/// The contract, beyond the syntax, and beyond `persistence_policy`'s on errors, durability, identities
/// and threads:
///
/// Owners. `enter(who, lease)` makes an owner, whose number no other one ever had; `who` is a text for
/// people. An owner is *alive* until `leave`, the end of its process, or, where several hosts share the
/// store, until `lease` has passed on the store's clock since it entered, renewed or wrote. What a dead
/// owner had may be claimed at once. `renew` gives the numbers of the owner's operations whose
/// cancellation was asked for, and fails with `store_errc::fenced` where the owner counts as dead.
///
/// - `start(head, owner)` records an operation if none has its `id`: it gets a number that no other one
///   ever had, epoch 1, and the owner (0: none). Where there is one, it is given back as it is.
/// - `claim(request)` gives operations that are `pending` or `running`, have no owner that is alive, and
///   are due: `due <= now`, or `due - delay > now`, for then the clock was set back. Each gets the owner
///   and a greater epoch, before anybody else can claim it; nothing else of it changes. Those that were
///   due first come first.
/// - `take(number, epoch, owner)` claims just that operation, whatever its status, if its epoch is
///   `epoch` (else `conflict`) and no owner that is alive has it (else `owned`).
/// - `write(what)` is refused with `store_errc::fenced`, and changes nothing, unless the operation is
///   there, its epoch is `what.epoch`, and it has an owner: the comparison and the write are one. Once it
///   has returned a value, what was written is as durable as `durability()` says. Concurrent writes share
///   commits.
/// - `request_cancel(number)` notes the wish, whoever owns the operation. It stays, and every receipt tells
///   of it, until a write with `drop_wish`, whose receipt tells of it too. A head whose writer has not heard
///   of the wish leaves it where it is, and so it is never lost between two calls.
/// - `remove(number, epoch)` removes an operation and its steps under the conditions of `take`.
/// - `find`, `operations` and `steps` (in the order of their indices) give what was written, field for
///   field. A damaged operation or step, or one that is missing where there should be one, is the error
///   `corrupt`, never a wrong value and never "nothing"; `operations` and `claim` leave damaged ones out,
///   and the store reports them by its own means.
/// - `clean_up(now, most)` also removes operations that have ended and expired, with their steps; each
///   counts as one.
///
/// Optional: a `transaction` type and
/// `transact(number, epoch, body, at_most) -> result<write_receipt>`, where
/// `body(transaction&) -> result<step_record>` writes rows of its own: they and the step it returns are
/// recorded both or neither, under the fence.
template <class S>
concept durable_store =
    persistence_policy<S> &&
    requires(S& store, operation_record const& head, operation_write const& what,
             claim_request const& request, operation_filter const& filter, operation_ref id,
             std::uint64_t number, std::uint64_t epoch, std::uint64_t owner, std::string const& who,
             duration lease, duration at_most) {
        { store.enter(who, lease) } -> std::same_as<result<std::uint64_t>>;
        { store.renew(owner, lease) } -> std::same_as<result<std::vector<std::uint64_t>>>;
        { store.leave(owner) } -> std::same_as<result<void>>;
        { store.start(head, owner, at_most) } -> std::same_as<result<started_operation>>;
        { store.claim(request) } -> std::same_as<result<std::vector<operation_record>>>;
        { store.take(number, epoch, owner) } -> std::same_as<result<operation_record>>;
        { store.write(what, at_most) } -> std::same_as<result<write_receipt>>;
        { store.request_cancel(number) } -> std::same_as<result<void>>;
        { store.remove(number, epoch) } -> std::same_as<result<void>>;
        { store.find(id, at_most) } -> std::same_as<result<std::optional<operation_record>>>;
        { store.operations(filter) } -> std::same_as<result<std::vector<operation_record>>>;
        { store.steps(number, at_most) } -> std::same_as<result<std::vector<step_record>>>;
    };

}  // namespace recoup::inline v1
