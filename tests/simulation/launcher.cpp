// SPDX-License-Identifier: BSL-1.0
#include "simulation/launcher.hpp"

#include <recoup/core/on.hpp>
#include <recoup/guard/deadline.hpp>
#include <recoup/guard/fallback.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/with_recovery.hpp>

#include <algorithm>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace simulation {

using recoup::category;
using recoup::failure;
using recoup::operation_status;
using recoup::result;
using recoup::stop_reason;

namespace {

/// For the time of a step, this strand fetches that.
class errand_scope {
  public:
    explicit errand_scope(errand& one) noexcept { current_errand = &one; }
    errand_scope(errand_scope const&) = delete;
    errand_scope& operator=(errand_scope const&) = delete;
    ~errand_scope() { current_errand = nullptr; }
};

/// A body runs, in one place only.
class body_scope {
  public:
    body_scope(world& in, launcher const& of, std::uint64_t number) : in_{in} {
        auto const* const head = in.kept.find(number);
        auto const epoch = head->head.epoch;
        auto const [from, to] = in.bodies.equal_range(number);
        for (auto at = from; at != to; ++at) {
            // Those who have lost the operation may not have noticed yet.
            auto const lost = at->second.first->dead || at->second.second != epoch;
            in.tells.require(lost, "never two owners of one operation", [&] {
                return head->head.id.key + " runs twice in epoch " + std::to_string(epoch);
            });
        }
        at_ = in.bodies.emplace(number, std::pair{static_cast<process const*>(&of), epoch});
    }
    body_scope(body_scope const&) = delete;
    body_scope& operator=(body_scope const&) = delete;
    ~body_scope() { in_.bodies.erase(at_); }

  private:
    world& in_;
    std::multimap<std::uint64_t, std::pair<process const*, std::uint64_t>>::iterator at_;
};

failure gone() { return failure{category::cancelled, "the process has ended"}; }

}  // namespace

launcher::launcher(world& in, std::shared_ptr<recoup_test::any_store> store, int number)
    : in_{in},
      number_{number},
      clock_{in.by},
      store_{std::move(store),
             *this,
             in.tells,
             in.kept,
             in.by,
             in.chance,
             {.planted = in.planted, .unavailable = in.settings.unavailable}},
      traffic_{in, *this, clock_},
      began_{in.by.clock().now()} {}

