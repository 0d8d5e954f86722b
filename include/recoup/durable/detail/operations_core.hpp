// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/detail/either_stop.hpp>
#include <recoup/durable/apply_request.hpp>
#include <recoup/durable/detail/active_runs.hpp>
#include <recoup/durable/detail/cancellation.hpp>
#include <recoup/durable/detail/child_runner.hpp>
#include <recoup/durable/detail/definition.hpp>
#include <recoup/durable/detail/definitions.hpp>
#include <recoup/durable/detail/durable_ports.hpp>
#include <recoup/durable/detail/operation_runner.hpp>
#include <recoup/durable/detail/owner.hpp>
#include <recoup/durable/detail/resume_round.hpp>
#include <recoup/durable/detail/run_executor.hpp>
#include <recoup/durable/detail/settling_round.hpp>
#include <recoup/durable/detail/started_call.hpp>
#include <recoup/durable/detail/step_call.hpp>
#include <recoup/durable/detail/worker_pool.hpp>
#include <recoup/durable/operations_options.hpp>
#include <recoup/store/store_errc.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
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
          owner_{ports_, options_, [this] { owner_entered(); }},
          runner_{ports_, options_, definitions_, active_, owner_, *this, closing_},
          cancellation_{*ports_, definitions_, active_, owner_, runner_},
          pool_{options_.threads, options_.queue_max} {
        if (!valid_identifier(options_.space))
            throw std::invalid_argument{
                "recoup: the namespace of operations is at most 512 bytes of printable UTF-8"};
    }

    [[nodiscard]] durable_ports& ports() const noexcept { return *ports_; }
    [[nodiscard]] operations_options const& options() const noexcept { return options_; }

    // ---- definitions

    void define(std::shared_ptr<definition> what) { definitions_.define(std::move(what)); }

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
                auto end = runner_.run_ours(*entry, *of, call, left);
                entry->publish(end.outcome);
                if (end.outcome) return *std::move(end.outcome);
            } else {
                if (is_ancestor(*entry, parent))
                    return refuse(ended_because(failure{category::defect, errc::joins_itself},
                                                stop_reason::busy));
                if (entry->fingerprint != call.fingerprint) return input_mismatch();
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
        auto const owner = owner_.number();
        if (!owner.has_value()) return owner.error();
        auto head = runner_.fresh_head(id, *of, call, nullptr);
        head.status = operation_status::pending;
        auto started =
            ports_->with_store([&](durable_backend& store) { return store.start(head, 0); });
        if (!started.has_value())
            return ended_because(std::move(started).assume_error(), stop_reason::store_failed);
        auto const& found = started.assume_value().record;
        if (!started.assume_value().made && found.fingerprint != call.fingerprint &&
            (!has_ended(found.status) || found.status == operation_status::succeeded))
            return input_mismatch();
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
        auto const owner = owner_.number();
        if (!owner.has_value()) {
            auto report = resume_report{};
            report.trouble = owner.error();
            return report;
        }
        return resume_round{*ports_, options_, definitions_, runner_, closing_}.run(
            owner.assume_value());
    }

    /// Lets a thread take up what is left behind or due, until the shutdown.
    void resume_async() {
        std::lock_guard const lock{mutex_};
        if (worker_.joinable() || closing_) return;
        worker_ = std::jthread{[self = shared_from_this()](std::stop_token const& stop) {
            while (!stop.stop_requested() && !self->closing_) {
                auto& clock = self->ports_->clock();
                // Counted from before the look: what falls due while it looks is seen by the next.
                auto const again = saturating_add(clock.now(), self->options_.poll);
                self->take_up_due();
                clock.wait_until(again, stop);
            }
        }};
    }

    /// One look for what is due: each goes to a thread of the pool, which looks for more when it is done.
    ///
    /// Returns: how many it found.
    std::size_t take_up_due() {
        auto const owner = owner_.number();
        if (!owner.has_value()) return 0;
        std::lock_guard const lock{looking_};  // so that two looks do not fill the same room
        passed_by_ = true;                     // before the room is counted: see `went_free`
        auto const room = threads() > busy_ ? threads() - busy_ : 0;
        if (room == 0) return 0;
        passed_by_ = false;
        auto claimed = runner_.claim_page(owner.assume_value(), room);
        if (!claimed.has_value()) {
            auto const& trouble = claimed.assume_error();
            ports_->emit({.kind = event_kind::store_failed, .failure = &trouble});
            return 0;
        }
        for (auto const& one : claimed.assume_value()) {
            ++busy_;
            auto self = shared_from_this();
            auto const queued = pool_.post([self, one] {
                self->went_free(self->runner_.run_claimed(one, self->options_.park_after));
            });
            if (!queued) {
                --busy_;
                runner_.release(one);
            }
        }
        return claimed.assume_value().size();
    }

    // ---- what others want

    result<void> cancel(std::string const& name, std::string const& key) {
        auto found = find_existing({options_.space, name, key});
        if (!found.has_value()) return std::move(found).assume_error();
        return cancellation_.cancel(found.assume_value());
    }

    result<void> request(operation_request const& what, operation_id const& id) {
        auto const owner = owner_.number();
        if (!owner.has_value()) return owner.error();
        auto const now = ports_->clock().system_now();
        auto done = ports_->with_store(
            [&](durable_backend& store) { return store.apply(what, owner.assume_value(), now); });
        if (!done.has_value()) runner_.unsettled().add(id);
        return done;
    }

    result<operation_record> find_existing(operation_id const& id) {
        return detail::find_existing(*ports_, id);
    }

    result<void> cancel_children(std::uint64_t parent) override {
        return cancellation_.cancel_children(parent);
    }

    /// Renews the lease, sees cancellations, settles what a store that failed has left, and applies
    /// requests: once. What that makes it run, compensations say, `on_pool` leaves to another thread.
    void keep_house(bool on_pool) {
        auto const cancelled = owner_.renew();
        active_.each([&](operation_run& one) {
            if (std::find(cancelled.begin(), cancelled.end(), one.number()) != cancelled.end())
                one.cancel();
        });
        auto const now_or_later = [&](auto job) {
            if (on_pool) return pool_.post(std::move(job));
            job();
            return true;
        };
        auto asked = settle([&](operation_record const& head) {
            auto const end = [self = shared_from_this(), head] {
                self->cancellation_.end_idle(head);
            };
            if (!now_or_later(end)) runner_.unsettled().add(head.id);
        });
        auto news = ports_->with_store([](durable_backend& store) { return store.requests(); });
        if (news.has_value())
            std::move(news.assume_value().begin(), news.assume_value().end(),
                      std::back_inserter(asked));
        for (auto const& one : asked) {
            auto const obeyed = [self = shared_from_this(), one] { self->obey(one); };
            if (!now_or_later(obeyed)) runner_.unsettled().add(one);
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

    static failure refuse(failure what) {
        if (what.stopped() == stop_reason::none)
            failure_access::set_end(what, stop_reason::not_retryable, 0);
        return what;
    }

    [[nodiscard]] std::size_t threads() const noexcept {
        return std::max<std::size_t>(options_.threads, 1);
    }

    /// A thread of the pool has done with what it took up: is there more? Not where that may be the same
    /// once more, unless a look has passed by meanwhile for want of a thread.
    void went_free(run_end const& end) {
        --busy_;
        auto const passed_by = passed_by_.exchange(false);
        if (!closing_ && (passed_by || !end.was_in_vain())) take_up_due();
    }

    static bool is_ancestor(operation_run const& one, operation_run const* parent) noexcept {
        for (auto const* at = parent != nullptr ? parent : current_run(); at != nullptr;
             at = at->parent())
            if (at == &one) return true;
        return false;
    }

    /// Calls `end(head)` for what is to be ended. Returns: the requests that could not be obeyed yet.
    template <class End>
    std::vector<operation_request> settle(End&& end) {
        auto open = runner_.unsettled().take();
        if (open.empty()) return {};
        auto const owner = owner_.number();
        if (!owner.has_value()) {
            runner_.unsettled().put_back(std::move(open));
            return {};
        }
        settling_round{*ports_, options_, active_, runner_}.run(open, owner.assume_value(), end);
        return std::move(open.requests);
    }

    void obey(operation_request const& what) {
        auto found = ports_->with_store(
            [&](durable_backend& store) { return operation_of(store, what.operation); });
        auto done = !found.has_value() ? result<void>{std::move(found).assume_error()}
                    : what.what == operation_request::kind::cancel
                        ? cancellation_.cancel(found.assume_value())
                        : request(what, found.assume_value().id);
        if (done.has_value()) return;
        auto const& trouble = done.assume_error();
        if (trouble.code() == store_errc::unavailable) runner_.unsettled().add(what);
        ports_->emit({.kind = event_kind::store_failed, .failure = &trouble});
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
    definitions definitions_;
    active_runs active_;
    std::atomic<bool> closing_ = false;
    owner owner_;
    operation_runner runner_;
    cancellation cancellation_;
    worker_pool pool_;
    std::mutex looking_;
    std::atomic<std::size_t> busy_ = 0;    // threads of the pool that run what was taken up
    std::atomic<bool> passed_by_ = false;  // a look found none of them free
    std::stop_source stop_;
    std::jthread keeper_;
    std::jthread worker_;
};

}  // namespace recoup::inline v1::detail
