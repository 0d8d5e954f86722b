// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/durable/detail/active_runs.hpp>
#include <recoup/durable/detail/durable_ports.hpp>
#include <recoup/durable/detail/operation_runner.hpp>
#include <recoup/durable/detail/unsettled.hpp>
#include <recoup/durable/operations_options.hpp>
#include <recoup/store/durable_store.hpp>
#include <recoup/store/store_errc.hpp>

#include <cstdint>

namespace recoup::inline v1::detail {

/// One look at what a store that failed has left unsettled: what it takes for ours though nobody here runs
/// it is given back, and what somebody wants to end is handed over to be ended.
///
/// What cannot be settled yet is left for the next round. An operation that was claimed and is not run yet
/// may be given back, too: whoever is about to run it is refused by the fence, and it is claimed again.
class settling_round {
  public:
    settling_round(durable_ports& ports, operations_options const& options,
                   active_runs const& active, operation_runner& runner) noexcept
        : ports_{ports}, options_{options}, active_{active}, runner_{runner} {}

    /// `end(head)` is called for each that is to be ended, and that nobody runs.
    template <class End>
    void run(unsettled::matters const& open, std::uint64_t owner, End&& end) {
        if (open.claim) settle_claim(owner, end);
        for (auto const& id : open.operations) {
            auto found = ports_.with_store([&](durable_backend& store) { return store.find(id); });
            if (found.has_value()) {
                if (found.assume_value()) settle(*found.assume_value(), owner, end);
            } else if (found.assume_error().code() != store_errc::corrupt) {
                runner_.unsettled().add(id);
            }
        }
    }

  private:
    template <class End>
    void settle(operation_record const& head, std::uint64_t owner, End& end) {
        if (active_.find(head.id)) return;  // who runs it lets it go
        if (head.owner == owner && !runner_.release(head)) return;
        auto const free = head.owner == owner || head.owner == 0;
        if (free && head.cancel_requested && !has_ended(head.status)) end(head);
    }

    /// A claim gives what waits, so that there is no need to look at what has ended.
    template <class End>
    void settle_claim(std::uint64_t owner, End& end) {
        for (auto const status : {operation_status::pending, operation_status::running}) {
            auto after = std::uint64_t{0};
            while (true) {
                auto found = ports_.with_store([&](durable_backend& store) {
                    return store.operations(operation_filter{
                        .status = status, .space = options_.space, .after = after});
                });
                if (!found.has_value()) return runner_.unsettled().add_claim();
                if (found.assume_value().empty()) break;
                after = found.assume_value().back().number;
                for (auto const& head : found.assume_value())
                    if (head.owner == owner) settle(head, owner, end);
            }
        }
    }

    durable_ports& ports_;
    operations_options const& options_;
    active_runs const& active_;
    operation_runner& runner_;
};

}  // namespace recoup::inline v1::detail