void launcher::begin() {
    ops_ = std::make_unique<recoup::operations>(
        store_, recoup::operations_options{.threads = 1, .housekeeping = false},
        recoup::on(clock_));
    auto const& how = in_.settings;
    auto mirrors_in_turn = std::vector<std::string>{};
    for (std::size_t i = 0; i != in_.servers.count(); ++i)
        mirrors_in_turn.push_back(mirrors::host(i));
    auto fetch = recoup::with_recovery(
        [this](recoup::attempt& attempt, std::string const& host, std::uint32_t file,
               std::string const& path) -> result<std::uint64_t> {
            try {
                return download(attempt, host, file, path);
            } catch (...) {  // the operation must not go on, which the library takes for a failure
                auto const interrupted = failure{};
                traffic_.call_ends(&interrupted);
                throw;
            }
        },
        recoup::retry{.max_attempts = how.attempts_max, .backoff = recoup::exponential(1s, 60s)},
        recoup::deadline{how.deadline}, traffic_.breakers, traffic_.door, traffic_.limiter,
        traffic_.room, traffic_.budget, recoup::fallback_to(mirrors_in_turn),
        traffic_.metrics->watch("fetch"), traffic_);
    auto const get = [this, fetch](recoup::operation& op, model_file file,
                                   std::string const& path) -> result<std::uint64_t> {
        auto mine = errand{.operation = op.number(), .file = file.name()};
        auto const scope = errand_scope{mine};
        auto const host = mirrors::host(file.number % in_.servers.count());
        return op.step({.name = "download",
                        .id = file.name(),
                        .undo =
                            [this, path] {
                                if (!dead) in_.disk.remove(path);
                            }},
                       fetch, host, file.number, path);
    };
    auto defined = ops_->define(
        "install", {.recoveries_max = how.recoveries_max},
        [this, get](recoup::operation& op, std::uint32_t number) -> result<std::string> {
            if (dead) return gone();
            auto const scope = body_scope{in_, *this, op.number()};
            auto const& mine = in_.installs[number];
            auto const once = [&](std::string const& step) {
                auto const* const row = in_.kept.step(op.number(), step, "");
                in_.tells.require(!owns(op.number()) || row == nullptr ||
                                      row->status != recoup::step_status::done,
                                  "a step that is recorded as done is not run again",
                                  [&] { return step + " of " + mine.key(); });
            };
            auto const plan = op.step("plan", [&] {
                if (!dead) once("plan");
                return static_cast<std::uint64_t>(mine.files.size());
            });
            if (!plan) return plan.error();
            std::string sizes;
            for (std::size_t i = 0; i != plan.value(); ++i) {
                auto const file = mine.files[i];
                auto const got = get(op, file, mine.path(file));
                if (!got) return got.error();
                sizes += std::to_string(got.value()) + ' ';
            }
            if (mine.sleeps) op.sleep_for(20min);
            // Whoever registers says who asks, and asks before it does so again.
            auto const token = op.idempotency_token();
            auto const done = op.step(
                {.name = "register",
                 .in_doubt = recoup::in_doubt::probe,
                 .probe = [&] { return in_.registered.contains(token); }},
                [&]() -> result<void> {
                    if (dead) return gone();
                    in_.tells.note("register " + mine.key());
                    if (dead) return gone();
                    if (in_.chance.chance(0.2))
                        return failure{category::network_connection, "the registry is away"};
                    auto const times = ++in_.registered[token];
                    in_.tells.require(times == 1,
                                      "what is asked for before it is done again is done once",
                                      [&] { return mine.key(); });
                    return recoup::success();
                });
            if (!done) return done.error();
            return sizes;
        });
    run_ = [defined](std::string const& key, std::uint32_t number, recoup::duration patience) {
        return defined.run_with({.deadline = patience}, key, number);
    };
    later("resume", 1ms, [this] { static_cast<void>(ops_->resume()); });
    later("house", 0s, [this] { keep_house(); });
    for (auto& one : in_.installs) {
        if (!one.open()) continue;
        auto const now = in_.by.clock().now();
        auto const in = std::max(one.begin - now, in_.chance.between(1s, 60s));
        for (auto window = 0; window != (one.clicked_twice ? 2 : 1); ++window)
            later("user " + std::to_string(one.number), in + window * 3s,
                  [this, number = one.number] { click(number); });
        if (one.cancel_at != recoup::steady_time{})
            later("cancel " + std::to_string(one.number),
                  std::max(one.cancel_at - now, in_.chance.between(1s, 20s)),
                  [this, number = one.number] { cancel(number); });
    }
}

void launcher::later(std::string const& what, recoup::duration in, std::function<void()> body) {
    in_.by.spawn('p' + std::to_string(number_) + ' ' + what, this, 0s,
                 [this, in, body = std::move(body)] {
                     rest(in);
                     if (!dead && !closing_) body();
                 });
}

bool launcher::owns(std::uint64_t number) const {
    auto const owner = in_.kept.find(number)->head.owner;
    return store_.owners().contains(owner) && in_.kept.is_alive(owner);
}

void launcher::rest(recoup::duration span) {
    clock_.wait_until(recoup::saturating_add(clock_.now(), span), leaving_.get_token());
}

