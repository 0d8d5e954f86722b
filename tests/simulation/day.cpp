// SPDX-License-Identifier: BSL-1.0
#include "simulation/day.hpp"

#include "crash/stores.hpp"
#include "simulation/launcher.hpp"
#include "simulation/machine.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

using namespace std::chrono_literals;

namespace simulation {

using recoup::duration;

namespace {

/// When nothing goes wrong any more, and when all has to be done.
constexpr duration calm_after = 20h;
constexpr duration over_after = 60h;

launcher_settings draw_settings(dice& chance) {
    launcher_settings how;
    how.attempts_max = static_cast<std::uint32_t>(chance.between(1, 6));
    how.deadline = chance.between(1min, 20min);
    how.patience = chance.between(5s, 30s);
    // A workflow whose calls are turned away is undone, and so its calls have to fit, or to wait.
    auto const waits = chance.chance(0.6);
    auto const calls =
        static_cast<std::uint32_t>(waits ? chance.between(2, 14) : chance.between(30, 60));
    auto const per = chance.between(1s, 60s);
    how.limit =
        chance.chance(0.5)
            ? recoup::sliding_window(calls, per)
            : recoup::token_bucket(
                  calls, per, static_cast<std::uint32_t>(waits ? chance.between(1, calls) : calls));
    if (waits) how.limit = how.limit.waiting(chance.between(2min, 10min));
    how.room.at_once = static_cast<std::uint32_t>(chance.between(1, 6));
    how.breaker = {.failure_rate = 0.5,
                   .window = recoup::last_calls(20),
                   .minimum_calls = 10,
                   .open_for = chance.between(10s, 10min),
                   .half_open_permits = static_cast<std::uint32_t>(chance.between(1, 3)),
                   .consecutive_failures = static_cast<std::uint32_t>(chance.between(3, 6)),
                   .open_growth = chance.chance(0.5) ? 1.0 : 2.0,
                   .open_for_max = 30min};
    auto const reserve = static_cast<std::uint32_t>(chance.between(0, 20));
    how.budget = {.ratio = 0.1, .per_second = 0, .reserve = reserve, .at_most = reserve + 20};
    how.recoveries_max = static_cast<std::uint32_t>(chance.between(2, 12));
    how.look_after = chance.between(20s, 2min);
    how.unavailable = chance.chance(0.3) ? 0.005 : 0;
    return how;
}

std::vector<install> draw_installs(dice& chance, recoup::steady_time begin) {
    std::vector<install> all(chance.between(12, 40));
    for (std::uint32_t i = 0; i != all.size(); ++i) {
        auto& one = all[i];
        one.number = i;
        for (auto files = chance.between(1, 4); files != 0; --files) {
            // No two of a name in one workflow.
            auto const number = static_cast<std::uint32_t>(chance.between(1, 400) * 4 + files % 4);
            one.files.push_back({number});
        }
        one.begin = begin + chance.between(0s, 18h);
        one.patience = chance.chance(0.2) ? chance.between(30s, 10min) : duration{12h};
        one.sleeps = chance.chance(0.2);
        one.clicked_twice = chance.chance(0.2);
        if (chance.chance(0.2)) one.cancel_at = one.begin + chance.between(0s, 20min);
    }
    return all;
}

/// Everything of one day.
class day {
  public:
    explicit day(day_options const& options)
        : by_{options.seed},
          tells_{by_, options.seed, options.aloud},
          chance_{options.seed},
          kept_{tells_},
          kind_{kind_of(options, chance_)},
          machine_{kind_},
          begin_{by_.clock().now()},
          servers_{by_, chance_, chance_.between(2, 4), begin_, begin_ + calm_after},
          disk_{1'000'000},
          world_{by_, tells_, chance_, kept_, servers_, disk_} {
        world_.settings = draw_settings(chance_);
        world_.installs = draw_installs(chance_, begin_);
        world_.planted = options.planted;
        if (!options.store.empty()) tells_.how_to_repeat = " --store '" + options.store + '\'';
        if (options.planted != mistake::none) tells_.how_to_repeat += " with the same mistake";
        tells_.on_event = [this] { look(); };
        tells_.before_the_end = [this] { machine_.clear(); };
        by_.on_deadlock = [this] {
            tells_.broken("nobody waits for what never comes", "all strands wait");
        };
    }

