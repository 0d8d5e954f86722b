// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "crash/stores.hpp"
#include "simulation/chronicle.hpp"
#include "simulation/dice.hpp"
#include "simulation/ledger.hpp"
#include "simulation/scheduler.hpp"

#include <recoup/core/time.hpp>
#include <recoup/store/detail/store_failure.hpp>
#include <recoup/store/durable_store.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace simulation {

/// Mistakes of a store, to see that the day would notice.
enum class mistake {
    none,
    lost_step,        ///< acknowledges the result of a step and forgets it
    lost_checkpoint,  ///< the same with what a step's retries have come to
    lost_operation,   ///< the same with the end of an operation
    no_fence,         ///< takes writes of those who have lost the operation
    two_owners,       ///< gives away what a living owner has
    deaf,             ///< forgets that an operation is to be cancelled
};

/// A process's view of a store: each change is an event, at which the process may end; then it gets no
/// answer any more. What was acknowledged goes to the ledger.
class watched_store {
  public:
    struct settings {
        mistake planted = mistake::none;
        double unavailable = 0;  ///< share of the changes that fail, and change nothing
    };

    watched_store(std::shared_ptr<recoup_test::any_store> to, process const& of, chronicle& tells,
                  ledger& kept, scheduler& by, dice& chance, settings how)
        : to_{std::move(to)},
          of_{of},
          tells_{tells},
          kept_{kept},
          by_{by},
          dice_{chance},
          how_{how} {}

    [[nodiscard]] std::set<std::uint64_t> const& owners() const noexcept { return owners_; }
    [[nodiscard]] recoup_test::any_store& inner() noexcept { return *to_; }
    void let_go() noexcept { to_.reset(); }

    // ---- records: no part of the day

    auto load(recoup::operation_ref id, recoup::duration) { return to_->load(id); }
    auto save(recoup::record const& what, recoup::duration) { return to_->save(what); }
    auto erase(recoup::operation_ref id, std::uint64_t revision, recoup::duration) {
        return to_->erase(id, revision);
    }
    auto list(recoup::record_filter const& which) { return to_->list(which); }
    auto clean_up(recoup::system_time now, std::size_t most) { return to_->clean_up(now, most); }
    [[nodiscard]] recoup::durability durability() const noexcept { return to_->durability(); }

    // ---- operations

    recoup::result<std::uint64_t> enter(std::string const& who, recoup::duration lease) {
        return change("enter", [&] {
            auto entered = to_->enter(who, lease);
            if (entered.has_value()) {
                owners_.insert(entered.assume_value());
                kept_.entered(entered.assume_value());
            }
            return entered;
        });
    }
    recoup::result<std::vector<std::uint64_t>> renew(std::uint64_t owner, recoup::duration lease) {
        if (of_.dead) return gone();
        return to_->renew(owner, lease);
    }
    recoup::result<void> leave(std::uint64_t owner) {
        return change("leave", [&] {
            kept_.left(owner);
            owners_.erase(owner);
            return to_->leave(owner);
        });
    }
    recoup::result<recoup::started_operation> start(recoup::operation_record const& head,
                                                    std::uint64_t owner, recoup::duration) {
        return change("start " + head.id.key, [&] {
            auto made = to_->start(head, owner);
            if (made.has_value()) kept_.started(made.assume_value());
            return made;
        });
    }
    recoup::result<std::vector<recoup::operation_record>> claim(
        recoup::claim_request const& request) {
        return change("claim", [&] {
            auto claimed = to_->claim(request);
            if (claimed.has_value())
                for (auto const& one : claimed.assume_value()) kept_.claimed(one);
            return claimed;
        });
    }
    recoup::result<recoup::operation_record> take(std::uint64_t number, std::uint64_t epoch,
                                                  std::uint64_t owner) {
        return change("take " + std::to_string(number), [&] {
            auto taken = to_->take(number, epoch, owner);
            if (!taken.has_value() && how_.planted == mistake::two_owners &&
                taken.assume_error().code() == recoup::store_errc::owned) {
                static_cast<void>(to_->leave(kept_.find(number)->head.owner));
                taken = to_->take(number, epoch, owner);
            }
            if (taken.has_value()) kept_.claimed(taken.assume_value());
            return taken;
        });
    }
    recoup::result<recoup::write_receipt> write(recoup::operation_write const& what,
                                                recoup::duration = recoup::unlimited) {
        return change(text_of(what), [&] {
            auto written = really_write(what);
            if (written.has_value()) kept_.written(what);
            return written;
        });
    }
    recoup::result<void> request_cancel(std::uint64_t number) {
        return change("request_cancel " + std::to_string(number), [&]() -> recoup::result<void> {
            auto noted = how_.planted == mistake::deaf ? recoup::result<void>{recoup::success()}
                                                       : to_->request_cancel(number);
            if (noted.has_value()) kept_.wished(number, by_.clock().now());
            return noted;
        });
    }
    recoup::result<void> remove(std::uint64_t number, std::uint64_t epoch) {
        if (of_.dead) return gone();
        return to_->remove(number, epoch);
    }
    recoup::result<std::optional<recoup::operation_record>> find(recoup::operation_ref id,
                                                                 recoup::duration) {
        if (of_.dead) return gone();
        return to_->find(id);
    }
    recoup::result<std::vector<recoup::operation_record>> operations(
        recoup::operation_filter const& filter) {
        if (of_.dead) return gone();
        return to_->operations(filter);
    }
    recoup::result<std::vector<recoup::step_record>> steps(std::uint64_t number, recoup::duration) {
        if (of_.dead) return gone();
        return to_->steps(number);
    }

