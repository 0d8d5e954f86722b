// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/chaos/chaos_options.hpp>
#include <recoup/chaos/detail/chaos_state.hpp>
#include <recoup/core/attempt.hpp>
#include <recoup/core/category.hpp>
#include <recoup/core/clock.hpp>
#include <recoup/core/errc.hpp>
#include <recoup/core/on.hpp>
#include <recoup/core/result.hpp>
#include <recoup/core/returns.hpp>
#include <recoup/core/time.hpp>
#include <recoup/detail/fault_script.hpp>
#include <recoup/platform/process.hpp>

#include <atomic>
#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace recoup::inline v1 {

template <class F, class Wrong, class Clock>
class shaken;

namespace detail {

/// What becomes of one attempt that is shaken, with all that is needed for it. `Wrong` may be a reference.
template <class Wrong, class Clock>
class shaken_course {
  public:
    shaken_course(chaos_state::fate const& fate, clock_choice<Clock> time,
                  std::remove_cvref_t<Wrong> const& wrong)
        : fate_{fate}, time_{time}, wrong_{wrong} {}

    [[nodiscard]] duration latency() const noexcept { return fate_.latency; }
    [[nodiscard]] Clock& clock() const noexcept { return *time_.port; }

    /// Whether the callable is called.
    [[nodiscard]] bool calls() const noexcept {
        using enum fault_kind;
        return fate_.fault.kind == none || fate_.fault.kind == slow || fate_.fault.kind == wrong;
    }

    /// What comes instead of the call. Throws: where that is an exception.
    template <class Flat>
    [[nodiscard]] Flat instead() const {
        if (fate_.fault.kind == fault_kind::crash) platform::kill_this_process();
        return Flat{boost::outcome_v2::in_place_type<failure>,
                    injected_failure(fate_.fault, "thrown by recoup::chaos")};
    }

    /// The result of the call, or what is made of it where it is to be wrong.
    template <class Flat>
    [[nodiscard]] Flat spoil(Flat right) const {
        if (fate_.fault.kind != fault_kind::wrong) return right;
        if constexpr (std::same_as<std::remove_cvref_t<Wrong>, std::tuple<>>) {
            throw std::logic_error{
                "recoup: chaos: a wrong result was wanted of a callable that has "
                "none: give it one with .wrong(function)"};
        } else {
            if (right.has_value())
                return Flat{boost::outcome_v2::in_place_type<typename Flat::value_type>,
                            std::invoke(wrong_, std::move(right).assume_value())};
            return right;
        }
    }

  private:
    chaos_state::fate fate_;
    clock_choice<Clock> time_;
    [[no_unique_address]] Wrong wrong_;
};

}  // namespace detail

/// Makes callables fail, be slow, give wrong results and crash, to find out what a program does then: in a test,
/// or where it really runs.
///
/// What happens is drawn from a seed, or written down as a schedule, and can be switched off and on and changed
/// while calls are made. From one thread equal seeds give equal faults; from many the same faults fall on
/// whichever attempts come.
///
/// Copies, and callables wrapped by it, share it.
/// Thread safety: all members may be called concurrently. Switched off, a call costs one relaxed load, and a
/// coroutine a frame.
/// Example: `chaos monkey{{.failure_rate = 0.05, .latency_rate = 0.1, .latency = 200ms, .seed = 7}};`,
/// `auto fetch = with_recovery(monkey.wrap(fetch_page), retry{});`
class chaos {
  public:
    /// How often what happened. Attempts while it was switched off are not counted.
    struct counters {
        std::uint64_t attempts = 0;
        std::uint64_t failed = 0;
        std::uint64_t thrown = 0;
        std::uint64_t slow = 0;
        std::uint64_t wrong = 0;
    };

    /// Switches it for as long as this lives; then it is as it was.
    class [[nodiscard]] scope {
      public:
        scope(scope const&) = delete;
        scope& operator=(scope const&) = delete;
        ~scope() { shared_->on.store(before_, std::memory_order_relaxed); }

