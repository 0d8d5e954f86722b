// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/durable_store.hpp>
#include <recoup/store/persistence_policy.hpp>
#include <recoup/testing/detail/operation_checks.hpp>
#include <recoup/testing/detail/operation_claims.hpp>
#include <recoup/testing/detail/operation_concurrency.hpp>
#include <recoup/testing/detail/operation_queries.hpp>
#include <recoup/testing/detail/store_checks.hpp>
#include <recoup/testing/detail/store_concurrency.hpp>
#include <recoup/testing/detail/store_limits.hpp>

#include <concepts>
#include <exception>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace recoup::inline v1::testing {

/// What `check_store` found: for any test framework, or none.
struct store_report {
    std::vector<std::string> checked{};   ///< the checks that were made, as sentences
    std::vector<std::string> skipped{};   ///< those that the store or the options do not call for
    std::vector<violation> violations{};  ///< what was not as the contract says

    [[nodiscard]] bool ok() const noexcept { return violations.empty() && !checked.empty(); }

    friend std::ostream& operator<<(std::ostream& out, store_report const& what) {
        for (auto const& broken : what.violations)
            out << "violated: " << broken.check << ": " << broken.what << '\n';
        return out << what.checked.size() << " checks, " << what.violations.size()
                   << " violations, " << what.skipped.size() << " skipped\n";
    }
};

namespace detail {

/// The checks of durable operations, each given to `run` with its name.
template <class Run>
void check_operations(Run const& run) {
    run("start records an operation under a new number, in epoch 1, with its owner", check_start);
    run("a start of what is there gives it back and changes nothing", check_start_again);
    run("no number and no owner comes again, also after a removal", check_numbers);
    run("every field of an operation comes back as it was written", check_operation_fields);
    run("every field of a step comes back as it was written", check_step_fields);
    run("empty, binary and large values of operations and steps come back", check_operation_binary);
    run("extreme numbers and times of operations and steps come back", check_operation_extremes);
    run("operations of any identity are told apart, and from records", check_operation_identities);
    run("a write replaces the head but for what is the store's", check_head_written);
    run("steps are added, replaced by their index, and dropped where that is asked",
        check_steps_written);
    run("a write of another epoch, without an owner or after a removal is fenced", check_fence);
    run("a last write records and gives back in one", check_release);
    run("claim gives operations of the names and the namespace that were asked for",
        check_claim_wanted);
    run("claim gives what is pending or running, and due", check_claim_due);
    run("claim gives what sleeps since the clock was set back", check_claim_clock);
    run("claim gives those due first first, and as many as asked", check_claim_order);
    run("claim raises the epoch, notes the owner and changes nothing else", check_claim_values);
    run("claim leaves what a living owner has, and gives it once that has left", check_claim_owned);
    run("take claims one operation of any status under its epoch", check_take);
    run("a wish to cancel is told, also to who has the operation next", check_cancel);
    run("a wish to cancel stays over heads whose writers have not heard of it", check_wish_stays);
    run("a wish to cancel goes with the write that drops it", check_wish_dropped);
    run("renew is refused to who is not alive", check_renew);
    run("remove takes an operation and its steps, under the conditions of take", check_remove);
    run("operations gives what matches in the order of numbers, page by page",
        check_operations_list);
    run("clean_up removes operations that have ended and expired, with their steps",
        check_operations_clean_up);
    run("a store that holds its limit of operations is full and goes on", check_operations_max);
    run("an operation or step above the limit is too large and changes nothing",
        check_operation_bytes_max);
    run("a reopened store gives the operations and steps that were acknowledged",
        check_operations_reopening);
    run("a reopened store takes owners of before for dead", check_owners_reopening);
    run("what a transaction records is recorded whole, under the fence", check_transact);
    run("of starts of one operation at once exactly one makes it", check_one_start);
    run("no operation is claimed twice by claims at once", check_claims_once);
    run("of takes of one epoch at once exactly one succeeds", check_takes_once);
    run("concurrent writes to different operations do not disturb each other", check_writes_apart);
    run("a fenced write among concurrent ones spoils none of the others", check_fenced_apart);
    run("a reader sees head and steps of one write together or not at all", check_whole_writes);
    run("a wish to cancel is not lost among heads that are written at once", check_wish_at_once);
}

}  // namespace detail

/// Checks the whole written contract of `persistence_policy` on any model of it, and that of
/// `durable_store` where it is one.
///
/// `stores` makes them: either a callable that returns a pointer (`std::unique_ptr`, …) to a store on
/// fresh, empty storage; or an object with that as `fresh()`, and `reopen()` that returns a pointer to
/// a new store on the storage of the last `fresh()`. `reopen` is called when the store before it is
/// gone; only durable stores need it.
///
/// Effects: makes about twenty stores, sixty where operations are checked too, one at a time, and starts
/// some threads; about two thousand saves, and as many writes, in all. What a store throws counts as a
/// violation.
///
/// Example: with Catch2, `CHECK(recoup::testing::check_store([] { return std::make_unique<my_store>();
/// }).ok())`; with nothing, `auto report = check_store(…); std::cout << report; return !report.ok();`
template <class Stores>
[[nodiscard]] store_report check_store(Stores&& stores, store_conformance_options options = {}) {
    store_report report;
    auto source = detail::store_source{stores};
    using source_type = decltype(source);
    static_assert(persistence_policy<typename source_type::store_type>,
                  "recoup: check_store needs a factory of pointers to a persistence_policy");

    auto const run = [&](char const* name, auto const& check) {
        detail::checker seen{name, report.violations};
        try {
            if (check(source, options, seen))
                report.checked.emplace_back(name);
            else
                report.skipped.emplace_back(name);
        } catch (std::exception const& thrown) {
            seen.fail(std::string{"it threw: "} + thrown.what());
            report.checked.emplace_back(name);
        } catch (...) {
            seen.fail("it threw something that is not a std::exception");
            report.checked.emplace_back(name);
        }
    };
    run("a new store is empty and declares its durability", detail::check_empty);
    run("every field comes back as it was saved", detail::check_fields);
    run("what is absent comes back absent, and what is empty comes back empty",
        detail::check_optional);
    run("binary and large values come back byte for byte", detail::check_binary);
    run("extreme numbers and times come back", detail::check_extremes);
    run("identities of any text and length are told apart", detail::check_identities);
    run("a save replaces the whole record", detail::check_replacing);
    run("a save against another revision is a conflict and changes nothing",
        detail::check_conflicts);
    run("an erase removes the record of that revision and nothing else", detail::check_erase);
    run("who saw a record before it was erased cannot overwrite the next one",
        detail::check_fence_after_erase);
    run("list gives what matches, in the order of namespace, name and key", detail::check_list);
    run("list reads page by page", detail::check_paging);
    run("clean_up removes what has ended and expired, as many as asked", detail::check_clean_up);
    run("clean_up goes by the status and expiry last saved", detail::check_clean_up_follows);
    run("may_contain has no false negative", detail::check_filter);
    run("a store that holds its limit of records is full and goes on", detail::check_records_max);
    run("a record above the limit is too large and changes nothing",
        detail::check_record_bytes_max);
    run("a reopened store gives what was acknowledged", detail::check_reopening);
    run("of saves of one revision at once exactly one succeeds", detail::check_one_winner);
    run("no concurrent update is lost", detail::check_lost_updates);
    run("concurrent operations on different records do not disturb each other",
        detail::check_neighbours);
    run("a reader sees whole records while others write", detail::check_whole_reads);
    if constexpr (durable_store<typename source_type::store_type>) detail::check_operations(run);
    return report;
}

}  // namespace recoup::inline v1::testing
