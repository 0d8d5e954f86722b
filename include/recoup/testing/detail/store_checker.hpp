// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/persistence_policy.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace recoup::inline v1::testing {

/// One thing that a store does otherwise than its contract says.
struct violation {
    std::string check{};  ///< which check found it, as a sentence
    std::string what{};   ///< what was seen, and what was expected

    friend bool operator==(violation const&, violation const&) = default;
};

/// What `check_store` needs to know of the stores that it is given.
struct store_conformance_options {
    std::optional<recoup::durability> durability{};  ///< the one they must declare
    std::optional<std::size_t> records_max{};        ///< where set, their limit is checked
    std::optional<std::size_t> operations_max{};     ///< where set, their limit is checked
    std::optional<std::size_t> record_bytes_max{};   ///< where set, their limit is checked
    std::size_t large_value_bytes = std::size_t{1}
                                    << 18U;  ///< of the largest values that are saved
    unsigned threads = 4;                    ///< that use a store at once
    unsigned rounds = 50;                    ///< saves that each of them makes
};

namespace detail {

inline constexpr std::size_t violations_per_check_max = 10;

/// Collects what one check finds.
class checker {
  public:
    checker(char const* check, std::vector<violation>& found) : check_{check}, found_{&found} {}

    void fail(std::string what) {
        if (++failed_ <= violations_per_check_max) found_->push_back({check_, std::move(what)});
    }
    bool expect(bool holds, std::string_view otherwise) {
        if (!holds) fail(std::string{otherwise});
        return holds;
    }
    template <class Result>
    bool expect_value(Result const& got, std::string_view call) {
        if (got.has_value()) return true;
        fail(std::string{call} + " failed: " + got.error().describe());
        return false;
    }
    template <class Result>
    void expect_error(Result const& got, store_errc expected, std::string_view call) {
        auto const wanted = make_error_code(expected);
        if (got.has_value())
            fail(std::string{call} + " succeeded; expected: " + wanted.message());
        else if (got.error().code() != wanted)
            fail(std::string{call} + " failed with: " + got.error().describe() +
                 "; expected: " + wanted.message());
    }

  private:
    char const* check_;
    std::vector<violation>* found_;
    std::size_t failed_ = 0;
};

template <class Stores>
auto fresh_store(Stores& stores) {
    if constexpr (requires { stores.fresh(); })
        return stores.fresh();
    else
        return stores();
}

/// Makes stores, from a callable or from an object with `fresh()` and perhaps `reopen()`.
template <class Stores>
class store_source {
  public:
    explicit store_source(Stores& stores) noexcept : stores_{&stores} {}

    static constexpr bool reopens = requires(Stores& stores) { stores.reopen(); };

    auto fresh() { return detail::fresh_store(*stores_); }
    auto reopen()
        requires reopens
    {
        return stores_->reopen();
    }

    using store_type = std::remove_cvref_t<decltype(*detail::fresh_store(std::declval<Stores&>()))>;