    day_report run() {
        by_.spawn("world", nullptr, 0s, [this] { live(); });
        by_.spawn("weather", nullptr, 0s, [this] { change_weather(); });
        by_.run();
        return report();
    }

  private:
    static std::string kind_of(day_options const& options, dice& chance) {
        auto const kinds = machine::kinds();
        auto const drawn =
            chance.below(2 * kinds.size());  // half of them in memory, which is quick
        if (!options.store.empty()) return options.store;
        return drawn < kinds.size() ? kinds[drawn] : "memory";
    }

    [[nodiscard]] duration since() const { return by_clock().elapsed(); }
    [[nodiscard]] recoup::testing::manual_clock& by_clock() const {
        return const_cast<scheduler&>(by_).clock();
    }
    [[nodiscard]] bool calm() const { return since() >= calm_after; }

    /// After each event: the process may end here.
    void look() {
        if (!now_ || now_->dead || calm()) return;
        if (tells_.events() < crash_at_) return;
        crash();
    }

    void crash() {
        auto const power = machine_.stands_power_cuts() && chance_.chance(0.5);
        crash_at_ = UINT64_MAX;
        now_->die();
        machine_.crash(power, chance_);
        if (power) disk_.power_cut(chance_);
        ++(power ? world_.power_cuts : world_.crashes);
        tells_.note(power ? "*** the power fails" : "*** the process is killed");
    }

    void owners_are_dead(launcher& of) {
        for (auto const owner : of.store().owners()) {
            kept_.left(owner);
            if (machine_.in_memory()) static_cast<void>(of.store().inner().leave(owner));
        }
    }

    std::unique_ptr<launcher> start() {
        auto store = machine_.open();
        kept_.compare(*store);
        auto made = std::make_unique<launcher>(world_, std::move(store), ++lives_);
        tells_.note("process " + std::to_string(lives_) + " starts");
        made->begin();
        crash_at_ = tells_.events() + chance_.between(20, chance_.chance(0.3) ? 100 : 1500);
        return made;
    }

    /// Waits until all strands of a process have ended, and takes the rest away.
    void bury(std::unique_ptr<launcher>& which) {
        auto const most = by_clock().now() + 2h;
        while (which->strands != 0) {
            by_.wait_for(1s);
            tells_.require(by_clock().now() < most, "a process that is to end ends",
                           [&] { return std::to_string(which->strands) + " strands are left"; });
        }
        // It may also have died since it was asked to end.
        if (which->dead)
            owners_are_dead(*which);
        else
            which->calls().compare();
        // What ends in good order by now has no middle to be killed in.
        if (!now_ || now_ == which) crash_at_ = UINT64_MAX;
        which->bury();
        which.reset();
    }

    /// The process is stopped so long that it counts as dead, and another takes its place; then it goes on.
    void freeze() {
        ++world_.freezes;
        auto sleeper = std::move(now_);
        auto const span = chance_.between(1min, 30min);
        sleeper->frozen_until = by_clock().now() + span;
        tells_.note("*** process " + std::to_string(sleeper->number()) + " is frozen");
        by_.wait_for(span / 2);
        owners_are_dead(*sleeper);
        now_ = start();
        by_.wait_for(span / 2 + chance_.between(1s, 5min));
        tells_.note("*** process " + std::to_string(sleeper->number()) + " is killed");
        sleeper->die();
        bury(sleeper);
    }

