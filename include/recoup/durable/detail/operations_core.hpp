// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/durable/detail/active_runs.hpp>
#include <recoup/durable/detail/child_runner.hpp>
#include <recoup/durable/detail/definition.hpp>
#include <recoup/durable/detail/durable_ports.hpp>
#include <recoup/durable/detail/owner.hpp>
#include <recoup/durable/detail/run_executor.hpp>
#include <recoup/durable/detail/started_call.hpp>
#include <recoup/durable/detail/step_call.hpp>
#include <recoup/durable/detail/worker_pool.hpp>
#include <recoup/durable/operations_options.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// What `operations` does, without the types of stores, clocks and bodies.
class operations_core final : public child_runner,
                              public std::enable_shared_from_this<operations_core> {
  public:
    operations_core(std::shared_ptr<durable_ports> ports, operations_options options)
        : ports_{std::move(ports)},
          options_{std::move(options)},
          owner_{ports_, options_},
          pool_{options_.threads, options_.queue_max} {
        if (!valid_identifier(options_.space))
            throw std::invalid_argument{
                "recoup: the namespace of operations is at most 512 bytes of printable UTF-8"};
    }

    [[nodiscard]] durable_ports& ports() const noexcept { return *ports_; }
    [[nodiscard]] operations_options const& options() const noexcept { return options_; }

    // ---- definitions

    void define(std::shared_ptr<definition> what) {
        // A child's step is named after its operation, with something before it.
        constexpr std::size_t name_bytes_max = identifier_bytes_max - 32;
        auto const& name = what->name();
        if (name.empty() || name.size() > name_bytes_max || !valid_identifier(name) ||
            !valid_identifier(what->options().version))
            throw std::invalid_argument{
                "recoup: the name of an operation is 1 to 480 bytes of printable UTF-8, and its "
                "version at most 512"};
        std::lock_guard const lock{mutex_};
        if (!definitions_.emplace(name, what).second)
            throw std::invalid_argument{"recoup: an operation named \"" + name +
                                        "\" is defined already"};
    }

    [[nodiscard]] std::shared_ptr<definition> find_definition(std::string const& name) const {
        std::lock_guard const lock{mutex_};
        auto const found = definitions_.find(name);
        return found == definitions_.end() ? nullptr : found->second;
    }
    [[nodiscard]] std::vector<std::string> defined_names() const {
        std::vector<std::string> names;
        std::lock_guard const lock{mutex_};
        for (auto const& [name, what] : definitions_) names.push_back(name);
        return names;
    }

    // ---- running

    result<std::string> run(std::shared_ptr<definition> const& of, operation_call call,
                            run_options const& options, operation_run const* parent) override {
        auto const id = operation_id{options_.space, of->name(), call.key};
        if (!valid(id)) return refuse(failure{category::invalid_input, errc::key_invalid});
        auto& clock = ports_->clock();
        auto const until = options.deadline == unlimited
                               ? steady_time::max()
                               : saturating_add(clock.now(), options.deadline);
        auto pause = poll_min;
        while (true) {
            if (closing_) return refuse(run_executor::left_failure(interruption::shut_down));
            if (options.stop.stop_requested())
                return refuse(run_executor::left_failure(interruption::stopped));
            auto [entry, ours] = active_.enter(ports_, id, parent);
            if (ours) {
                auto const mine = active_claim{active_, entry};
                entry->fingerprint = call.fingerprint;
                auto left = options;
                if (until != steady_time::max())
                    left.deadline = std::max(saturating_between(clock.now(), until), duration{});
                auto end = run_ours(*entry, *of, call, left);
                entry->publish(end.outcome);
                if (end.outcome) return *std::move(end.outcome);
            } else {
                if (is_ancestor(*entry, parent))
                    return refuse(ended_because(failure{category::defect, errc::joins_itself},
                                                stop_reason::busy));
                if (entry->fingerprint != call.fingerprint) return mismatch();
                entry->emit(event_kind::operation_joined);
                auto const why = await_end(clock, entry->over(), until, options.stop);
                if (why != interruption::none) return refuse(run_executor::left_failure(why));
                if (auto outcome = entry->outcome()) return *std::move(outcome);
                continue;
            }
            // Another owner has it: look again, less and less often.
            auto const next = std::min(until, saturating_add(clock.now(), pause));
            auto const both = either_stop{options.stop, stop_.get_token()};
            clock.wait_until(next, both.token());
            if (clock.now() >= until)
                return refuse(run_executor::left_failure(interruption::deadline));
            pause = std::min(pause * 2, std::max(options_.poll, poll_min));
        }
    }

    /// Records an operation as begun and lets a thread of the pool run it.
    ///
    /// Returns: an error where it can be neither recorded nor queued.
    result<std::shared_ptr<started_call>> start(std::shared_ptr<definition> const& of,
                                                operation_call call) {
        auto const id = operation_id{options_.space, of->name(), call.key};
        if (!valid(id)) return refuse(failure{category::invalid_input, errc::key_invalid});
        if (closing_) return refuse(run_executor::left_failure(interruption::shut_down));
        auto const owner = owner_.number(*this);
        if (!owner.has_value()) return owner.error();
        auto head = fresh_head(id, *of, call, nullptr);
        head.status = operation_status::pending;
        auto started =
            ports_->with_store([&](durable_backend& store) { return store.start(head, 0); });
        if (!started.has_value())
            return ended_because(std::move(started).assume_error(), stop_reason::store_failed);
        auto const& found = started.assume_value().record;
        if (!started.assume_value().made && found.fingerprint != call.fingerprint &&
            (!has_ended(found.status) || found.status == operation_status::succeeded))
            return mismatch().error();
        auto state = std::make_shared<started_call>(of, std::move(call));
        // Where the queue is full, whoever waits for it runs it, or `resume` does.
        static_cast<void>(pool_.post(
            [self = shared_from_this(), state] { self->run_started(*state, run_options{}); }));
        return state;
    }

    /// Waits for an operation that was started; runs it where no thread has come to it yet.
    result<std::string> wait(started_call& of, run_options const& options) {
        if (run_started(of, options)) return *of.outcome();
        auto& clock = ports_->clock();
        auto const until = options.deadline == unlimited
                               ? steady_time::max()
                               : saturating_add(clock.now(), options.deadline);
        auto const why = await_end(clock, of.over(), until, options.stop);
        if (why != interruption::none) return run_executor::left_failure(why);
        return *of.outcome();
    }

    // ---- resuming

    resume_report resume() {
        auto report = resume_report{};
        auto const owner = owner_.number(*this);
        if (!owner.has_value()) {
            report.trouble = owner.error();
            return report;
        }
        std::mutex mutex;  // of the report and of what was seen
        std::set<std::uint64_t> seen;
        std::vector<operation_record> waiting;
        auto more = true;
        // Gives the next operation, and claims a page more where none is left.
        auto const next = [&]() -> std::optional<operation_record> {
            std::lock_guard const lock{mutex};
            while (waiting.empty() && more && !closing_) {
                auto claimed = claim_page(owner.assume_value(), claimed_per_thread * threads());
                if (!claimed.has_value()) {
                    report.trouble = std::move(claimed).assume_error();
                    more = false;
                    break;
                }
                auto news = false;
                for (auto& one : claimed.assume_value()) {
                    // What comes back a second time was given back in between: not in this round.
                    if (!seen.insert(one.number).second) {
                        release(one);
                        continue;
                    }
                    news = true;
                    waiting.push_back(std::move(one));
                }
                more = news;
                std::reverse(waiting.begin(), waiting.end());
            }
            if (waiting.empty()) return std::nullopt;
            auto one = std::move(waiting.back());
            waiting.pop_back();
            return one;
        };
        auto const work = [&] {
            while (auto one = next()) {
                auto const status = closing_ ? give_up(*one) : run_claimed(*one, unlimited);
                std::lock_guard const lock{mutex};
                count(report, status);
            }
        };
        run_on_threads(work);
        for (auto const& one : waiting) release(one);
        report_undefined(report);
        return report;
    }

    /// Lets a thread take up what is left behind or due, until the shutdown.
    void resume_async() {
        std::lock_guard const lock{mutex_};
        if (worker_.joinable() || closing_) return;
        worker_ = std::jthread{[self = shared_from_this()](std::stop_token const& stop) {
            while (!stop.stop_requested() && !self->closing_) {
                self->take_up_due();
                auto& clock = self->ports_->clock();
                clock.wait_until(saturating_add(clock.now(), self->options_.poll), stop);
            }
        }};
    }

    /// One look for what is due: each goes to a thread of the pool.
    std::size_t take_up_due() {
        auto const owner = owner_.number(*this);
        if (!owner.has_value()) return 0;
        auto const room = threads() > busy_ ? threads() - busy_ : 0;
        if (room == 0) return 0;
        auto claimed = claim_page(owner.assume_value(), room);
        if (!claimed.has_value()) {
            auto const& trouble = claimed.assume_error();
            ports_->emit({.kind = event_kind::store_failed, .failure = &trouble});
            return 0;
        }
        for (auto const& one : claimed.assume_value()) {
            ++busy_;
            auto self = shared_from_this();
            auto const queued = pool_.post([self, one] {
                self->run_claimed(one, self->options_.park_after);
                --self->busy_;
            });
            if (!queued) {
                --busy_;
                release(one);
            }
        }
        return claimed.assume_value().size();
    }

    // ---- what others want

    result<void> cancel(std::string const& name, std::string const& key) {
        auto const id = operation_id{options_.space, name, key};
        auto found = find_existing(id);
        if (!found.has_value()) return std::move(found).assume_error();
        return cancel_found(found.assume_value());
    }

    result<void> request(operation_request const& what) {
        auto const owner = owner_.number(*this);
        if (!owner.has_value()) return owner.error();
        auto const now = ports_->clock().system_now();
        return ports_->with_store(
            [&](durable_backend& store) { return store.apply(what, owner.assume_value(), now); });
    }

    result<operation_record> find_existing(operation_id const& id) {
        auto found = ports_->with_store([&](durable_backend& store) { return store.find(id); });
        if (!found.has_value()) return std::move(found).assume_error();
        if (!found.assume_value())
            return failure{category::not_found, errc::no_such_operation,
                           "there is no operation " + display(id)};
        return *std::move(found).assume_value();
    }

    void cancel_children(std::uint64_t parent) override {
        auto after = std::uint64_t{0};
        for (auto page = 0; page != pages_max; ++page) {
            auto found = ports_->with_store([&](durable_backend& store) {
                return store.operations(
                    operation_filter{.parent = parent, .after = after, .limit = children_a_page});
            });
            if (!found.has_value() || found.assume_value().empty()) return;
            for (auto const& child : found.assume_value()) {
                after = child.number;
                if (!has_ended(child.status)) static_cast<void>(cancel_found(child));
            }
        }
    }

    /// Renews the lease, sees cancellations and applies requests: once. What that makes it run, compensations
    /// say, `on_pool` leaves to another thread.
    void keep_house(bool on_pool) {
        auto const cancelled = owner_.renew();
        active_.each([&](operation_run& one) {
            if (std::find(cancelled.begin(), cancelled.end(), one.number()) != cancelled.end())
                one.cancel();
        });
        auto requests = ports_->with_store([](durable_backend& store) { return store.requests(); });
        if (!requests.has_value()) return;
        for (auto const& one : requests.assume_value()) {
            if (on_pool)
                static_cast<void>(
                    pool_.post([self = shared_from_this(), one] { self->obey(one); }));
            else
                obey(one);
        }
    }

    // ---- the end

    shutdown_report shutdown(duration wanted) {
        auto const at_most = real_wait(wanted);
        auto report = shutdown_report{};
        closing_ = true;
        stop_.request_stop();
        active_.each([](operation_run& one) { one.ask_to_leave(interruption::shut_down); });
        // On the machine's clock, for what is waited for is real.
        auto const began = std::chrono::steady_clock::now();
        auto const all_left = active_.await_empty(at_most);
        auto const spent = std::chrono::steady_clock::now() - began;
        stop_threads();
        pool_.stop(
            std::max<duration>(at_most - spent, std::chrono::milliseconds{all_left ? 500 : 0}));
        active_.each([&](operation_run& one) {
            report.left.push_back(one.id().name + '/' + one.id().key);
            one.emit(event_kind::operation_left);
        });
        // What still runs keeps its owner: it may not be taken for dead by those on this host.
        if (report.left.empty()) owner_.leave();
        return report;
    }

    /// Returns: false where a call of the store has not come back in time.
    bool close(duration at_most) { return ports_->close(at_most); }

    /// Starts the thread that keeps house, once there is an owner.
    void owner_entered() {
        if (!options_.housekeeping) return;
        std::lock_guard const lock{mutex_};
        if (keeper_.joinable() || closing_) return;
        // It refers to this weakly: it must not keep alive what ends it.
        keeper_ = std::jthread{[self = weak_from_this()](std::stop_token const& stop) {
            while (!stop.stop_requested()) {
                auto const core = self.lock();
                if (!core) return;
                auto& clock = core->ports_->clock();
                // Somebody may be waiting for a request to be taken: that is looked for as often as work.
                auto const rest = std::max<duration>(
                    std::min(core->options_.lease / 3, core->options_.poll), duration{1});
                if (!clock.wait_until(saturating_add(clock.now(), rest), stop)) return;
                core->keep_house(true);
            }
        }};
    }

  private:
    /// Returns: false where another thread has begun with it.
    bool run_started(started_call& of, run_options const& options) {
        if (!of.begin()) return false;
        of.end(run(of.definition, of.call, options, nullptr));
        return true;
    }

    static constexpr duration poll_min = std::chrono::milliseconds{5};
    static constexpr std::size_t claimed_per_thread = 8;
    static constexpr std::size_t children_a_page = 100;
    static constexpr int pages_max = 10'000;
    static constexpr std::size_t undefined_names_max = 100;
    static constexpr std::size_t undefined_scan_pages_max = 10;

    static failure refuse(failure what) {
        if (what.stopped() == stop_reason::none)
            failure_access::set_end(what, stop_reason::not_retryable, 0);
        return what;
    }
    static result<std::string> mismatch() {
        return ended_because(failure{category::invalid_input, errc::input_mismatch},
                             stop_reason::input_mismatch);
    }

    [[nodiscard]] std::size_t threads() const noexcept {
        return std::max<std::size_t>(options_.threads, 1);
    }

    static bool is_ancestor(operation_run const& one, operation_run const* parent) noexcept {
        for (auto const* at = parent != nullptr ? parent : current_run(); at != nullptr;
             at = at->parent())
            if (at == &one) return true;
        return false;
    }

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
        auto const owner = owner_.number(*this);
        if (!owner.has_value()) return trouble(owner.error());
        auto executor = run_executor{mine, of, *this, options};
        auto const obey =
            std::stop_callback{options.stop, [&mine] { mine.ask_to_leave(interruption::stopped); }};
        auto const fresh = fresh_head(mine.id(), of, call, mine.parent());
        auto started = ports_->with_store(
            [&](durable_backend& store) { return store.start(fresh, owner.assume_value()); });
        if (!started.has_value()) return trouble(std::move(started).assume_error());
        auto& found = started.assume_value().record;
        if (started.assume_value().made) return keep(mine, executor.run_new(std::move(found)));

        auto const now = ports_->clock().system_now();
        auto const expired = has_ended(found.status) && found.expires <= now;
        auto const anew = expired || found.status == operation_status::failed ||
                          found.status == operation_status::cancelled;
        auto end = run_end{};
        if (!anew && found.fingerprint != call.fingerprint) {
            end.outcome = mismatch();
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
        // Left by ourselves when the store failed: nobody else can take it, for we are alive.
        if (found.owner == owner.assume_value()) release(found);
        auto taken = ports_->with_store([&](durable_backend& store) {
            return store.take(found.number, found.epoch, owner.assume_value());
        });
        if (!taken.has_value()) {
            auto const code = taken.assume_error().code();
            auto const elsewhere = code == store_errc::owned || code == store_errc::conflict ||
                                   code == store_errc::fenced;
            return elsewhere ? run_end{} : trouble(std::move(taken).assume_error());
        }
        return keep(mine, anew ? executor.run_again(std::move(taken).assume_value(), call)
                               : executor.run_taken(std::move(taken).assume_value()));
    }

    /// What the store could not let go is let go now, if it can.
    run_end keep(operation_run& mine, run_end end) {
        if (end.unreleased) release(mine.head());
        return end;
    }

    void release(operation_record const& head) {
        static_cast<void>(ports_->with_store([&](durable_backend& store) {
            return store.write(
                operation_write{.number = head.number, .epoch = head.epoch, .release = true});
        }));
    }

    operation_status give_up(operation_record const& head) {
        release(head);
        return operation_status::pending;
    }

    result<std::vector<operation_record>> claim_page(std::uint64_t owner, std::size_t limit) {
        auto const names = defined_names();
        auto const now = ports_->clock().system_now();
        return ports_->with_store([&](durable_backend& store) {
            return store.claim(claim_request{.owner = owner,
                                             .space = options_.space,
                                             .names = names,
                                             .now = now,
                                             .limit = limit});
        });
    }

    /// Runs what was claimed.
    operation_status run_claimed(operation_record const& head, duration park_after) {
        auto const of = find_definition(head.id.name);
        if (!of || closing_) return give_up(head);
        auto [entry, ours] = active_.enter(ports_, head.id, nullptr);
        // An earlier run of ours has not seen yet that it has lost the operation.
        if (!ours) return give_up(head);
        auto const mine = active_claim{active_, entry};
        entry->fingerprint = head.fingerprint;
        entry->park_after(park_after);
        auto const options = run_options{};
        auto end = keep(*entry, run_executor{*entry, *of, *this, options}.run_taken(head));
        entry->publish(end.outcome);
        return end.status;
    }

    static void count(resume_report& report, operation_status status) {
        ++report.resumed;
        switch (status) {
            case operation_status::succeeded: ++report.succeeded; break;
            case operation_status::failed: ++report.failed; break;
            case operation_status::cancelled: ++report.cancelled; break;
            case operation_status::blocked: ++report.blocked; break;
            case operation_status::dead: ++report.dead; break;
            case operation_status::pending:
            case operation_status::running: ++report.left; break;
        }
    }

    template <class Work>
    void run_on_threads(Work& work) {
        std::vector<std::jthread> helpers;
        try {
            for (std::size_t i = 1; i < threads(); ++i) helpers.emplace_back([&] { work(); });
        } catch (std::system_error const&) {
            // As many threads as there are to be had; this one is always there.
        }
        work();
    }

    void report_undefined(resume_report& report) {
        auto const names = defined_names();
        auto undefined = std::set<std::string>{};
        for (auto const status : {operation_status::pending, operation_status::running}) {
            auto after = std::uint64_t{0};
            for (std::size_t page = 0; page != undefined_scan_pages_max; ++page) {
                auto found = ports_->with_store([&](durable_backend& store) {
                    return store.operations(operation_filter{
                        .status = status, .space = options_.space, .after = after});
                });
                if (!found.has_value() || found.assume_value().empty()) break;
                after = found.assume_value().back().number;
                for (auto const& one : found.assume_value())
                    if (std::find(names.begin(), names.end(), one.id.name) == names.end() &&
                        undefined.size() < undefined_names_max)
                        undefined.insert(one.id.name);
            }
        }
        report.undefined.assign(undefined.begin(), undefined.end());
    }

    void obey(operation_request const& what) {
        auto done = what.what == operation_request::kind::cancel ? cancel_number(what.operation)
                                                                 : request(what);
        if (done.has_value()) return;
        auto const& trouble = done.assume_error();
        ports_->emit({.kind = event_kind::store_failed, .failure = &trouble});
    }

    result<void> cancel_number(std::uint64_t number) {
        auto found = ports_->with_store([&](durable_backend& store) {
            return store.operations(operation_filter{.after = number - 1, .limit = 1});
        });
        if (!found.has_value()) return std::move(found).assume_error();
        if (number == 0 || found.assume_value().empty() ||
            found.assume_value().front().number != number)
            return failure{category::not_found, errc::no_such_operation,
                           "there is no operation " + std::to_string(number)};
        return cancel_found(found.assume_value().front());
    }

    /// Tells who runs it here, notes the wish for who runs it elsewhere, ends it where nobody does.
    result<void> cancel_found(operation_record const& head) {
        if (has_ended(head.status))
            return failure{category::invalid_input, errc::request_refused,
                           "operation " + display(head.id) + " is " +
                               std::string{to_string(head.status)} + " already"};
        auto noted = ports_->with_store(
            [&](durable_backend& store) { return store.request_cancel(head.number); });
        if (!noted.has_value()) return noted;
        if (auto const running = active_.find(head.id)) {
            running->cancel();
            return success();
        }
        auto const of = find_definition(head.id.name);
        auto const owner = owner_.number(*this);
        if (!of || !owner.has_value()) return success();  // for whoever claims it
        auto [entry, ours] = active_.enter(ports_, head.id, nullptr);
        if (!ours) {
            entry->cancel();
            return success();
        }
        auto const mine = active_claim{active_, entry};
        entry->fingerprint = head.fingerprint;
        auto taken = ports_->with_store([&](durable_backend& store) {
            return store.take(head.number, head.epoch, owner.assume_value());
        });
        if (!taken.has_value()) {
            entry->publish(std::nullopt);
            return success();  // somebody has it, and is told
        }
        auto now_head = std::move(taken).assume_value();
        now_head.cancel_requested = true;
        auto const options = run_options{};
        auto end = keep(*entry, run_executor{*entry, *of, *this, options}.run_taken(now_head));
        entry->publish(end.outcome);
        return success();
    }

    void stop_threads() {
        std::jthread keeper;
        std::jthread worker;
        {
            std::lock_guard const lock{mutex_};
            keeper.swap(keeper_);
            worker.swap(worker_);
        }
        keeper.request_stop();
        worker.request_stop();
    }

    std::shared_ptr<durable_ports> const ports_;
    operations_options const options_;
    mutable std::mutex mutex_;
    std::map<std::string, std::shared_ptr<definition>> definitions_;
    active_runs active_;
    owner owner_;
    worker_pool pool_;
    std::atomic<std::size_t> busy_ = 0;
    std::atomic<bool> closing_ = false;
    std::stop_source stop_;
    std::jthread keeper_;
    std::jthread worker_;
};

}  // namespace recoup::inline v1::detail
