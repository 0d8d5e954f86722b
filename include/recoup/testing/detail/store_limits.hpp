// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/testing/detail/store_checker.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

// Checks that call for something of the store: a filter, a limit, or storage that outlives it.

namespace recoup::inline v1::testing::detail {

template <class Store>
concept has_filter = requires(Store& store, operation_ref id) {
    { store.may_contain(id) } noexcept -> std::same_as<bool>;
};

template <class Store>
void expect_may_contain(Store& store, record const& what, checker& seen) {
    seen.expect(store.may_contain(what.id),
                "may_contain denies a record that load gives: key " + what.id.key);
}

inline constexpr auto check_filter = [](auto& source, auto const&, checker& seen) {
    using store_type = typename std::remove_cvref_t<decltype(source)>::store_type;
    if constexpr (!has_filter<store_type>) {
        return false;
    } else {
        auto const store = source.fresh();
        std::vector<record> saved;
        for (int i = 0; i != 300; ++i) {
            auto what = small_record(std::to_string(i));
            if (!put(*store, what, seen)) return true;
            saved.push_back(what);
        }
        for (std::size_t i = 0; i < saved.size(); i += 2) {
            result<void> const erased = store->erase(saved[i].id, saved[i].revision, unlimited);
            if (!seen.expect_value(erased, "erase")) return true;
            result<void> const again = store->erase(saved[i].id, saved[i].revision, unlimited);
            if (!seen.expect_value(again, "a second erase")) return true;
            if (!put(*store, saved[i + 1], seen)) return true;
        }
        for (std::size_t i = 1; i < saved.size(); i += 2) {
            auto stale = saved[i];
            stale.revision = 0;
            result<std::uint64_t> const refused = store->save(stale, unlimited);
            seen.expect_error(refused, store_errc::conflict, "save of what is there as new");
            detail::expect_may_contain(*store, saved[i], seen);
        }
        return true;
    }
};

inline constexpr auto check_records_max = [](auto& source, auto const& options, checker& seen) {
    if (!options.records_max) return false;
    auto const store = source.fresh();
    std::vector<record> saved;
    for (std::size_t i = 0; i != *options.records_max; ++i) {
        auto what = small_record(std::to_string(100'000 + i));
        if (!put(*store, what, seen)) return true;
        saved.push_back(what);
    }
    auto one_more = small_record("one more");
    result<std::uint64_t> const refused = store->save(one_more, unlimited);
    seen.expect_error(refused, store_errc::full, "save of one record more than the limit");
    detail::expect_absent(*store, one_more.id, seen, "that was refused");
    if (put(*store, saved.back(), seen)) detail::expect_stored(*store, saved.back(), seen);
    result<void> const erased = store->erase(saved.back().id, saved.back().revision, unlimited);
    if (!seen.expect_value(erased, "erase from a full store")) return true;
    if (put(*store, one_more, seen)) detail::expect_stored(*store, one_more, seen);
    saved.back() = one_more;
    expect_list(*store, {.limit = saved.size() + 1}, saved, seen, "of a full store");
    return true;
};

inline constexpr auto check_record_bytes_max = [](auto& source, auto const& options,
                                                  checker& seen) {
    if (!options.record_bytes_max) return false;
    auto const store = source.fresh();
    auto what = small_record("growing");
    what.result = "kept";
    if (!put(*store, what, seen)) return true;
    auto large = what;
    large.result->assign(*options.record_bytes_max + 1, 'x');
    result<std::uint64_t> const refused = store->save(large, unlimited);
    seen.expect_error(refused, store_errc::too_large, "save of a record above the limit");
    detail::expect_stored(*store, what, seen);
    auto fresh = large;
    fresh.id.key = "new";
    fresh.revision = 0;
    result<std::uint64_t> const also = store->save(fresh, unlimited);
    seen.expect_error(also, store_errc::too_large, "first save of a record above the limit");
    detail::expect_absent(*store, fresh.id, seen, "that was refused");
    return true;
};

inline constexpr auto check_reopening = [](auto& source, auto const&, checker& seen) {
    if constexpr (!std::remove_cvref_t<decltype(source)>::reopens) {
        return false;
    } else {
        std::vector<record> kept;
        auto gone = small_record("z erased");
        {
            auto const store = source.fresh();
            kept = {full_record("full"), small_record("plain"), small_record("replaced")};
            for (auto& what : kept)
                if (!put(*store, what, seen)) return true;
            if (!put(*store, kept.back(), seen) || !put(*store, gone, seen)) return true;
            result<void> const erased = store->erase(gone.id, gone.revision, unlimited);
            if (!seen.expect_value(erased, "erase")) return true;
        }
        auto const store = source.reopen();
        for (auto const& what : kept) {
            expect_stored(*store, what, seen);
            if constexpr (has_filter<std::remove_cvref_t<decltype(*store)>>)
                expect_may_contain(*store, what, seen);
        }
        expect_list(*store, {}, kept, seen, "after reopening");
        expect_absent(*store, gone.id, seen, "that was erased before reopening");
        auto stale = kept.back();
        --stale.revision;
        result<std::uint64_t> const refused = store->save(stale, unlimited);
        seen.expect_error(refused, store_errc::conflict, "save of an old revision after reopening");
        auto const late = gone;  // by one who saw it before it was erased
        auto fresh = full_record("z erased");
        for (int round = 0; round != 10 && fresh.revision <= late.revision; ++round) {
            if (!put(*store, fresh, seen)) return true;
            result<std::uint64_t> const fenced = store->save(late, unlimited);
            seen.expect_error(fenced, store_errc::conflict,
                              "save by one who last saw the record that was erased");
            expect_stored(*store, fresh, seen);
        }
        if (put(*store, kept.front(), seen)) expect_stored(*store, kept.front(), seen);
        return true;
    }
};

}  // namespace recoup::inline v1::testing::detail
