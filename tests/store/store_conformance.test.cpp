// SPDX-License-Identifier: BSL-1.0
#include <recoup/testing/store_conformance.hpp>

#include "support/catch.hpp"

#include "store/faulty_durable_store.hpp"
#include "store/faulty_store.hpp"

#include <recoup/store/memory_store.hpp>

#include <algorithm>
#include <memory>
#include <sstream>

namespace {

using recoup::testing::check_store;
using recoup::testing::store_conformance_options;
using recoup_test::bug;
using recoup_test::faulty_stores;

struct not_a_store {};
static_assert(recoup::persistence_policy<recoup_test::faulty_store>);
static_assert(!recoup::persistence_policy<not_a_store>);

store_conformance_options const limited{
    .durability = recoup::durability::none,
    .records_max = recoup_test::faulty_limits{}.records_max,
    .record_bytes_max = recoup_test::faulty_limits{}.record_bytes_max,
    .rounds = 20};

TEST_CASE("a store without a mistake passes every check of the suite") {
    auto const report = check_store(faulty_stores{bug::none}, limited);
    INFO(report);
    CHECK(report.ok());
    CHECK(report.checked.size() == 22);
    CHECK(report.skipped.empty());
}

TEST_CASE("what a store has not is skipped and said") {
    auto const report =
        check_store([] { return std::make_unique<recoup_test::faulty_store>(bug::none); });
    CHECK(report.ok());
    CHECK(report.skipped ==
          std::vector<std::string>{"a store that holds its limit of records is full and goes on",
                                   "a record above the limit is too large and changes nothing",
                                   "a reopened store gives what was acknowledged"});
}

TEST_CASE("the suite finds each of many mistakes, by the check that is for it") {
    constexpr auto fields = "every field comes back as it was saved";
    constexpr auto binary = "binary and large values come back byte for byte";
    constexpr auto extremes = "extreme numbers and times come back";
    constexpr auto identities = "identities of any text and length are told apart";
    constexpr auto conflicts = "a save against another revision is a conflict and changes nothing";
    constexpr auto erase = "an erase removes the record of that revision and nothing else";
    constexpr auto fence = "who saw a record before it was erased cannot overwrite the next one";
    constexpr auto list = "list gives what matches, in the order of namespace, name and key";
    constexpr auto paging = "list reads page by page";
    constexpr auto clean_up = "clean_up removes what has ended and expired, as many as asked";
    constexpr auto filter = "may_contain has no false negative";
    constexpr auto full = "a store that holds its limit of records is full and goes on";
    constexpr auto reopened = "a reopened store gives what was acknowledged";
    auto const [which, expected] = GENERATE_COPY(table<bug, char const*>({
        {bug::drops_checkpoint, fields},
        {bug::drops_failure_text, fields},
        {bug::drops_category_count, fields},
        {bug::drops_token, fields},
        {bug::fails_on_success, fields},
        {bug::empty_is_absent,
         "what is absent comes back absent, and what is empty comes back empty"},
        {bug::cuts_at_nul, binary},
        {bug::cuts_large_values, binary},
        {bug::times_in_microseconds, extremes},
        {bug::numbers_are_signed, extremes},
        {bug::keeps_old_fields, "a save replaces the whole record"},
        {bug::cuts_keys, identities},
        {bug::folds_case, identities},
        {bug::joins_parts, identities},
        {bug::ignores_space, identities},
        {bug::keys_are_numbers, identities},
        {bug::ignores_revision, conflicts},
        {bug::revision_not_raised, "a save replaces the whole record"},
        {bug::conflict_writes, conflicts},
        {bug::insert_overwrites, conflicts},
        {bug::conflict_is_unavailable, conflicts},
        {bug::throws_on_conflict, conflicts},
        {bug::saves_after_the_end, conflicts},
        {bug::revisions_start_again, fence},
        {bug::erase_ignores_revision, erase},
        {bug::erase_of_nothing_fails, erase},
        {bug::erase_does_nothing, erase},
        {bug::erases_neighbours, erase},
        {bug::list_is_unordered, list},
        {bug::list_ignores_status, list},
        {bug::list_ignores_name, list},
        {bug::list_without_values, "a save replaces the whole record"},
        {bug::list_ignores_after, paging},
        {bug::list_ignores_limit, paging},
        {bug::list_limits_before_filtering, paging},
        {bug::list_includes_after, paging},
        {bug::clean_up_takes_running, clean_up},
        {bug::clean_up_early, clean_up},
        {bug::clean_up_late, clean_up},
        {bug::clean_up_without_bound, clean_up},
        {bug::clean_up_counts_wrong, clean_up},
        {bug::clean_up_by_first_expiry, "clean_up goes by the status and expiry last saved"},
        {bug::not_empty, "a new store is empty and declares its durability"},
        {bug::wrong_durability, "a new store is empty and declares its durability"},
        {bug::filter_denies, filter},
        {bug::filter_forgets_on_conflict, filter},
        {bug::filter_forgets_on_erase, filter},
        {bug::never_full, full},
        {bug::full_refuses_updates, full},
        {bug::full_stays_full, full},
        {bug::never_too_large, "a record above the limit is too large and changes nothing"},
        {bug::reopens_empty, reopened},
        {bug::reopens_older, reopened},
        {bug::reopens_without_fence, reopened},
    }));
    auto const report = check_store(faulty_stores{which}, limited);
    INFO("mistake " << static_cast<int>(which) << '\n' << report);
    CHECK_FALSE(report.ok());
    CHECK(std::any_of(report.violations.begin(), report.violations.end(),
                      [&](auto const& found) { return found.check == expected; }));
}

TEST_CASE("the suite finds mistakes that only concurrent calls show", "[concurrent]") {
    auto const [which, expected] = GENERATE(table<bug, char const*>({
        {bug::loses_updates, "of saves of one revision at once exactly one succeeds"},
        {bug::loses_updates, "no concurrent update is lost"},
        {bug::saves_in_parts, "a reader sees whole records while others write"},
        {bug::shares_a_slot,
         "concurrent operations on different records do not disturb each other"},
    }));
    auto const report = check_store(faulty_stores{which}, {.rounds = 100});
    INFO("mistake " << static_cast<int>(which) << '\n' << report);
    CHECK(std::any_of(report.violations.begin(), report.violations.end(),
                      [&](auto const& found) { return found.check == expected; }));
}

TEST_CASE("a report prints what was violated, and a failed check says so at most ten times") {
    auto const report = check_store(faulty_stores{bug::drops_token}, limited);
    std::ostringstream printed;
    printed << report;
    CHECK_THAT(printed.str(),
               Catch::Matchers::ContainsSubstring(
                   "violated: every field comes back as it was saved: load gave other values than "
                   "were saved: token\n"));
    for (auto const& check : report.checked)
        CHECK(std::count_if(report.violations.begin(), report.violations.end(),
                            [&](auto const& found) { return found.check == check; }) <= 10);
}

static_assert(recoup::durable_store<recoup_test::faulty_durable_store>);
static_assert(!recoup::durable_store<recoup_test::faulty_store>);

store_conformance_options const limited_operations{.operations_max = 100,
                                                   .record_bytes_max = 1U << 16U,
                                                   .large_value_bytes = 1U << 14U,
                                                   .rounds = 24};

TEST_CASE("a durable store without a mistake passes every check of the suite", "[concurrent]") {
    auto const report = check_store(
        recoup_test::faulty_durable_stores{recoup_test::durable_bug::none}, limited_operations);
    INFO(report);
    CHECK(report.ok());
    CHECK(report.checked.size() == 22 + 38 - 2);
    CHECK(report.skipped ==
          std::vector<std::string>{"may_contain has no false negative",
                                   "a store that holds its limit of records is full and goes on"});
}

TEST_CASE("the suite finds each of many mistakes of a durable store, by the check that is for it",
          "[concurrent]") {
    using recoup_test::durable_bug;
    constexpr auto start =
        "start records an operation under a new number, in epoch 1, with its owner";
    constexpr auto numbers = "no number and no owner comes again, also after a removal";
    constexpr auto binary = "empty, binary and large values of operations and steps come back";
    constexpr auto identities = "operations of any identity are told apart, and from records";
    constexpr auto head = "a write replaces the head but for what is the store's";
    constexpr auto steps =
        "steps are added, replaced by their index, and dropped where that is asked";
    constexpr auto fence =
        "a write of another epoch, without an owner or after a removal is fenced";
    constexpr auto wanted =
        "claim gives operations of the names and the namespace that were asked for";
    constexpr auto due = "claim gives what is pending or running, and due";
    constexpr auto order = "claim gives those due first first, and as many as asked";
    constexpr auto values = "claim raises the epoch, notes the owner and changes nothing else";
    constexpr auto owned = "claim leaves what a living owner has, and gives it once that has left";
    constexpr auto take = "take claims one operation of any status under its epoch";
    constexpr auto cancel = "a wish to cancel is told, also to who has the operation next";
    constexpr auto stays = "a wish to cancel stays over heads whose writers have not heard of it";
    constexpr auto dropped = "a wish to cancel goes with the write that drops it";
    constexpr auto remove = "remove takes an operation and its steps, under the conditions of take";
    constexpr auto list = "operations gives what matches in the order of numbers, page by page";
    constexpr auto clean_up =
        "clean_up removes operations that have ended and expired, with their steps";
    auto const [which, expected] = GENERATE_COPY(table<durable_bug, char const*>({
        {durable_bug::epoch_starts_at_zero, start},
        {durable_bug::start_forgets_owner, start},
        {durable_bug::start_overwrites,
         "a start of what is there gives it back and changes nothing"},
        {durable_bug::numbers_come_again, numbers},
        {durable_bug::owners_come_again, numbers},
        {durable_bug::drops_note, "every field of an operation comes back as it was written"},
        {durable_bug::drops_step_state, "every field of a step comes back as it was written"},
        {durable_bug::empty_result_is_absent, binary},
        {durable_bug::step_value_ends_at_nul, binary},
        {durable_bug::counts_are_signed,
         "extreme numbers and times of operations and steps come back"},
        {durable_bug::folds_keys, identities},
        {durable_bug::is_also_a_record, identities},
        {durable_bug::head_takes_parent, head},
        {durable_bug::head_keeps_result, head},
        {durable_bug::steps_by_insertion, steps},
        {durable_bug::steps_not_replaced, steps},
        {durable_bug::drop_steps_comes_last, steps},
        {durable_bug::ignores_epoch, fence},
        {durable_bug::writes_without_owner, fence},
        {durable_bug::fenced_write_drops_steps, fence},
        {durable_bug::conflict_for_fenced, fence},
        {durable_bug::release_forgotten, "a last write records and gives back in one"},
        {durable_bug::claims_any_name, wanted},
        {durable_bug::claims_any_space, wanted},
        {durable_bug::claims_blocked, due},
        {durable_bug::claims_early, due},
        {durable_bug::ignores_set_back_clock,
         "claim gives what sleeps since the clock was set back"},
        {durable_bug::claims_by_number, order},
        {durable_bug::ignores_limit, order},
        {durable_bug::epoch_not_raised, values},
        {durable_bug::claim_sets_running, values},
        {durable_bug::claims_from_the_living, owned},
        {durable_bug::left_owner_lives_on, owned},
        {durable_bug::take_only_pending, take},
        {durable_bug::take_ignores_epoch, take},
        {durable_bug::take_from_the_living, take},
        {durable_bug::receipt_tells_after, dropped},
        {durable_bug::wish_forgotten, cancel},
        {durable_bug::wish_stays, dropped},
        {durable_bug::head_clears_wish, stays},
        {durable_bug::last_head_clears_wish, stays},
        {durable_bug::head_brings_no_wish, stays},
        {durable_bug::drop_needs_no_head, dropped},
        {durable_bug::renew_tells_all, cancel},
        {durable_bug::renews_the_dead, "renew is refused to who is not alive"},
        {durable_bug::remove_from_the_living, remove},
        {durable_bug::remove_leaves_steps, remove},
        {durable_bug::list_ignores_parent, list},
        {durable_bug::list_includes_after, list},
        {durable_bug::list_limits_first, list},
        {durable_bug::list_by_key, list},
        {durable_bug::clean_up_takes_dead, clean_up},
        {durable_bug::clean_up_leaves_steps, clean_up},
        {durable_bug::clean_up_counts_steps, clean_up},
        {durable_bug::never_full_of_operations,
         "a store that holds its limit of operations is full and goes on"},
        {durable_bug::large_step_is_cut,
         "an operation or step above the limit is too large and changes nothing"},
        {durable_bug::reopens_without_steps,
         "a reopened store gives the operations and steps that were acknowledged"},
        {durable_bug::reopens_with_living_owners,
         "a reopened store takes owners of before for dead"},
        {durable_bug::transact_keeps_step_of_failure,
         "what a transaction records is recorded whole, under the fence"},
        {durable_bug::starts_twice, "of starts of one operation at once exactly one makes it"},
        {durable_bug::claims_twice, "no operation is claimed twice by claims at once"},
        {durable_bug::takes_twice, "of takes of one epoch at once exactly one succeeds"},
        {durable_bug::mixes_up_writers,
         "concurrent writes to different operations do not disturb each other"},
        {durable_bug::fenced_write_spoils_the_next,
         "a fenced write among concurrent ones spoils none of the others"},
        {durable_bug::writes_in_parts,
         "a reader sees head and steps of one write together or not at all"},
        {durable_bug::head_and_wish_race,
         "a wish to cancel is not lost among heads that are written at once"},
    }));
    auto const report = check_store(recoup_test::faulty_durable_stores{which}, limited_operations);
    INFO("mistake " << static_cast<int>(which) << '\n' << report);
    CHECK(std::any_of(report.violations.begin(), report.violations.end(),
                      [&](auto const& found) { return found.check == expected; }));
}

}  // namespace
