// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/clock.hpp>
#include <recoup/core/redact.hpp>
#include <recoup/core/time.hpp>
#include <recoup/guard/circuit_breaker_options.hpp>
#include <recoup/observe/alert.hpp>
#include <recoup/observe/detail/alerting.hpp>
#include <recoup/observe/detail/watched.hpp>
#include <recoup/observe/metrics_options.hpp>
#include <recoup/observe/metrics_snapshot.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace recoup::inline v1::detail {

/// Where metrics take the time from.
struct metrics_clock {
    void* port = nullptr;  ///< null: the machine's
    steady_time (*read)(void*) noexcept = nullptr;

    [[nodiscard]] steady_time now() const noexcept {
        return port == nullptr ? real_clock::now() : read(port);
    }
};

/// A list whose elements stay where they are. It is read without a lock, and written under one.
template <class T>
class growing_list {
  public:
    growing_list() = default;
    growing_list(growing_list const&) = delete;
    growing_list& operator=(growing_list const&) = delete;
    ~growing_list() {
        for (auto* one = first_.load(); one != nullptr;) {
            std::unique_ptr<node> const gone{one};
            one = one->next.load();
        }
    }

    /// Pre: the lock is held.
    template <class... Args>
    T& add(Args&&... args) {
        auto made = std::make_unique<node>(std::forward<Args>(args)...);
        auto& link = last_ == nullptr ? first_ : last_->next;
        last_ = made.get();
        ++size_;
        link.store(made.release(), std::memory_order_release);
        return last_->value;
    }

    template <class Visit>
    void each(Visit&& visit) const {
        for (auto* one = first_.load(std::memory_order_acquire); one != nullptr;
             one = one->next.load(std::memory_order_acquire))
            visit(one->value);
    }

    [[nodiscard]] bool empty() const noexcept {
        return first_.load(std::memory_order_relaxed) == nullptr;
    }
    /// Pre: the lock is held.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    static constexpr std::size_t links = sizeof(void*);

  private:
    struct node {
        template <class... Args>
        explicit node(Args&&... args) : value{std::forward<Args>(args)...} {}
        T value;
        std::atomic<node*> next{nullptr};
    };
    std::atomic<node*> first_{nullptr};
    node* last_ = nullptr;
    std::size_t size_ = 0;
};

/// What a metrics object consists of: names, gauges and rules, all of which stay for good.
class metrics_core {
  public:
    metrics_core(metrics_options const& chosen, metrics_clock time)
        : options{check(chosen)}, clock{time}, clock_read{cost_of(time)} {}
    metrics_core(metrics_core const&) = delete;
    metrics_core& operator=(metrics_core const&) = delete;

    /// Throws: std::bad_alloc.
    watched& watch(std::string_view name) {
        auto shown = printable(name);
        std::scoped_lock const lock{mutex_};
        watched* found = nullptr;
        names_.each([&](watched& one) {
            if (one.name == shown) found = &one;
        });
        if (found != nullptr) return *found;
        if (names_.size() < options.names_most) return add(std::move(shown));
        if (others_ == nullptr) others_ = &add("(others)");
        return *others_;
    }

    /// Throws: std::invalid_argument; std::length_error where there are too many; std::bad_alloc.
    void alert(alert_rule const& limits, kept_rule::listener tell) {
        std::scoped_lock const lock{mutex_};
        if (rules_.size() >= options.rules_most)
            throw std::length_error{"recoup::metrics: more alerts than rules_most"};
        auto& rule = rules_.add(limits, std::move(tell));
        memory_ += rule.size() + links;
        names_.each([&](watched& one) { apply(rule, one); });
    }

    /// The same, where there is nothing yet to read: `name` and `read` are what the gauge consists of.
    void gauge(std::string_view name, std::function<double()> read, gauge_unit unit) {
        if (!read) throw std::invalid_argument{"recoup::metrics: a gauge needs a function to read"};
        auto shown = printable(name);
        std::scoped_lock const lock{mutex_};
        refuse_gauges();
        memory_ += sizeof(kept_gauge) + shown.capacity() + links;
        gauges_.add(kept_gauge{std::move(shown), std::move(read), unit});
    }
    void breaker(std::string_view name, std::function<breaker_state()> read) {
        auto shown = printable(name);
        std::scoped_lock const lock{mutex_};
        refuse_gauges();
        memory_ += sizeof(kept_breaker) + shown.capacity() + links;
        breakers_.add(kept_breaker{std::move(shown), std::move(read)});
    }

    [[nodiscard]] bool has_rules() const noexcept { return !rules_.empty(); }

    /// Looks at the alerts where that was not done just before. Called at the end of operations.
    void operation_ended(steady_time now) noexcept {
        if (!has_rules()) return;
        auto due = next_look_.load(std::memory_order_relaxed);
        if (now.time_since_epoch().count() < due) return;
        // One thread looks, and the others go on.
        auto const after = saturating_add(now, look_every).time_since_epoch().count();
        if (next_look_.compare_exchange_strong(due, after, std::memory_order_relaxed)) look(now);
    }

    /// Throws: std::bad_alloc.
    [[nodiscard]] metrics_snapshot snapshot() {
        if (has_rules()) look(clock.now());
        metrics_snapshot shown;
        names_.each([&](watched& one) { shown.watched.push_back(read(one)); });
        breakers_.each(
            [&](kept_breaker const& one) { shown.breakers.push_back({one.name, one.read()}); });
        gauges_.each([&](kept_gauge const& one) {
            shown.gauges.push_back({one.name, one.value(), one.unit});
        });
        shown.memory = memory();
        rules_.each([&](kept_rule const& one) {
            shown.alerts_raised += one.raised;
            shown.alerts_cleared += one.cleared;
            shown.alerts_put_off += one.put_off;
        });
        return shown;
    }