      private:
        friend class chaos;
        scope(auto const& shared, bool on)
            : shared_{shared}, before_{shared->on.exchange(on, std::memory_order_relaxed)} {}
        std::shared_ptr<detail::chaos_state> shared_;
        bool before_;
    };

    /// Throws: std::invalid_argument that names the option that is wrong; std::bad_alloc.
    explicit chaos(chaos_options const& options = {});

    void enable() noexcept;
    void disable() noexcept;
    [[nodiscard]] bool enabled() const noexcept;

    /// Switches it on, or off, up to the end of what is returned. Example: `auto quiet = monkey.during(false);`
    scope during(bool on) const;

    /// Goes on with other options, from the next attempt. Their schedule, where they have one, and their seed
    /// begin with it; `enabled` switches it.
    ///
    /// Throws: as the constructor; then nothing changes.
    void change(chaos_options const& options);

    /// Goes on with a schedule, from the next attempt; behind its end the rates hold again.
    ///
    /// Throws: std::invalid_argument that says what is wrong with it, and where.
    void schedule(std::string_view words);

    /// What it was made with, or changed to.
    [[nodiscard]] chaos_options options() const;

    [[nodiscard]] counters snapshot() const noexcept;

    /// A callable that is called as `callable` is, and is shaken. It returns `recoup::result` of what
    /// `callable` returns.
    ///
    /// Waits are made on `time`, and end at a stop request where `callable` takes the attempt. Those of a
    /// coroutine of Boost.Asio are timers of its executor unless a clock is given, and end at a cancellation; it
    /// refers to nothing of the wrapper.
    template <class F, clock Clock = real_clock>
    [[nodiscard]] shaken<std::decay_t<F>, void, Clock> wrap(
        F&& callable, clock_choice<Clock> time = on(detail::machine_clock)) const {
        return {*this, std::forward<F>(callable), time};
    }

  private:
    template <class F, class Wrong, class Clock>
    friend class shaken;

    std::shared_ptr<detail::chaos_state> shared_;
};

inline chaos::chaos(chaos_options const& options) {
    auto schedule = detail::checked_schedule(options);
    detail::check_crash(options, schedule);
    shared_ = std::make_shared<detail::chaos_state>(
        detail::chaos_state::plan{options, std::move(schedule), 0});
}

inline void chaos::enable() noexcept { shared_->on.store(true, std::memory_order_relaxed); }
inline void chaos::disable() noexcept { shared_->on.store(false, std::memory_order_relaxed); }
inline bool chaos::enabled() const noexcept { return shared_->on.load(std::memory_order_relaxed); }
inline chaos::scope chaos::during(bool on) const { return {shared_, on}; }
inline chaos_options chaos::options() const { return shared_->plans.take()->options; }

inline void chaos::change(chaos_options const& options) {
    auto schedule = detail::checked_schedule(options);
    detail::check_crash(options, schedule);
    std::scoped_lock const lock{shared_->changing};
    shared_->plans.put({options, std::move(schedule), shared_->attempts.load()});
    shared_->on.store(options.enabled, std::memory_order_relaxed);
}

inline void chaos::schedule(std::string_view words) {
    std::scoped_lock const lock{shared_->changing};
    auto options = this->options();
    options.schedule = words;
    auto read = detail::checked_schedule(options);
    detail::check_crash(options, read);
    shared_->plans.put({std::move(options), std::move(read), shared_->attempts.load()});
}

inline chaos::counters chaos::snapshot() const noexcept {
    return {shared_->attempts.load(std::memory_order_relaxed),
            shared_->failed_ones.load(std::memory_order_relaxed),
            shared_->thrown_ones.load(std::memory_order_relaxed),
            shared_->slow_ones.load(std::memory_order_relaxed),
            shared_->wrong_ones.load(std::memory_order_relaxed)};
}

/// A callable that is shaken. Made by `chaos::wrap`.
template <class F, class Wrong, class Clock>
class shaken {
    using wrong_type = std::conditional_t<std::is_void_v<Wrong>, std::tuple<>, Wrong>;

  public:
    template <class Callable>
    shaken(chaos by, Callable&& callable, clock_choice<Clock> time, wrong_type wrong = {})
        : by_{std::move(by)},
          time_{time},
          callable_{std::forward<Callable>(callable)},
          wrong_{std::move(wrong)} {}