    void live() {
        now_ = start();
        while (!all_done()) {
            tells_.require(since() < over_after,
                           "at the end every install is complete, cancelled, or impossible for a "
                           "reason that lasts",
                           [&] { return open_ones(); });
            by_.wait_for(1min);
            if (now_->dead) {
                bury(now_);
                by_.wait_for(chance_.between(1s, 10min));
                now_ = start();
            } else if (!calm() && chance_.chance(0.002)) {
                stop();
                by_.wait_for(chance_.between(1s, 30min));
                now_ = start();
            } else if (!calm() && machine_.in_memory() && chance_.chance(0.002)) {
                freeze();
            }
        }
        while (now_->dead) bury_and_start();
        stop();
        auto store = machine_.open();
        kept_.compare(*store);
        tells_.require(store->whole(), "a store finds itself whole", [] { return "it does not"; });
        for (auto const& [number, one] : kept_.entries())
            tells_.require(!one.wished || has_ended(one.head.status) ||
                               one.head.status == recoup::operation_status::dead,
                           "what is to be cancelled ends", [&, &of = one] {
                               return of.head.id.key + " is " +
                                      std::string{to_string(of.head.status)};
                           });
    }

    void bury_and_start() {
        bury(now_);
        now_ = start();
    }

    /// It ends in good order, unless it is killed before it comes to that.
    void stop() {
        tells_.note("*** the process is asked to end");
        if (!now_->dead) {
            ++world_.shutdowns;
            now_->close();
        }
        bury(now_);
    }

    void change_weather() {
        while (!calm()) {
            by_.wait_for(std::min(chance_.between(1min, 3h), calm_after - since()));
            if (calm()) break;
            if (chance_.chance(0.5)) {
                disk_.fill(!disk_.full());
                tells_.note(disk_.full() ? "the disk is full" : "the disk is free again");
            } else if (chance_.chance(0.5)) {
                auto const ahead = chance_.chance(0.5);
                auto const by = chance_.between(1s, 3h);
                world_.set_back += ahead ? 0U : 1U;
                by_clock().set_system(by_clock().system_now() + (ahead ? by : -by));
                tells_.note("the wall clock jumps");
            }
        }
        disk_.fill(false);
    }

    [[nodiscard]] bool all_done() const {
        return std::none_of(world_.installs.begin(), world_.installs.end(),
                            [](install const& one) { return one.open(); });
    }
    [[nodiscard]] std::string open_ones() const {
        std::string all;
        for (auto const& one : world_.installs)
            if (one.open()) all += one.key() + ' ';
        return all;
    }

    [[nodiscard]] day_report report() const {
        auto told = day_report{.events = tells_.events(),
                               .fingerprint = tells_.fingerprint(),
                               .calls = world_.calls,
                               .retries = world_.retries,
                               .crashes = world_.crashes,
                               .power_cuts = world_.power_cuts,
                               .freezes = world_.freezes,
                               .shutdowns = world_.shutdowns,
                               .breakers_opened = world_.breakers_opened,
                               .store = kind_};
        for (auto const& one : world_.installs) {
            told.complete += one.is == install::state::complete ? 1U : 0U;
            told.cancelled += one.is == install::state::cancelled ? 1U : 0U;
            told.impossible += one.is == install::state::impossible ? 1U : 0U;
            told.dead += one.is == install::state::dead ? 1U : 0U;
        }
        return told;
    }

    scheduler by_;
    chronicle tells_;
    dice chance_;
    ledger kept_;
    std::string const kind_;
    machine machine_;
    recoup::steady_time const begin_;
    mirrors servers_;
    user_disk disk_;
    world world_;
    std::unique_ptr<launcher> now_;
    int lives_ = 0;
    std::uint64_t crash_at_ = UINT64_MAX;
};

}  // namespace

day_report& day_report::operator+=(day_report const& other) {
    events += other.events;
    calls += other.calls;
    retries += other.retries;
    crashes += other.crashes;
    power_cuts += other.power_cuts;
    freezes += other.freezes;
    shutdowns += other.shutdowns;
    breakers_opened += other.breakers_opened;
    complete += other.complete;
    cancelled += other.cancelled;
    impossible += other.impossible;
    dead += other.dead;
    return *this;
}

day_report live_through(day_options const& options) { return day{options}.run(); }

}  // namespace simulation
