// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/clock.hpp>
#include <recoup/core/result.hpp>
#include <recoup/platform/file.hpp>
#include <recoup/platform/process.hpp>
#include <recoup/store/detail/postgres_connection.hpp>
#include <recoup/store/detail/postgres_settings.hpp>
#include <recoup/store/detail/postgres_target.hpp>
#include <recoup/store/postgres_options.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// The connections of a store, made when they are needed, and how one is used: what fails for a reason
/// that passes is done again, over a new connection where the old one is lost.
class postgres_pool {
  public:
    postgres_pool(postgres_target target, postgres_store_options const& options)
        : target_{std::move(target)},
          options_{&options},
          sql_{options.schema},
          process_{platform::process_number()} {
        for (std::size_t i = 0; i != std::max<std::size_t>(options.connections_max, 1); ++i)
            free_.push_back(std::make_unique<postgres_connection>(sql_, target_.password));
    }
    postgres_pool(postgres_pool const&) = delete;
    postgres_pool& operator=(postgres_pool const&) = delete;
    ~postgres_pool() {
        if (!forked()) return;
        for (auto& one : free_) one->abandon();
    }

    [[nodiscard]] bool forked() const noexcept { return process_ != platform::process_number(); }
    [[nodiscard]] std::string const& shown() const noexcept { return target_.shown; }
    [[nodiscard]] postgres_sql const& sql() const noexcept { return sql_; }

    /// When a call that may wait for `at_most` gives up.
    [[nodiscard]] steady_time until(duration at_most) const noexcept {
        // A day is as good as for ever, and no clock of the system's overflows.
        constexpr duration longest = std::chrono::hours{24};
        return saturating_add(real_clock::now(), std::min({at_most, options_->call_wait, longest}));
    }

    /// Does `work(postgres_connection&, bool again, steady_time until)`, which says what went wrong, until
    /// nothing does. `again`: an earlier run may have been done, or not, or may be yet, so that what it did
    /// must be found out.
    template <class Work>
    result<void> use(std::string const& doing, duration at_most, Work const& work) {
        return use_until(doing, until(at_most), work);
    }

    template <class Work>
    result<void> use_until(std::string const& doing, steady_time until, Work const& work) {
        if (forked())
            return store_failure(store_errc::forked,
                                 "the store " + shown() +
                                     " was opened by the process that forked this one; open it "
                                     "anew here");
        bool again = false;
        postgres_problem why;
        for (unsigned attempt = 0; attempt != attempts_max; ++attempt) {
            if (attempt != 0 && !wait_before(attempt, until)) break;
            lease one{*this, until};
            if (!one) {
                why.text = "all connections were busy for as long as could be waited";
                break;
            }
            auto problem = one->is_open() ? std::nullopt : connect(*one, until);
            auto const reached = !problem;
            if (reached) problem = work(*one, again, until);
            if (!problem) return success();
            why = std::move(*problem);
            if (reached) again = again || why.lost;
            if (reached && !why.lost) {
                if (one->in_transaction()) roll_back(*one, until);
                if (!may_succeed_again(why)) return failure_of(why, doing, shown());
            } else {
                one->close();
                if (why.code) return failure_of(why, doing, shown());
            }
        }
        // What was under way when a connection broke stays unknown where none could be had since.
        why.lost = again;
        return failure_of(why, doing, shown());
    }

    /// One try, with no patience: for the first connection.
    result<void> try_once() {
        lease one{*this, until(unlimited)};
        auto const problem = connect(*one, until(unlimited));
        if (!problem) return success();
        one->close();
        return failure_of(*problem, "connecting", shown());
    }

  private:
    /// A connection for as long as this lives.
    class lease {
      public:
        lease(postgres_pool& from, steady_time until) : from_{&from}, one_{from.take(until)} {}
        lease(lease const&) = delete;
        lease& operator=(lease const&) = delete;
        ~lease() {
            if (one_ != nullptr) from_->give_back(std::move(one_));
        }
        explicit operator bool() const noexcept { return one_ != nullptr; }
        postgres_connection& operator*() const noexcept { return *one_; }
        postgres_connection* operator->() const noexcept { return one_.get(); }

      private:
        postgres_pool* from_;
        std::unique_ptr<postgres_connection> one_;
    };

    std::unique_ptr<postgres_connection> take(steady_time until) {
        std::unique_lock lock{mutex_};
        if (!freed_.wait_until(lock, until, [&] { return !free_.empty(); })) return nullptr;
        // The one that was used last: it is open, and knows the statements.
        auto one = std::move(free_.back());
        free_.pop_back();
        return one;
    }
    void give_back(std::unique_ptr<postgres_connection> one) {
        {
            std::lock_guard const lock{mutex_};
            free_.push_back(std::move(one));  // there was room for it
        }
        freed_.notify_one();
    }

    std::optional<postgres_problem> connect(postgres_connection& one, steady_time until) {
        if (auto why = one.open(target_.conninfo, until)) return why;
        return prepare_session(one, *options_, until);
    }

    static void roll_back(postgres_connection& one, steady_time until) {
        if (one.run("ROLLBACK", {}, until).failed()) one.close();
    }

    /// Longer each time, and by chance, so that those who met do not meet again; false where that is late.
    static bool wait_before(unsigned attempt, steady_time until) {
        auto const most = std::uint64_t{2'000'000} << std::min(attempt, 7U);
        auto const wait = duration{static_cast<duration::rep>(real_clock::random() % most)};
        if (saturating_add(real_clock::now(), wait) >= until) return false;
        platform::pause(wait);
        return true;
    }

    static constexpr unsigned attempts_max =
        400;  // some 40 s of waiting; `call_wait` ends it before

    postgres_target target_;
    postgres_store_options const* options_;
    postgres_sql sql_;
    std::int64_t process_;
    std::mutex mutex_;
    std::condition_variable freed_;
    std::vector<std::unique_ptr<postgres_connection>> free_;
};

}  // namespace recoup::inline v1::detail
