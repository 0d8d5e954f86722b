// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/errc.hpp>
#include <recoup/durable/detail/active_runs.hpp>
#include <recoup/durable/detail/child_runner.hpp>
#include <recoup/durable/detail/definitions.hpp>
#include <recoup/durable/detail/durable_ports.hpp>
#include <recoup/durable/detail/owner.hpp>
#include <recoup/durable/detail/run_executor.hpp>
#include <recoup/durable/detail/unsettled.hpp>
#include <recoup/durable/operations_options.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// What a caller is told who gives other arguments than are recorded.
inline failure input_mismatch() {
    return ended_because(failure{category::invalid_input, errc::input_mismatch},
                         stop_reason::input_mismatch);
}

/// Makes operations ours in the store, lets a `run_executor` run each, and gives back what it must not run.
///
/// It refers to what the one that has it owns.
class operation_runner {
  public:
    operation_runner(std::shared_ptr<durable_ports> ports, operations_options const& options,
                     definitions const& defined, active_runs& active, owner& us,
                     child_runner& children, std::atomic<bool> const& closing) noexcept
        : ports_{std::move(ports)},
          options_{options},
          definitions_{defined},
          active_{active},
          owner_{us},
          children_{children},
          closing_{closing} {}

    /// The head of an operation that is begun now.
    operation_record fresh_head(operation_id const& id, definition const& of,
                                operation_call const& call, operation_run const* parent) {
        operation_record head;
        head.id = id;
        head.parent = parent != nullptr ? parent->number() : 0;
        head.status = operation_status::running;
        head.fingerprint = call.fingerprint;
        head.token = make_token();
        head.created = head.updated = ports_->clock().system_now();
        head.version = of.options().version;
        head.input = call.input;
        return head;
    }

    /// The operation is ours among the threads of this process: is it, in the store?
    run_end run_ours(operation_run& mine, definition& of, operation_call const& call,
                     run_options const& options) {
        auto const trouble = [](failure what) {
            auto end = run_end{};
            end.outcome.emplace(in_place<failure>{},
                                ended_because(std::move(what), stop_reason::store_failed));
            return end;
        };
        auto const owner = owner_.number();
        if (!owner.has_value()) return trouble(owner.error());
        auto executor = run_executor{mine, of, children_, options};
        auto const obey =
            std::stop_callback{options.stop, [&mine] { mine.ask_to_leave(interruption::stopped); }};
        auto const fresh = fresh_head(mine.id(), of, call, mine.parent());
        auto started = ports_->with_store(
            [&](durable_backend& store) { return store.start(fresh, owner.assume_value()); });
        if (!started.has_value()) {
            unsettled_.add(mine.id());
            return trouble(std::move(started).assume_error());
        }
        auto& found = started.assume_value().record;
        if (started.assume_value().made) return keep(mine, executor.run_new(std::move(found)));

        auto const now = ports_->clock().system_now();
        auto const expired = has_ended(found.status) && found.expires <= now;
        auto const anew = expired || found.status == operation_status::failed ||
                          found.status == operation_status::cancelled;
        auto end = run_end{};
        if (!anew && found.fingerprint != call.fingerprint) {
            end.outcome = input_mismatch();
            return end;
        }
        if (!anew) {
            if (found.status == operation_status::succeeded) {
                mine.emit(event_kind::operation_replayed);
                end.status = found.status;
                end.outcome.emplace(in_place<std::string>{},
                                    std::move(found.result).value_or(std::string{}));
                return end;
            }
            if (found.status == operation_status::blocked ||
                found.status == operation_status::dead) {
                end.status = found.status;
                end.outcome.emplace(in_place<failure>{},
                                    run_executor::parked_failure(found.status, found.note));
                return end;
            }
        }
        auto taken = take(found, owner.assume_value());
        if (!taken.has_value())
            return is_elsewhere(taken.assume_error()) ? run_end{}
                                                      : trouble(std::move(taken).assume_error());
        return keep(mine, anew ? executor.run_again(std::move(taken).assume_value(), call)
                               : executor.run_taken(std::move(taken).assume_value()));
    }

