// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/result.hpp>
#include <recoup/store/detail/sqlite_account.hpp>
#include <recoup/store/detail/sqlite_operation_row.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// What a transaction is about to change beside its rows: written at its end, or taken back with it.
struct sqlite_change {
    store_account account{};
    bool account_changed = false;
    std::vector<operation_id> remembered{};  ///< records that came
    std::vector<operation_id> forgotten{};   ///< records that went
    /// What was known of live operations before, to be put back where the transaction fails.
    std::vector<std::pair<std::uint64_t, std::optional<live_operation>>> before{};
};

/// What one caller wants done in a transaction that it may share with others.
///
/// `apply` decides first and writes then: a verdict (a conflict, a fence) leaves the transaction as it
/// was. Where it fails after it has written, all of the transaction is taken back, and those in it are
/// done again, one by one: so it may be called twice.
class sqlite_task {
  public:
    sqlite_task() = default;
    sqlite_task(sqlite_task const&) = delete;
    sqlite_task& operator=(sqlite_task const&) = delete;

    virtual void apply(sqlite_change& change) = 0;
    [[nodiscard]] virtual failure const* failed() const noexcept = 0;
    virtual void fail(failure const& why) = 0;

    /// Until when it may wait for locks of other processes.
    void wait_until(steady_time when) noexcept { until_ = when; }
    [[nodiscard]] steady_time until() const noexcept { return until_; }

  protected:
    ~sqlite_task() = default;

  private:
    steady_time until_{};
};

/// A task made of a function `work(sqlite_change&) -> result<T>`.
template <class T, class Work>
class sqlite_task_of final : public sqlite_task {
  public:
    explicit sqlite_task_of(Work const& work) noexcept : work_{&work} {}

    void apply(sqlite_change& change) override { outcome_.emplace((*work_)(change)); }
    [[nodiscard]] failure const* failed() const noexcept override {
        return outcome_->has_value() ? nullptr : &outcome_->error();
    }
    void fail(failure const& why) override { outcome_.emplace(why); }
    [[nodiscard]] result<T> take() { return std::move(*outcome_); }

  private:
    Work const* work_;
    std::optional<result<T>> outcome_;
};

}  // namespace recoup::inline v1::detail