result<std::uint64_t> launcher::download(recoup::attempt& attempt, std::string const& host,
                                         std::uint32_t number, std::string const& path) {
    if (dead) return gone();
    auto& mine = *current_errand;
    auto const file = model_file{number};
    auto const server = in_.servers.index_of(host);
    traffic_.call_begins(server, attempt.number());
    auto const ended = [&](result<std::uint64_t> how) {
        traffic_.call_ends(how.has_value() ? nullptr : &how.assume_error());
        return how;
    };
    in_.tells.note("call " + host + ' ' + path + ", attempt " + std::to_string(attempt.number()));
    if (dead) return gone();
    // A process that has slept too long has lost what it ran, and may call once more before it hears of it.
    auto const ours = owns(mine.operation);
    auto const* const row = in_.kept.step(mine.operation, "download", mine.file);
    in_.tells.require(!ours || row == nullptr || row->status != recoup::step_status::done,
                      "a step that is recorded as done is not run again", [&] { return path; });

    // What is recorded of the attempts before this one holds for it.
    auto const kept = in_.kept.retries(mine.operation, "download", mine.file);
    auto const goes_on = ours && kept && kept->status == recoup::record_status::running;
    auto const from = attempt.checkpoint<std::uint64_t>().value_or(0);
    if (goes_on) {
        in_.tells.require(attempt.number() >= kept->attempts, "no attempt is forgotten", [&] {
            return path + ": attempt " + std::to_string(attempt.number()) + " after " +
                   std::to_string(kept->attempts);
        });
        auto const saved = kept->checkpoint
                               ? recoup::encoding<std::uint64_t>::decode(*kept->checkpoint)
                               : std::optional<std::uint64_t>{};
        in_.tells.require(from == saved.value_or(0), "no acknowledged checkpoint is lost", [&] {
            return path + ": " + std::to_string(from) + ", expected " +
                   std::to_string(saved.value_or(0));
        });
    }
    auto token = std::string{};
    try {
        token = attempt.idempotency_token();
    } catch (recoup::recovery_error const& thrown) {
        auto refused = thrown.failure();
        return ended(std::move(refused));
    }
    if (dead) return gone();
    auto const noted = in_.kept.retries(mine.operation, "download", mine.file);
    in_.tells.require(!ours || (noted && recoup::detail::token_text(noted->token) == token),
                      "a token is recorded before it is given", [&] { return path; });
    if (goes_on && !recoup::detail::is_zero(kept->token))
        in_.tells.require(recoup::detail::token_text(kept->token) == token,
                          "the token is the same in all attempts and after a restart",
                          [&] { return path; });
    in_.tells.require(!ours || ++in_.attempts[token] <= in_.settings.attempts_max + in_.set_back,
                      "no operation makes more attempts than it may, over all restarts",
                      [&] { return path; });

    auto have = in_.disk.read(path);
    auto at = static_cast<std::size_t>(std::min<std::uint64_t>(from, have.size()));
    while (at < file.size()) {
        auto const patience = std::min(in_.settings.patience, attempt.remaining());
        auto const got = in_.servers.get(server, file, at, patience, attempt.stop_token());
        if (dead) return gone();
        if (!got) return ended(got.error());
        if (auto const written = in_.disk.write(path, at, got.value()); !written)
            return ended(written.error());
        at += got.value().size();
        in_.disk.sync(path);
        attempt.save_checkpoint(static_cast<std::uint64_t>(at));
        if (dead) return gone();
        auto const saved = in_.kept.retries(mine.operation, "download", mine.file);
        in_.tells.require(in_.settings.unavailable > 0 || !owns(mine.operation) ||
                              (saved && saved->checkpoint ==
                                            recoup::detail::encode(static_cast<std::uint64_t>(at))),
                          "a checkpoint that was saved is recorded", [&] { return path; });
        if (got.value().size() <
            std::min(model_file::chunk, file.size() - (at - got.value().size())))
            return ended(failure{category::network_connection, "the answer was cut short"});
    }
    if (in_.disk.read(path) != file.all()) {  // stands for its checksum
        in_.disk.remove(path);
        attempt.save_checkpoint(std::uint64_t{0});
        if (dead) return gone();
        return ended(failure{category::network_connection, "the checksum is wrong"});
    }
    return ended(static_cast<std::uint64_t>(at));
}

void launcher::click(std::uint32_t number) {
    auto& mine = in_.installs[number];
    while (!dead && !closing_ && mine.open()) {
        in_.tells.note("click " + mine.key());
        if (dead) return;
        auto const got = run_(mine.key(), number, mine.patience);
        if (dead || !mine.open()) return;
        in_.tells.note(mine.key() + ": " +
                       (got.has_value() ? std::string{"complete"}
                                        : got.error().message() + ", " +
                                              std::string{to_string(got.error().stopped())}));
        if (dead) return;
        if (take_result(mine, got)) return;
        rest(in_.chance.between(1min, 30min));
    }
}