    /// Returns: false where the store has not said that it is no longer ours.
    bool release(operation_record const& head) {
        auto const written = ports_->with_store([&](durable_backend& store) {
            return store.write(
                operation_write{.number = head.number, .epoch = head.epoch, .release = true});
        });
        if (written.has_value() || is_elsewhere(written.assume_error())) return true;
        unsettled_.add(head.id);
        return false;
    }

    run_end give_up(operation_record const& head) {
        release(head);
        return {operation_status::pending, run_executor::left_failure(interruption::shut_down)};
    }

    result<std::vector<operation_record>> claim_page(std::uint64_t owner, std::size_t limit) {
        auto const names = definitions_.names();
        auto const now = ports_->clock().system_now();
        auto claimed = ports_->with_store([&](durable_backend& store) {
            return store.claim(claim_request{.owner = owner,
                                             .space = options_.space,
                                             .names = names,
                                             .now = now,
                                             .limit = limit});
        });
        if (!claimed.has_value()) unsettled_.add_claim();
        return claimed;
    }

    /// Runs what was claimed.
    run_end run_claimed(operation_record const& head, duration park_after) {
        auto const of = definitions_.find(head.id.name);
        if (!of || closing_) return give_up(head);
        auto [entry, ours] = active_.enter(ports_, head.id, nullptr);
        // An earlier run of ours has not seen yet that it has lost the operation.
        if (!ours) return give_up(head);
        auto const mine = active_claim{active_, entry};
        entry->fingerprint = head.fingerprint;
        entry->park_after(park_after);
        auto const options = run_options{};
        auto end = keep(*entry, run_executor{*entry, *of, children_, options}.run_taken(head));
        entry->publish(end.outcome);
        return end;
    }

    /// Ends an operation whose cancellation was asked for, where nobody runs it.
    void end_idle(operation_record const& head, definition& of, std::uint64_t owner) {
        auto [entry, ours] = active_.enter(ports_, head.id, nullptr);
        if (!ours) {
            entry->cancel();
            return;
        }
        auto const mine = active_claim{active_, entry};
        entry->fingerprint = head.fingerprint;
        auto taken = take(head, owner);
        if (!taken.has_value()) {
            entry->publish(std::nullopt);
            return;  // whoever has it is told
        }
        auto now_head = std::move(taken).assume_value();
        now_head.cancel_requested = true;
        auto const options = run_options{};
        auto end = keep(*entry, run_executor{*entry, of, children_, options}.run_taken(now_head));
        entry->publish(end.outcome);
    }

    [[nodiscard]] detail::unsettled& unsettled() noexcept { return unsettled_; }

  private:
    result<operation_record> take(operation_record const& head, std::uint64_t owner) {
        // Left by ourselves when the store failed: nobody else can take it, for we are alive.
        if (head.owner == owner) release(head);
        auto taken = ports_->with_store(
            [&](durable_backend& store) { return store.take(head.number, head.epoch, owner); });
        if (!taken.has_value() && !is_elsewhere(taken.assume_error())) unsettled_.add(head.id);
        return taken;
    }

    /// What the store could not let go is let go now, if it can; and looked at once more, for somebody may
    /// want it to end.
    run_end keep(operation_run& mine, run_end end) {
        if (end.unreleased && release(mine.head())) unsettled_.add(mine.id());
        return end;
    }

    std::shared_ptr<durable_ports> const ports_;
    operations_options const& options_;
    definitions const& definitions_;
    active_runs& active_;
    owner& owner_;
    child_runner& children_;
    std::atomic<bool> const& closing_;
    detail::unsettled unsettled_;
};

}  // namespace recoup::inline v1::detail
