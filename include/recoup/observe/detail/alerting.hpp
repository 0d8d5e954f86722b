// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>
#include <recoup/observe/alert.hpp>
#include <recoup/observe/detail/watched.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// Fewer operations that were measured say nothing of the overhead.
inline constexpr std::uint64_t least_measured = 5;

/// Most alerts of a rule within its `per`.
inline constexpr std::uint32_t alerts_at_most = 1'000;

/// A value on its way over a bound and back.
struct alert_condition {
    bool raised = false;

    enum class change : std::uint8_t { none, raise, clear };

    /// What `value` changes; nothing between the bound and where it is cleared.
    [[nodiscard]] change seen(double value, double bound, double cleared_at,
                              bool below) const noexcept {
        auto const bad = below ? value < bound : value > bound;
        auto const good = below ? value >= cleared_at : value <= cleared_at;
        if (!raised && bad) return change::raise;
        if (raised && good) return change::clear;
        return change::none;
    }
};

/// One rule, whom it tells, and how often it may.
///
/// Thread safety: none; whoever evaluates does so alone.
class kept_rule {
  public:
    using listener = std::function<void(alert const&)>;

    /// Throws: std::invalid_argument that names what is wrong.
    kept_rule(alert_rule const& given, listener tell)
        : limits{check(given)}, tell_{std::move(tell)}, raised_at_(limits.at_most) {
        if (!tell_)
            throw std::invalid_argument{"recoup::metrics: an alert needs a function to call"};
    }

    /// Looks at one value, and tells of it where that is due.
    void look(alert_condition& state, alert shown, bool below) noexcept {
        auto const margin = limits.clear_margin * (below ? 1 - shown.bound : shown.bound);
        auto const cleared_at = below ? shown.bound + margin : shown.bound - margin;
        using change = alert_condition::change;
        switch (state.seen(shown.value, shown.bound, cleared_at, below)) {
            case change::none: return;
            case change::raise:
                if (!may_raise(shown.when)) {
                    ++put_off;
                    return;  // looked at again next time
                }
                state.raised = true;
                break;
            case change::clear:
                state.raised = false;
                shown.raised = false;
                break;
        }
        ++(shown.raised ? raised : cleared);
        try {
            tell_(shown);
        } catch (...) {
            // A listener that throws harms nobody; there is nobody to tell.
        }
    }

    [[nodiscard]] std::size_t size() const noexcept {
        return sizeof *this + raised_at_.capacity() * sizeof raised_at_[0];
    }

    alert_rule const limits;
    alert_condition memory;
    alert_condition breakers;
    std::atomic<std::uint64_t> raised{0};
    std::atomic<std::uint64_t> cleared{0};
    std::atomic<std::uint64_t> put_off{
        0};  ///< how often one was not raised for there were too many

  private:
    static alert_rule const& check(alert_rule const& rule) {
        auto const share = [](std::optional<double> const& given, double most) {
            return !given || (*given >= 0 && *given <= most);  // and no NaN
        };
        auto const require = [](bool good, char const* what) {
            if (!good) throw std::invalid_argument{what};
        };
        require(rule.overhead_above || rule.success_below || rule.recovery_above ||
                    rule.memory_above || rule.open_breakers_above,
                "recoup::metrics: an alert needs a bound: overhead_above, success_below, "
                "recovery_above, memory_above or open_breakers_above");
        require(share(rule.overhead_above, 1e9),
                "recoup::metrics: overhead_above is a share, as 0.05");
        require(share(rule.success_below, 1),
                "recoup::metrics: success_below is a share from 0 to 1, as 0.9");
        require(!rule.recovery_above || *rule.recovery_above >= duration{},
                "recoup::metrics: recovery_above is below zero");
        require(rule.window > duration{}, "recoup::metrics: the window of an alert is above zero");
        require(share(rule.clear_margin, 1), "recoup::metrics: clear_margin is from 0 to 1");
        require(rule.at_most >= 1 && rule.at_most <= alerts_at_most,
                "recoup::metrics: at_most is from 1 to 1000 alerts");
        require(rule.per >= duration{}, "recoup::metrics: per is below zero");
        return rule;
    }