  private:
    static recoup::failure gone() {
        return recoup::detail::store_failure(recoup::store_errc::unavailable,
                                             "the process has ended");
    }

    static std::string text_of(recoup::operation_write const& what) {
        auto text = "write " + std::to_string(what.number) + " epoch " + std::to_string(what.epoch);
        if (what.head != nullptr) text += ' ' + std::string{to_string(what.head->status)};
        for (auto const& row : what.steps)
            text += ' ' + row.name + '/' + row.id + ' ' + std::string{to_string(row.status)} + ' ' +
                    std::to_string(row.attempts);
        if (what.release) text += " release";
        return text;
    }

    template <class Call>
    auto change(std::string what, Call&& call) -> decltype(call()) {
        if (of_.dead) return gone();
        tells_.note("store: " + what);
        if (of_.dead) return gone();
        if (dice_.chance(how_.unavailable)) {
            tells_.note("store: unavailable");
            return recoup::detail::store_failure(recoup::store_errc::unavailable, "not now");
        }
        auto done = call();
        // It is done; the process may end before it hears of it.
        tells_.note(done.has_value() ? "store: done"
                                     : "store: " + done.assume_error().code().message());
        if (of_.dead) return gone();
        return done;
    }

    recoup::result<recoup::write_receipt> really_write(recoup::operation_write const& what) {
        auto changed = what;
        auto const is = [&](recoup::step_status status) {
            return !what.steps.empty() && what.steps.front().status == status;
        };
        if (how_.planted == mistake::lost_step && is(recoup::step_status::done)) changed.steps = {};
        if (how_.planted == mistake::lost_checkpoint && is(recoup::step_status::begun))
            changed.steps = {};
        if (how_.planted == mistake::lost_operation && what.release) changed.head = nullptr;
        auto written = to_->write(changed);
        if (!written.has_value() && how_.planted == mistake::no_fence &&
            written.assume_error().code() == recoup::store_errc::fenced) {
            changed.epoch = kept_.find(what.number)->head.epoch;
            written = to_->write(changed);
        }
        return written;
    }

    std::shared_ptr<recoup_test::any_store> to_;
    process const& of_;
    chronicle& tells_;
    ledger& kept_;
    scheduler& by_;
    dice& dice_;
    settings how_;
    std::set<std::uint64_t> owners_;
};

static_assert(recoup::durable_store<watched_store>);

}  // namespace simulation
