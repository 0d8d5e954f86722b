// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/testing/detail/store_checker.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

// Each check is a function of the source of stores, the options and the checker, and returns false
// where it does not apply.

namespace recoup::inline v1::testing::detail {

inline constexpr auto check_empty = [](auto& source, auto const& options, checker& seen) {
    auto const store = source.fresh();
    expect_absent(*store, {"conformance", "check", "none"}, seen, "from an empty store");
    expect_list(*store, {}, {}, seen, "of an empty store");
    result<std::size_t> const cleaned = store->clean_up(system_time::max(), 100);
    if (seen.expect_value(cleaned, "clean_up"))
        seen.expect(cleaned.value() == 0, "clean_up of an empty store removed something");
    auto const declared = std::as_const(*store).durability();
    seen.expect(!options.durability || declared == *options.durability,
                "durability() is " + std::string{to_string(declared)});
    return true;
};

inline constexpr auto check_fields = [](auto& source, auto const&, checker& seen) {
    auto const store = source.fresh();
    auto full = full_record("full");
    auto plain = small_record("plain");
    for (auto* what : {&full, &plain})
        if (put(*store, *what, seen)) detail::expect_stored(*store, *what, seen);
    for (auto const status :
         {record_status::running, record_status::succeeded, record_status::failed}) {
        auto what = full_record("status " + std::to_string(static_cast<int>(status)));
        what.status = status;
        if (put(*store, what, seen)) detail::expect_stored(*store, what, seen);
    }
    return true;
};

inline constexpr auto check_optional = [](auto& source, auto const&, checker& seen) {
    auto const store = source.fresh();
    for (unsigned set = 0; set != 8; ++set) {
        auto what = small_record("empty " + std::to_string(set));
        if ((set & 1U) != 0) what.checkpoint = "";
        if ((set & 2U) != 0) what.result = "";
        if ((set & 4U) != 0) what.last_failure = recorded_failure{};
        if (put(*store, what, seen)) detail::expect_stored(*store, what, seen);
    }
    return true;
};

inline constexpr auto check_binary = [](auto& source, auto const& options, checker& seen) {
    auto const store = source.fresh();
    std::string every;
    for (int byte = 0; byte != 256; ++byte) every.push_back(static_cast<char>(byte));
    auto what = small_record("binary");
    what.checkpoint = std::string(3, '\0') + every;
    what.result = every + std::string(3, '\0');
    what.last_failure = recorded_failure{category::unknown, 0, "", every};
    if (put(*store, what, seen)) detail::expect_stored(*store, what, seen);
    auto large = small_record("large");
    large.checkpoint.emplace();
    while (large.checkpoint->size() < options.large_value_bytes) *large.checkpoint += every;
    large.checkpoint->resize(options.large_value_bytes);
    if (put(*store, large, seen)) detail::expect_stored(*store, large, seen);
    return true;
};

inline constexpr auto check_extremes = [](auto& source, auto const&, checker& seen) {
    auto const store = source.fresh();
    constexpr auto most32 = std::numeric_limits<std::uint32_t>::max();
    for (auto const high : {false, true}) {
        // It runs: no store may remove it by itself, whenever it expires.
        auto what = small_record(high ? "highest" : "lowest");
        what.fingerprint = high ? std::numeric_limits<std::uint64_t>::max() : 0;
        what.generation = high ? most32 : 0;
        what.attempts = high ? most32 : 0;
        what.spent = high ? most32 : 0;
        what.spent_by_category.fill(high ? most32 : 0);
        what.token.fill(high ? 0xFF : 0);
        what.active = high ? duration::max() : duration::min();
        what.delay = high ? duration::max() : duration::min();
        auto const time = high ? system_time::max() : system_time::min();
        what.due = time;
        what.created = time;
        what.updated = time;
        what.expires = time;
        what.last_failure = recorded_failure{static_cast<category>(high ? category_count - 1 : 0),
                                             high ? std::numeric_limits<std::int32_t>::max()
                                                  : std::numeric_limits<std::int32_t>::min(),
                                             "", ""};
        if (put(*store, what, seen)) detail::expect_stored(*store, what, seen);
    }
    return true;
};

inline constexpr auto check_identities = [](auto& source, auto const&, checker& seen) {
    auto const store = source.fresh();
    std::string const longest(identifier_bytes_max, 'k');
    auto neighbour = longest;
    neighbour.back() = 'l';
    // Cyrillic, a four-byte sign, both ways to write é, and what languages and patterns give a meaning.
    std::vector<operation_id> const ids{{"", "n", "k"},
                                        {"n", "n", "k"},
                                        {"", "nn", "k"},
                                        {"", "n", "kk"},
                                        {"", "nk", "k"},
                                        {"n", "k", "k"},
                                        {"", "n", "K"},
                                        {"", "N", "k"},
                                        {"", "n", "k "},
                                        {"", "n", " k"},
                                        {"", "n", "n/k"},
                                        {"", "n/n", "k"},
                                        {"", "n", "'"},
                                        {"", "n", "\";--"},
                                        {"", "n", "%"},
                                        {"", "n", "_"},
                                        {"", "n", "*"},
                                        {"", "n", "0"},
                                        {"", "n", "00"},
                                        {"", "n", "1e3"},
                                        {"", "n", "1000"},
                                        {"", "n", "NULL"},
                                        {"", "n", "\\"},
                                        {"", "n", "?1"},
                                        {"", "n", "\u0436"},
                                        {"", "n", "\U0001F680"},
                                        {"", "n", "\u00E9"},
                                        {"", "n", "e\u0301"},
                                        {longest, longest, longest},
                                        {longest, longest, neighbour},
                                        {longest, neighbour, longest},
                                        {neighbour, longest, longest}};
    std::vector<record> saved;
    for (auto const& id : ids) {
        auto what = small_record(id.key, id.name, id.space);
        what.fingerprint = saved.size() + 1;
        detail::expect_absent(*store, id, seen, "of another identity");
        if (!put(*store, what, seen)) return true;
        saved.push_back(what);
    }
    for (auto const& what : saved) expect_stored(*store, what, seen);
    result<void> const erased = store->erase(saved[0].id, saved[0].revision, unlimited);
    if (!seen.expect_value(erased, "erase")) return true;
    for (std::size_t i = 1; i != saved.size(); ++i) detail::expect_stored(*store, saved[i], seen);
    return true;
};

inline constexpr auto check_replacing = [](auto& source, auto const&, checker& seen) {
    auto const store = source.fresh();
    auto full = full_record("replaced");
    if (!put(*store, full, seen)) return true;
    auto plain = small_record("replaced");
    plain.revision = full.revision;
    if (put(*store, plain, seen)) detail::expect_stored(*store, plain, seen);
    auto again = full_record("replaced");
    again.revision = plain.revision;
    if (put(*store, again, seen)) detail::expect_stored(*store, again, seen);
    expect_list(*store, {}, {again}, seen, "after replacing");
    return true;
};

inline constexpr auto check_conflicts = [](auto& source, auto const&, checker& seen) {
    auto const store = source.fresh();
    auto what = small_record("one");
    auto const stranger = [&](std::uint64_t revision) {
        auto other = full_record("one");
        other.revision = revision;
        return other;
    };
    result<std::uint64_t> first = store->save(stranger(1), unlimited);
    seen.expect_error(first, store_errc::conflict, "save of revision 1 where there is no record");
    detail::expect_absent(*store, what.id, seen, "that a conflict left");
    if (!put(*store, what, seen)) return true;
    auto const before = what.revision;
    if (!put(*store, what, seen)) return true;
    for (auto const revision :
         {std::uint64_t{0}, before, what.revision + 1, std::numeric_limits<std::uint64_t>::max()}) {
        result<std::uint64_t> const saved = store->save(stranger(revision), unlimited);
        seen.expect_error(saved, store_errc::conflict,
                          "save of revision " + std::to_string(revision) + " over " +
                              std::to_string(what.revision));
        detail::expect_stored(*store, what, seen);
    }
    expect_list(*store, {}, {what}, seen, "after conflicts");
    return true;
};

inline constexpr auto check_erase = [](auto& source, auto const&, checker& seen) {
    auto const store = source.fresh();
    auto what = small_record("one");
    auto other = small_record("other");
    result<void> const absent = store->erase(what.id, 1, unlimited);
    seen.expect_value(absent, "erase of what is not there");
    if (!put(*store, what, seen) || !put(*store, other, seen)) return true;
    auto const before = what.revision;
    if (!put(*store, what, seen)) return true;
    for (auto const revision : {std::uint64_t{0}, before, what.revision + 1}) {
        result<void> const erased = store->erase(what.id, revision, unlimited);
        seen.expect_error(erased, store_errc::conflict,
                          "erase of revision " + std::to_string(revision) + " of a record at " +
                              std::to_string(what.revision));
        detail::expect_stored(*store, what, seen);
    }
    result<void> const erased = store->erase(what.id, what.revision, unlimited);
    seen.expect_value(erased, "erase");
    detail::expect_absent(*store, what.id, seen, "that was erased");
    expect_list(*store, {}, {other}, seen, "after an erase");
    result<void> const again = store->erase(what.id, what.revision, unlimited);
    seen.expect_value(again, "a second erase");
    return true;
};

inline constexpr auto check_fence_after_erase = [](auto& source, auto const&, checker& seen) {
    auto const store = source.fresh();
    auto old = small_record("one");
    if (!put(*store, old, seen) || !put(*store, old, seen)) return true;
    result<void> const erased = store->erase(old.id, old.revision, unlimited);
    if (!seen.expect_value(erased, "erase")) return true;
    auto fresh = full_record("one");
    if (!put(*store, fresh, seen) || !put(*store, fresh, seen)) return true;
    for (auto revision = std::uint64_t{1}; revision <= old.revision && revision < 100; ++revision) {
        auto late = old;
        late.revision = revision;
        result<std::uint64_t> const saved = store->save(late, unlimited);
        seen.expect_error(saved, store_errc::conflict,
                          "save by one who last saw the record that was erased");
    }
    detail::expect_stored(*store, fresh, seen);
    return true;
};

/// Records in the order in which `list` has to give them.
template <class Store>
std::vector<record> put_many(Store& store, checker& seen) {
    std::vector<record> saved;
    for (auto const* space : {"b", "", "a"}) {
        for (auto const* name : {"n2", "n", "\u00E9"}) {
            for (auto const* key : {"k10", "k2", "\u0436", "k", "K"}) {
                auto what = small_record(key, name, space);
                what.status = static_cast<record_status>(1 + saved.size() % 3);
                if (!put(store, what, seen)) return {};
                saved.push_back(what);
            }
        }
    }
    std::sort(saved.begin(), saved.end(), [](record const& left, record const& right) {
        return std::tie(left.id.space, left.id.name, left.id.key) <
               std::tie(right.id.space, right.id.name, right.id.key);
    });
    return saved;
}

inline std::vector<record> those(std::vector<record> const& all, auto const& wanted) {
    std::vector<record> some;
    for (auto const& what : all)
        if (wanted(what)) some.push_back(what);
    return some;
}

inline constexpr auto check_list = [](auto& source, auto const&, checker& seen) {
    auto const store = source.fresh();
    auto const all = put_many(*store, seen);
    if (all.empty()) return true;
    expect_list(*store, {}, all, seen, "without a filter");
    for (auto const status :
         {record_status::running, record_status::succeeded, record_status::failed})
        expect_list(*store, {.status = status},
                    those(all, [&](record const& what) { return what.status == status; }), seen,
                    "by status");
    for (auto const* name : {"n", "n2", "\u00E9", "none"})
        expect_list(*store, {.name = name},
                    those(all, [&](record const& what) { return what.id.name == name; }), seen,
                    "by name");
    expect_list(*store, {.status = record_status::failed, .name = "n2"},
                those(all,
                      [](record const& what) {
                          return what.status == record_status::failed && what.id.name == "n2";
                      }),
                seen, "by status and name");
    return true;
};

inline constexpr auto check_paging = [](auto& source, auto const&, checker& seen) {
    auto const store = source.fresh();
    auto const all = put_many(*store, seen);
    if (all.empty()) return true;
    expect_list(*store, {.limit = 0}, {}, seen, "of none");
    for (auto const size : {std::size_t{1}, std::size_t{7}, all.size()}) {
        record_filter page{.limit = size};
        for (std::size_t from = 0; from < all.size() + size; from += size) {
            auto const begin = std::min(from, all.size());
            auto const end = std::min(from + size, all.size());
            expect_list(*store, page,
                        {all.begin() + static_cast<std::ptrdiff_t>(begin),
                         all.begin() + static_cast<std::ptrdiff_t>(end)},
                        seen, "page by page");
            if (end != 0) page.after = all[end - 1].id;
        }
    }
    auto const behind = operation_id{"a", "n", "k1"};  // where no record is
    expect_list(*store, {.after = behind},
                those(all,
                      [&](record const& what) {
                          return std::tie(what.id.space, what.id.name, what.id.key) >
                                 std::tie(behind.space, behind.name, behind.key);
                      }),
                seen, "behind an identity without a record");
    auto const failed =
        those(all, [](record const& what) { return what.status == record_status::failed; });
    record_filter second{.status = record_status::failed, .limit = 2};
    second.after = failed[1].id;
    expect_list(*store, second, {failed[2], failed[3]}, seen, "by status, the second page");
    return true;
};

inline constexpr auto check_clean_up = [](auto& source, auto const&, checker& seen) {
    auto const store = source.fresh();
    std::vector<record> kept;
    constexpr auto now = base_time + std::chrono::hours{10};
    std::size_t number = 0;
    for (auto const status :
         {record_status::running, record_status::succeeded, record_status::failed}) {
        for (auto const expires : {base_time + duration{1}, now - duration{1}, now,
                                   now + duration{1}, system_time::max()}) {
            auto what = small_record("record " + std::to_string(100 + number++));
            what.status = status;
            what.expires = expires;
            if (!put(*store, what, seen)) return true;
            if (status == record_status::running || expires > now) kept.push_back(what);
        }
    }
    result<std::size_t> const early = store->clean_up(base_time, 100);
    if (seen.expect_value(early, "clean_up"))
        seen.expect(early.value() == 0, "clean_up removed records before they expired");
    result<std::size_t> const none = store->clean_up(now, 0);
    if (seen.expect_value(none, "clean_up"))
        seen.expect(none.value() == 0, "clean_up of at most 0 removed records");
    std::vector<std::size_t> counts;
    for (auto round = 0; round != 3; ++round) {
        result<std::size_t> const cleaned = store->clean_up(now, 4);
        if (!seen.expect_value(cleaned, "clean_up")) return true;
        counts.push_back(cleaned.value());
    }
    seen.expect(counts == std::vector<std::size_t>{4, 2, 0},
                "clean_up of at most 4, three times over 6 expired records, removed " +
                    std::to_string(counts[0]) + ", " + std::to_string(counts[1]) + " and " +
                    std::to_string(counts[2]));
    expect_list(*store, {}, kept, seen, "after clean_up");
    return true;
};

inline constexpr auto check_clean_up_follows = [](auto& source, auto const&, checker& seen) {
    auto const store = source.fresh();
    auto what = small_record("one");
    constexpr auto soon = base_time + duration{1};
    what.status = record_status::failed;
    what.expires = soon;
    if (!put(*store, what, seen)) return true;
    what.status = record_status::running;  // begun again: it must stay
    if (!put(*store, what, seen)) return true;
    result<std::size_t> const running = store->clean_up(soon, 100);
    if (seen.expect_value(running, "clean_up"))
        seen.expect(running.value() == 0, "clean_up removed a record that runs again");
    detail::expect_stored(*store, what, seen);
    what.status = record_status::succeeded;
    what.expires = soon + duration{1};
    if (!put(*store, what, seen)) return true;
    result<std::size_t> const kept = store->clean_up(soon, 100);
    if (seen.expect_value(kept, "clean_up"))
        seen.expect(kept.value() == 0, "clean_up removed a record by an expiry of before");
    result<std::size_t> const gone = store->clean_up(soon + duration{1}, 100);
    if (seen.expect_value(gone, "clean_up"))
        seen.expect(gone.value() == 1, "clean_up left a record whose expiry was changed");
    detail::expect_absent(*store, what.id, seen, "that was cleaned up");
    auto again = small_record("one");
    if (put(*store, again, seen)) detail::expect_stored(*store, again, seen);
    return true;
};

}  // namespace recoup::inline v1::testing::detail