    /// Bytes that it takes.
    [[nodiscard]] std::size_t memory() const noexcept { return sizeof *this + memory_; }

    metrics_options const options;
    metrics_clock const clock;
    duration const clock_read;  ///< how long it takes to read the clock

    static constexpr duration look_every = std::chrono::milliseconds{100};

  private:
    struct kept_gauge {
        std::string name;
        std::function<double()> read;
        gauge_unit unit;

        [[nodiscard]] std::optional<double> value() const noexcept {
            try {
                return read();
            } catch (...) {
                return std::nullopt;  // shown as failed
            }
        }
    };
    struct kept_breaker {
        std::string name;
        std::function<breaker_state()> read;
    };

    static constexpr std::size_t links = growing_list<watched>::links;
    static constexpr std::size_t name_bytes_max = 128;

    static metrics_options const& check(metrics_options const& chosen) {
        if (chosen.shards > thread_place::most)
            throw std::invalid_argument{"recoup::metrics: shards is at most 64"};
        if (chosen.names_most == 0)
            throw std::invalid_argument{"recoup::metrics: names_most is at least 1"};
        if (chosen.overhead_one_in == 0)
            throw std::invalid_argument{"recoup::metrics: overhead_one_in is at least 1"};
        return chosen;
    }

    static std::string printable(std::string_view name) {
        return escape(redacted_prefix(name, name_bytes_max));
    }

    /// What is measured contains one reading: that is taken off.
    static duration cost_of(metrics_clock const& time) noexcept {
        auto least = duration::max();
        constexpr auto readings = 32;
        for (auto i = 0; i != readings; ++i) {
            auto const before = time.now();
            least = std::min(least, saturating_between(before, time.now()));
        }
        return std::max(least, duration{});
    }

    void refuse_gauges() const {
        if (gauges_.size() + breakers_.size() >= options.gauges_most)
            throw std::length_error{"recoup::metrics: more gauges than gauges_most"};
    }

    /// Pre: the lock is held.
    watched& add(std::string shown) {
        auto& made = names_.add(*this, std::move(shown), options.shards, options.time_one_in != 0);
        memory_ += made.size() + links;
        rules_.each([&](kept_rule& rule) { apply(rule, made); });
        return made;
    }
    void apply(kept_rule& rule, watched const& to) {
        watched_rules_.add(rule, to, clock.now());
        memory_ += sizeof(watched_rule) + links;
    }

    void look(steady_time now) noexcept {
        // Not where another thread looks, or where a listener of this one has brought us here.
        if (looking_.exchange(true, std::memory_order_acquire)) return;
        watched_rules_.each([&](watched_rule& rule) { rule.look(now); });
        rules_.each([&](kept_rule& rule) { look_at_all(rule, now); });
        looking_.store(false, std::memory_order_release);
    }

    void look_at_all(kept_rule& rule, steady_time now) noexcept {
        if (auto const& bound = rule.limits.memory_above) {
            auto bytes = static_cast<double>(memory());
            gauges_.each([&](kept_gauge const& one) {
                if (one.unit == gauge_unit::bytes) bytes += one.value().value_or(0);
            });
            rule.look(rule.memory,
                      {.what = alert_kind::memory,
                       .value = bytes,
                       .bound = static_cast<double>(*bound),
                       .when = now},
                      false);
        }
        if (auto const& bound = rule.limits.open_breakers_above) {
            auto open = 0;
            breakers_.each([&](kept_breaker const& one) {
                auto const state = one.read();
                if (state == breaker_state::open || state == breaker_state::isolated) ++open;
            });
            rule.look(rule.breakers,
                      {.what = alert_kind::open_breakers,
                       .value = static_cast<double>(open),
                       .bound = static_cast<double>(*bound),
                       .when = now},
                      false);
        }
    }

    static watched_metrics read(watched const& one) {
        watched_metrics shown;
        shown.name = one.name;
        // From the end to the beginning: no more has ended than has begun.
        for (auto i = event_kind_count; i-- != 0;)
            shown.events[i] = one.events(static_cast<event_kind>(i));
        for (std::size_t i = 0; i != category_count; ++i)
            shown.failed_attempts[i] =
                one.sum([&](auto& shard) -> auto& { return shard.failed_attempts[i]; });
        for (std::size_t i = 0; i != stop_reason_count; ++i)
            shown.stops[i] = one.stops(static_cast<stop_reason>(i));
        shown.operations = shown.count(event_kind::operation_started);
        shown.succeeded = shown.count(event_kind::operation_succeeded);
        shown.failed = shown.count(event_kind::operation_failed);
        shown.attempts = shown.count(event_kind::attempt_started);
        shown.retries = shown.count(event_kind::retry_scheduled);
        shown.rejections = shown.count(event_kind::rejected);
        shown.abandoned = one.abandoned;
        shown.recovered = one.recovered;
        shown.smooth = one.smooth.read();  // first, so that it is no more than all
        shown.latency = one.troubled.read_with(one.smooth);
        shown.recovery = one.recovery.read();
        shown.measured = one.measured;
        shown.own = duration{one.own};
        shown.callable = duration{one.callable};
        return shown;
    }

    std::mutex mutex_;
    growing_list<watched> names_;
    growing_list<kept_rule> rules_;
    growing_list<watched_rule> watched_rules_;  ///< each rule for each name
    growing_list<kept_gauge> gauges_;
    growing_list<kept_breaker> breakers_;
    watched* others_ = nullptr;
    std::atomic<std::size_t> memory_{0};
    std::atomic<bool> looking_{false};
    alignas(64) std::atomic<duration::rep> next_look_{std::numeric_limits<duration::rep>::min()};
};

}  // namespace recoup::inline v1::detail