/// Returns: whether the user has no more to wish.
bool launcher::take_result(install& of, result<std::string> const& got) {
    auto const* const known = in_.kept.find(recoup::operation_ref{"", "install", of.key()});
    auto const wrong = [&](char const* promise) {
        in_.tells.broken(promise,
                         of.key() + ": " + (got.has_value() ? "a value" : got.error().message()));
    };
    if (got.has_value()) {
        for (auto const& file : of.files)
            in_.tells.require(in_.disk.read(of.path(file)) == file.all(),
                              "the bytes of a finished file are right",
                              [&] { return of.path(file); });
        if (known == nullptr || known->head.status != operation_status::succeeded)
            wrong("what is told as complete is recorded as complete");
        of.is = install::state::complete;
        return true;
    }
    auto const& why = got.error();
    switch (why.stopped()) {
        case stop_reason::cancelled:
            if (known == nullptr || known->head.status != operation_status::cancelled) return false;
            if (of.cancel_at == recoup::steady_time{})
                wrong("only what is to be cancelled is cancelled");
            for (auto const& file : of.files) {
                // What had not come to its end is no step, and nothing to undo.
                auto const* const row = in_.kept.step(known->head.number, "download", file.name());
                auto const begun = row == nullptr || row->status == recoup::step_status::begun;
                if (!begun && (row->status != recoup::step_status::undone ||
                               !in_.disk.read(of.path(file)).empty()))
                    wrong("what is cancelled is undone");
            }
            of.is = install::state::cancelled;
            return true;
        case stop_reason::dead:
            if (known->head.recoveries > in_.settings.recoveries_max + 1)
                wrong("no operation is begun again more often than it may");
            of.is = install::state::dead;
            return true;
        case stop_reason::blocked:
        case stop_reason::input_mismatch:
            wrong("nothing of a good operation is refused");
            return true;
        default: break;
    }
    if (why.category() == category::defect || why.category() == category::corruption)
        wrong("nothing of a good operation is refused");
    if (why.category() == category::not_found &&
        std::any_of(of.files.begin(), of.files.end(),
                    [](auto const& file) { return !mirrors::exists(file); })) {
        of.is = install::state::impossible;
        return true;
    }
    return false;  // another time
}

void launcher::cancel(std::uint32_t number) {
    auto& mine = in_.installs[number];
    if (dead || closing_ || !mine.open()) return;
    in_.tells.note("cancel " + mine.key());
    if (dead) return;
    auto const done = ops_->cancel("install", mine.key());
    if (dead || done.has_value() || !mine.open()) return;
    // Nobody has begun with it, or the store does not answer: another time.
    rest(1min);
    cancel(number);
}

void launcher::keep_house() {
    while (!dead && !closing_) {
        rest(in_.settings.look_after);
        if (dead || closing_) return;
        ops_->keep_house();
        if (!dead) look_for_wishes();
    }
}

void launcher::look_for_wishes() {
    auto const now = in_.by.clock().now();
    // Those who run it hear of it by their next look, and end within what one call may take.
    auto const most = 2 * in_.settings.look_after + 2min;
    for (auto const& [number, one] : in_.kept.entries())
        if (one.wished && !has_ended(one.head.status) && one.head.owner != 0 &&
            in_.kept.is_alive(one.head.owner) && store_.owners().contains(one.head.owner))
            in_.tells.require(now - std::max(*one.wished, began_) <= most,
                              "what is to be cancelled ends soon",
                              [&, &of = one] { return of.head.id.key; });
}

void launcher::die() {
    dead = true;
    in_.by.wake_all_of(*this);
    // Whoever waits for somebody else in a loop is told, too; not from here, where locks may be held.
    in_.by.spawn("end of p" + std::to_string(number_), this, 0s,
                 [this] { static_cast<void>(ops_->shutdown(0s)); });
}

void launcher::close() {
    closing_ = true;
    static_cast<void>(ops_->shutdown(0s));
    leaving_.request_stop();
}

void launcher::bury() {
    run_ = nullptr;
    ops_.reset();
    store_.let_go();
}

}  // namespace simulation
