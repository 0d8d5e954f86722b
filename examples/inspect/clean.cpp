// SPDX-License-Identifier: BSL-1.0
#include "inspect/clean.hpp"

#include "inspect/exit_code.hpp"

#include <recoup/store/store_errc.hpp>

namespace inspect {

namespace {

constexpr std::size_t page = 256;

/// Whether it went; one that somebody has changed or owns by now stays.
bool gone(recoup::result<void> const& removed) {
    if (removed.has_value()) return true;
    auto const code = removed.error().code();
    if (code == recoup::store_errc::conflict || code == recoup::store_errc::owned ||
        code == recoup::store_errc::fenced)
        return false;
    throw problem_of(removed.error());
}

template <class Entry>
bool is_old(Entry const& what, recoup::system_time before) {
    if constexpr (requires { what.epoch; }) {
        if (!has_ended(what.status)) return false;
    } else {
        if (what.status == recoup::record_status::running) return false;
    }
    return what.updated < before;
}

}  // namespace

std::size_t clean(store& in, std::optional<recoup::duration> older_than, recoup::system_time now) {
    std::size_t removed = 0;
    for (auto more = true; more;) {
        auto const some = value_of(in.clean_up(now, page));
        removed += some;
        more = some == page;
    }
    if (!older_than) return removed;
    auto const before = recoup::saturating_add(now, -*older_than);
    recoup::operation_filter operations;
    operations.limit = page;
    for (auto more = true; more;) {
        auto const some = value_of(in.operations(operations));
        more = some.size() == page;
        for (auto const& each : some) {
            operations.after = each.number;
            if (is_old(each, before) && gone(in.remove(each))) ++removed;
        }
    }
    recoup::record_filter records;
    records.limit = page;
    for (auto more = true; more;) {
        auto const some = value_of(in.records(records));
        more = some.size() == page;
        for (auto const& each : some) {
            records.after = each.id;
            if (is_old(each, before) && gone(in.remove(each))) ++removed;
        }
    }
    return removed;
}

}  // namespace inspect
