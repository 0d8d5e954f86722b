// SPDX-License-Identifier: BSL-1.0
#include <recoup/testing/store_conformance.hpp>

#include "support/catch.hpp"

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

}  // namespace