    /// The same, where a wrong result is what `spoil` makes of the right one: a value of the same type.
    template <class Spoil>
    [[nodiscard]] shaken<F, std::decay_t<Spoil>, Clock> wrong(Spoil&& spoil) && {
        return {std::move(by_), std::move(callable_), time_, std::forward<Spoil>(spoil)};
    }

    template <class... Args>
        requires std::is_invocable_v<F&, Args...>
    auto operator()(Args&&... args) {
        return call(callable_, std::forward<Args>(args)...);
    }
    template <class... Args>
        requires std::is_invocable_v<F const&, Args...>
    auto operator()(Args&&... args) const {
        return call(callable_, std::forward<Args>(args)...);
    }

    /// What shakes it.
    [[nodiscard]] chaos const& shaken_by() const noexcept { return by_; }

  private:
    template <class Callable, class... Args>
    auto call(Callable& callable, Args&&... args) const {
        using returned = std::invoke_result_t<Callable&, Args...>;
        static_assert(
            !detail::coroutine_return<returned, Args...> || detail::adapted_coroutine<returned>,
            "recoup: the callable is a coroutine: include the header that adapts its return "
            "type (<recoup/async/asio.hpp> for boost::asio::awaitable)");
        if constexpr (detail::adapted_coroutine<returned>)
            return begin(callable, std::forward<Args>(args)...);
        else
            return call_here(callable, std::forward<Args>(args)...);
    }

    template <class Callable, class... Args>
    auto call_here(Callable& callable, Args&&... args) const {
        using flat = result<detail::returned_value_t<std::invoke_result_t<Callable&, Args...>>>;
        auto const go = [&] {
            return detail::invoke_to_result<flat>([&]() -> decltype(auto) {
                return std::invoke(callable, std::forward<Args>(args)...);
            });
        };
        if (!by_.shared_->on.load(std::memory_order_relaxed)) [[likely]]
            return go();
        auto const meets =
            detail::shaken_course<wrong_type const&, Clock>{by_.shared_->next(), time_, wrong_};
        if (meets.latency() > duration{} && !wait(meets.latency(), args...))
            return flat{boost::outcome_v2::in_place_type<failure>,
                        failure{category::cancelled, errc::cancelled}};
        if (!meets.calls()) return meets.template instead<flat>();
        return meets.spoil(go());
    }

    /// A coroutine, which waits for a moment only when it is awaited: its own body has not begun then.
    template <class Callable, class... Args>
    auto begin(Callable& callable, Args&&... args) const {
        using returned = std::invoke_result_t<Callable&, Args...>;
        auto const on = by_.shared_->on.load(std::memory_order_relaxed);
        auto meets = detail::shaken_course<wrong_type, Clock>{
            on ? by_.shared_->next() : detail::chaos_state::fate{}, time_, wrong_};
        auto what = std::optional<returned>{};
        auto const stop = stop_token_of(args...);
        if (meets.calls()) what.emplace(std::invoke(callable, std::forward<Args>(args)...));
        return detail::coroutine_adapter<returned>::shake(std::move(meets), stop, std::move(what));
    }

    /// Returns: false where a stop was requested.
    template <class... Args>
    bool wait(duration latency, Args const&... args) const {
        auto& time = *time_.port;
        return time.wait_until(saturating_add(time.now(), latency), stop_token_of(args...));
    }

    /// Of the attempt, where that is the first argument.
    template <class... Args>
    static std::stop_token stop_token_of(Args const&... args) {
        auto stop = std::stop_token{};
        if constexpr (sizeof...(Args) != 0) {
            auto const& first = std::get<0>(std::tie(args...));
            if constexpr (std::same_as<std::remove_cvref_t<decltype(first)>, attempt>)
                stop = first.stop_token();
        }
        return stop;
    }

    chaos by_;
    clock_choice<Clock> time_;
    F callable_;
    [[no_unique_address]] wrong_type wrong_;
};

}  // namespace recoup::inline v1