    bool may_raise(steady_time now) noexcept {
        // The oldest of the last `at_most` has to be long enough ago.
        auto& oldest = raised_at_[at_];
        if (oldest && saturating_between(*oldest, now) < limits.per) return false;
        oldest = now;
        at_ = (at_ + 1) % raised_at_.size();
        return true;
    }

    listener const tell_;
    std::vector<std::optional<steady_time>> raised_at_;
    std::size_t at_ = 0;
};

/// A rule for the operations of one name.
///
/// Thread safety: none; whoever evaluates does so alone.
class watched_rule {
  public:
    watched_rule(kept_rule& rule, watched const& of, steady_time now) noexcept
        : rule_{rule}, of_{of} {
        slices_[0] = last_ = {now, of.totals()};
        count_ = 1;
    }

    /// Looks at the last window.
    void look(steady_time now) noexcept {
        auto const totals = of_.totals();
        auto const& limits = rule_.limits;
        auto const& before = slide(totals, now);
        auto const succeeded = totals.succeeded - before.succeeded;
        auto const failed = difference(totals.failed, before.failed);
        auto const calls = succeeded + failed;
        if (calls == 0 || calls < limits.minimum_calls) return;
        auto const shown = [&](alert_kind what, double value, double bound) {
            return alert{.what = what,
                         .name = of_.name,
                         .value = value,
                         .bound = bound,
                         .calls = calls,
                         .when = now};
        };
        if (limits.success_below)
            rule_.look(success_,
                       shown(alert_kind::success,
                             static_cast<double>(succeeded) / static_cast<double>(calls),
                             *limits.success_below),
                       true);
        auto const callable = totals.callable - before.callable;
        if (limits.overhead_above && totals.measured - before.measured >= least_measured &&
            callable > 0)
            rule_.look(
                overhead_,
                shown(alert_kind::overhead,
                      static_cast<double>(totals.own - before.own) / static_cast<double>(callable),
                      *limits.overhead_above),
                false);
        if (limits.recovery_above) {
            // Where nothing had to recover, nothing took long.
            auto const recovered = totals.recovered - before.recovered;
            auto const took = static_cast<double>(totals.recovering - before.recovering);
            rule_.look(recovery_,
                       shown(alert_kind::recovery,
                             recovered == 0 ? 0 : took / static_cast<double>(recovered) / 1e9,
                             static_cast<double>(limits.recovery_above->count()) / 1e9),
                       false);
        }
    }

  private:
    struct slice {
        steady_time when{};
        watched_totals totals{};
    };
    /// The window moves in steps of a part of it.
    static constexpr std::size_t slice_count = 12;
    static constexpr duration::rep slices_in_window = 10;

    static std::uint64_t difference(std::uint64_t more, std::uint64_t less) noexcept {
        return more > less ? more - less : 0;
    }

    /// Moves the window on. Returns: the sums where it begins.
    watched_totals const& slide(watched_totals const& totals, steady_time now) noexcept {
        auto const step = std::max(rule_.limits.window / slices_in_window, duration{1});
        // What came in before a pause is older than the pause: it is cut off where it was seen last.
        if (saturating_between(at(count_ - 1).when, now) >= step &&
            last_.when > at(count_ - 1).when) {
            if (count_ == slice_count) {
                first_ = (first_ + 1) % slice_count;
                --count_;
            }
            at(count_++) = last_;
        }
        last_ = {now, totals};
        // The newest that is as old as the window.
        while (count_ > 1 && saturating_between(at(1).when, now) >= rule_.limits.window) {
            first_ = (first_ + 1) % slice_count;
            --count_;
        }
        return at(0).totals;
    }

    slice& at(std::size_t index) noexcept { return slices_[(first_ + index) % slice_count]; }

    kept_rule& rule_;
    watched const& of_;
    std::array<slice, slice_count> slices_{};
    std::size_t first_ = 0;
    std::size_t count_ = 0;
    slice last_;
    alert_condition success_;
    alert_condition overhead_;
    alert_condition recovery_;
};

}  // namespace recoup::inline v1::detail
