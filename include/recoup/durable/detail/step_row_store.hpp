// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/errc.hpp>
#include <recoup/durable/detail/operation_run.hpp>
#include <recoup/store/detail/record_codec.hpp>
#include <recoup/store/detail/store_failure.hpp>
#include <recoup/store/persistence_policy.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// The row of one step, seen as a store of one record: what its retries, budget and checkpoint have come
/// to. So a wrapped callable in a step remembers them as it would in any store.
class step_row_store {
  public:
    step_row_store(operation_run& run, step_record& row) noexcept : run_{run}, row_{row} {}
    step_row_store(step_row_store const&) = delete;
    step_row_store& operator=(step_row_store const&) = delete;

    result<std::optional<record>> load(operation_ref id, duration /*at_most*/ = unlimited) {
        if (row_.state.empty()) return std::optional<record>{};
        auto read = decode_record(row_.state);
        if (!read.value || static_cast<operation_ref>(read.value->id) != id)
            return store_failure(
                store_errc::corrupt,
                "the attempts of step " + operation_run::shown(row_.name, row_.id) +
                    " of operation " + display(run_.id()) + " are damaged: " +
                    (read.wrong != nullptr ? read.wrong : "it is of another step"));
        return std::move(read.value);
    }

    result<std::uint64_t> save(record const& what, duration /*at_most*/ = unlimited) {
        auto const revision = what.revision + 1;
        // It was not the callable that failed, but somebody who asked it to stop: the next run goes on
        // with the budget that is left.
        if (what.status == record_status::failed && run_.stopping()) return revision;
        row_.status = step_status::begun;
        row_.state = encode_record(what, revision);
        row_.attempts = what.attempts;
        row_.last_failure = what.last_failure;
        auto written = run_.write_step(row_);
        if (!written.has_value()) return std::move(written).assume_error();
        return revision;
    }

    /// The step's result is written next, in place of this.
    result<void> erase(operation_ref /*id*/, std::uint64_t /*revision*/,
                       duration /*at_most*/ = unlimited) {
        return success();
    }

    result<std::vector<record>> list(record_filter const& /*filter*/) const {
        return std::vector<record>{};
    }
    result<std::size_t> clean_up(system_time /*now*/, std::size_t /*most*/) {
        return std::size_t{0};
    }
    [[nodiscard]] bool may_contain(operation_ref /*id*/) const noexcept {
        return !row_.state.empty();
    }
    /// It cannot tell; nobody asks.
    [[nodiscard]] recoup::durability durability() const noexcept {
        return recoup::durability::none;
    }

  private:
    operation_run& run_;
    step_record& row_;
};

static_assert(persistence_policy<step_row_store>);

}  // namespace recoup::inline v1::detail
