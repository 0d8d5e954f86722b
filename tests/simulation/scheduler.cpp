// SPDX-License-Identifier: BSL-1.0
#include "simulation/scheduler.hpp"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <utility>

namespace simulation {

scheduler::scheduler(std::uint64_t seed) : clock_{{.seed = seed}}, dice_{seed ^ 0x5c4ed} {}

scheduler::~scheduler() {
    for (auto& one : strands_)
        if (one->thread_.joinable()) one->thread_.join();
}

void scheduler::push(strand& who, recoup::steady_time when) {
    // What waits until the end of time waits for a stop alone.
    if (when != recoup::steady_time::max()) queue_.push({when, dice_.any(), &who, who.wake_});
}

void scheduler::spawn(std::string name, process* of, recoup::duration in,
                      std::function<void()> body) {
    // What has ended is only a name by now; its thread gives its stack back.
    for (auto& one : strands_)
        if (one->ended_ && one->thread_.joinable()) one->thread_.join();
    strands_.push_back(std::make_unique<strand>(std::move(name), of));
    auto& made = *strands_.back();
    ++alive_;
    if (of != nullptr) ++of->strands;
    made.thread_ = std::thread{[this, &made, body = std::move(body)] {
        made.go_.acquire();
        body();
        leave(made);
    }};
    push(made, recoup::saturating_add(clock_.now(), in));
}

bool scheduler::wait_until(recoup::steady_time when, std::stop_token const& stop) {
    auto& self = *current_;
    if (stop.stop_requested()) return false;
    ++self.wake_;
    if (self.owner != nullptr && self.owner->dead) {
        // No time passes any more, but others get their turn: some wait for each other to leave.
        push(self, clock_.now());
        hand_over(self);
        return false;
    }
    push(self, std::max(when, clock_.now()));
    {
        auto const wake = std::stop_callback{stop, [this, &self, mine = self.wake_] {
                                                 if (self.wake_ == mine) push(self, clock_.now());
                                             }};
        hand_over(self);
        ++self.wake_;  // what else would have woken it comes too late
    }
    if (self.owner != nullptr && self.owner->dead) return false;
    return !stop.stop_requested();
}

void scheduler::wake_all_of(process const& which) {
    for (auto const& one : strands_)
        if (one->owner == &which && !one->ended_ && one.get() != current_) push(*one, clock_.now());
}

strand* scheduler::next() {
    while (!queue_.empty()) {
        auto const first = queue_.top();
        queue_.pop();
        if (first.wake != first.who->wake_) continue;
        auto const* const owner = first.who->owner;
        if (owner != nullptr && !owner->dead && owner->frozen_until > first.when) {
            queue_.push({owner->frozen_until, first.tie, first.who, first.wake});
            continue;
        }
        if (first.when > clock_.now()) {
            // Alarms ring on this thread, and may wake others at this very moment.
            clock_.advance(first.when - clock_.now());
        }
        return first.who;
    }
    if (on_deadlock) on_deadlock();
    std::abort();
}

void scheduler::hand_over(strand& from) {
    auto* const to = next();
    if (to == &from) return;
    current_ = to;
    to->go_.release();
    from.go_.acquire();
}

void scheduler::leave(strand& who) {
    ++who.wake_;
    who.ended_ = true;
    if (who.owner != nullptr) --who.owner->strands;
    if (--alive_ == 0) {
        over_.release();
        return;
    }
    auto* const to = next();
    current_ = to;
    to->go_.release();
}

void scheduler::run() {
    if (alive_ == 0) return;
    auto* const first = next();
    current_ = first;
    first->go_.release();
    over_.acquire();
    for (auto& one : strands_)
        if (one->thread_.joinable()) one->thread_.join();
    strands_.clear();
}

}  // namespace simulation
