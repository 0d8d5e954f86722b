// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/persistence_policy.hpp>
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

/// Checks the whole written contract of `persistence_policy` on any model of it.
///
/// `stores` makes them: either a callable that returns a pointer (`std::unique_ptr`, …) to a store on
/// fresh, empty storage; or an object with that as `fresh()`, and `reopen()` that returns a pointer to
/// a new store on the storage of the last `fresh()`. `reopen` is called when the store before it is
/// gone; only durable stores need it.
///
/// Effects: makes about twenty stores, one at a time, and starts some threads; about two thousand
/// saves in all. What a store throws counts as a violation.
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
    return report;
}

}  // namespace recoup::inline v1::testing