  private:
    Stores* stores_;
};

/// Far enough ahead that a store which cleans up by itself leaves the checks' records alone.
inline constexpr system_time base_time{duration{std::chrono::seconds{4'102'444'800}}};  // 2100

/// The names of the fields in which two records differ.
inline std::string differences(record const& left, record const& right) {
    std::string names;
    auto const compare = [&](bool same, char const* name) {
        if (!same) names += (names.empty() ? "" : ", ") + std::string{name};
    };
    compare(left.id == right.id, "id");
    compare(left.revision == right.revision, "revision");
    compare(left.fingerprint == right.fingerprint, "fingerprint");
    compare(left.status == right.status, "status");
    compare(left.generation == right.generation, "generation");
    compare(left.attempts == right.attempts, "attempts");
    compare(left.spent == right.spent, "spent");
    compare(left.spent_by_category == right.spent_by_category, "spent_by_category");
    compare(left.token == right.token, "token");
    compare(left.active == right.active, "active");
    compare(left.delay == right.delay, "delay");
    compare(left.due == right.due, "due");
    compare(left.created == right.created, "created");
    compare(left.updated == right.updated, "updated");
    compare(left.expires == right.expires, "expires");
    compare(left.checkpoint == right.checkpoint, "checkpoint");
    compare(left.result == right.result, "result");
    compare(left.last_failure == right.last_failure, "last_failure");
    return names;
}

/// A record that runs, with little in it.
inline record small_record(std::string key, std::string name = "check",
                           std::string space = "conformance") {
    record what;
    what.id = {std::move(space), std::move(name), std::move(key)};
    what.created = base_time;
    what.updated = base_time;
    return what;
}

/// A record in which no field has its default value.
inline record full_record(std::string key) {
    auto what = small_record(std::move(key));
    what.fingerprint = 0xFEDCBA9876543210U;
    what.status = record_status::failed;
    what.generation = 3;
    what.attempts = 17;
    what.spent = 11;
    for (std::size_t i = 0; i != category_count; ++i)
        what.spent_by_category[i] = static_cast<std::uint32_t>(i * 1000 + 1);
    for (std::size_t i = 0; i != what.token.size(); ++i)
        what.token[i] = static_cast<std::uint8_t>(0xF0U + i);
    what.active = duration{123'456'789'012'345};
    what.delay = duration{987'654'321};
    what.due = base_time + duration{1};
    what.created = base_time + duration{2};
    what.updated = base_time + duration{3};
    what.expires = base_time + std::chrono::hours{1000};
    what.checkpoint = "a checkpoint";
    what.result = "a result";
    what.last_failure =
        recorded_failure{category::network_tls, -35, "curl", "the handshake failed"};
    return what;
}

/// Saves `what` and notes its new revision in it.
template <class Store>
bool put(Store& store, record& what, checker& seen) {
    result<std::uint64_t> saved = store.save(what, unlimited);
    if (!seen.expect_value(saved, "save")) return false;
    auto const greater = saved.value() > what.revision;
    what.revision = saved.value();
    return seen.expect(greater, "save returned a revision that is not greater than the one before");
}

/// Expects `store` to hold exactly `what` under its identity.
template <class Store>
bool expect_stored(Store& store, record const& what, checker& seen) {
    result<std::optional<record>> loaded = store.load(what.id, unlimited);
    if (!seen.expect_value(loaded, "load")) return false;
    if (!seen.expect(loaded.value().has_value(), "load gave nothing for a record that was saved"))
        return false;
    auto const differing = differences(*loaded.value(), what);
    return seen.expect(differing.empty(), "load gave other values than were saved: " + differing);
}

template <class Store>
void expect_absent(Store& store, operation_ref id, checker& seen, std::string_view when) {
    result<std::optional<record>> loaded = store.load(id, unlimited);
    if (seen.expect_value(loaded, "load"))
        seen.expect(!loaded.value().has_value(), "load gave a record " + std::string{when});
}

/// Expects `list(filter)` to give exactly `expected`, in that order.
template <class Store>
void expect_list(Store& store, record_filter const& filter, std::vector<record> const& expected,
                 checker& seen, std::string_view which) {
    result<std::vector<record>> listed = store.list(filter);
    if (!seen.expect_value(listed, "list")) return;
    auto const& got = listed.value();
    auto const about = "list " + std::string{which} + " gave ";
    seen.expect(got.size() == expected.size(), about + std::to_string(got.size()) +
                                                   " records; expected " +
                                                   std::to_string(expected.size()));
    for (std::size_t i = 0; i != std::min(got.size(), expected.size()); ++i) {
        auto const differing = differences(got[i], expected[i]);
        if (!seen.expect(differing.empty(), about + "another record at place " + std::to_string(i) +
                                                ": it differs in " + differing))
            return;
    }
}

}  // namespace detail

}  // namespace recoup::inline v1::testing
