// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/errc.hpp>
#include <recoup/durable/detail/active_runs.hpp>
#include <recoup/durable/detail/definitions.hpp>
#include <recoup/durable/detail/durable_ports.hpp>
#include <recoup/durable/detail/operation_runner.hpp>
#include <recoup/durable/detail/owner.hpp>
#include <recoup/store/durable_store.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace recoup::inline v1::detail {

/// The operation of an identity, which somebody names. Returns: `errc::no_such_operation` where it is not.
inline result<operation_record> find_existing(durable_ports& ports, operation_id const& id) {
    auto found = ports.with_store([&](durable_backend& store) { return store.find(id); });
    if (!found.has_value()) return std::move(found).assume_error();
    if (!found.assume_value())
        return failure{category::not_found, errc::no_such_operation,
                       "there is no operation " + display(id)};
    return *std::move(found).assume_value();
}

/// Brings operations to their end that somebody wants to end. It refers to what the one that has it owns.
class cancellation {
  public:
    cancellation(durable_ports& ports, definitions const& defined, active_runs const& active,
                 owner& us, operation_runner& runner) noexcept
        : ports_{ports}, definitions_{defined}, active_{active}, owner_{us}, runner_{runner} {}

    /// Tells who runs it here, notes the wish for who runs it elsewhere, ends it where nobody does.
    result<void> cancel(operation_record const& head) {
        if (has_ended(head.status))
            return failure{category::invalid_input, errc::request_refused,
                           "operation " + display(head.id) + " is " +
                               std::string{to_string(head.status)} + " already"};
        auto noted = ports_.with_store(
            [&](durable_backend& store) { return store.request_cancel(head.number); });
        if (!noted.has_value()) return noted;
        if (auto const running = active_.find(head.id))
            running->cancel();
        else
            end_idle(head);
        return success();
    }

    /// Ends one whose wish is noted and that nobody runs; leaves it to whoever claims it where it is not
    /// defined here.
    void end_idle(operation_record const& head) {
        auto const of = definitions_.find(head.id.name);
        auto const owner = owner_.number();
        if (of && owner.has_value()) runner_.end_idle(head, *of, owner.assume_value());
    }

    /// All that operation `parent` has started.
    result<void> cancel_children(std::uint64_t parent) {
        auto after = std::uint64_t{0};
        for (auto page = 0; page != pages_max; ++page) {
            auto found = ports_.with_store([&](durable_backend& store) {
                return store.operations(
                    operation_filter{.parent = parent, .after = after, .limit = children_a_page});
            });
            if (!found.has_value()) return std::move(found).assume_error();
            if (found.assume_value().empty()) break;
            for (auto const& child : found.assume_value()) {
                after = child.number;
                if (has_ended(child.status)) continue;
                if (auto done = cancel(child); !done.has_value()) return done;
            }
        }
        return success();
    }

  private:
    static constexpr std::size_t children_a_page = 100;
    static constexpr int pages_max = 10'000;

    durable_ports& ports_;
    definitions const& definitions_;
    active_runs const& active_;
    owner& owner_;
    operation_runner& runner_;
};

}  // namespace recoup::inline v1::detail
