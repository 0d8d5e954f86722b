// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/clock.hpp>
#include <recoup/core/errc.hpp>
#include <recoup/core/fingerprint.hpp>
#include <recoup/core/identity.hpp>
#include <recoup/core/result.hpp>
#include <recoup/guard/circuit_breaker.hpp>
#include <recoup/store/persistence_policy.hpp>
#include <recoup/store/record.hpp>
#include <recoup/store/store_errc.hpp>

#include <array>
#include <charconv>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace recoup::inline v1 {

namespace detail {

/// `<state> <nanoseconds since 1970> <how often its probes have failed>`, all in decimal.
inline std::string breaker_text(breaker_memory const& what) {
    return std::to_string(static_cast<unsigned>(what.state)) + ' ' +
           std::to_string(what.open_until.time_since_epoch().count()) + ' ' +
           std::to_string(what.reopened);
}

/// Nothing where the text is not one of `breaker_text`.
inline std::optional<breaker_memory> breaker_from_text(std::string_view text) {
    auto const* at = text.data();
    auto const* const end = at + text.size();
    auto const number = [&](auto& into) {
        auto const [next, error] = std::from_chars(at, end, into);
        if (error != std::errc{}) return false;
        at = next;
        return true;
    };
    auto const blank = [&] { return at != end && *at++ == ' '; };
    unsigned state = 0;
    duration::rep until = 0;
    auto found = breaker_memory{};
    if (!number(state) || !blank() || !number(until) || !blank() || !number(found.reopened) ||
        at != end || state > static_cast<unsigned>(breaker_state::isolated))
        return std::nullopt;
    found.state = static_cast<breaker_state>(state);
    found.open_until = system_time{duration{until}};
    return found;
}

}  // namespace detail

/// Keeps in a store whether a circuit breaker is open, so that a process that starts anew does not storm a
/// service that is down: it goes on rejecting for as long as the one before would have.
///
/// A change of state is written by the call that made it, which waits for the store; there are few. Where the
/// store fails the breaker goes on without it, and `failed()` tells.
/// The store must outlive the breaker, which tells of its changes for good.
/// Thread safety: as the breaker's. Processes that share a store share the name's record: what was
/// written last is what the next one begins with.
/// Example: `circuit_breaker breaker{…}; breaker_keeper keeper{store, breaker, "models.example"};`
template <persistence_policy Store>
class breaker_keeper {
  public:
    /// Brings the breaker into the state that the store holds for `name`, if it holds one.
    ///
    /// Throws: std::bad_alloc.
    breaker_keeper(Store& store, circuit_breaker& breaker, std::string name)
        : breaker_keeper{store, breaker, std::move(name), detail::machine_clock} {}
    template <clock Clock>
    breaker_keeper(Store& store, circuit_breaker& breaker, std::string name, Clock& time)
        : kept_{std::make_shared<kept>(store, std::move(name))} {
        kept_->restore(breaker, time);
        breaker.on_state_change([mine = kept_, &breaker, &time](breaker_change const&) {
            mine->save(breaker.memory(time), time.system_now());
        });
    }

    /// What the store failed with the last time that it was asked, if it did.
    [[nodiscard]] std::optional<failure> failed() const {
        std::scoped_lock const lock{kept_->mutex};
        return kept_->failed;
    }

  private:
    struct kept {
        Store& store;
        operation_id id;
        std::mutex mutex{};
        std::optional<failure> failed{};

        kept(Store& where, std::string name)
            : store{where}, id{"", "recoup.circuit_breaker", std::move(name)} {}

        template <clock Clock>
        void restore(circuit_breaker& breaker, Clock& time) {
            std::scoped_lock const lock{mutex};
            auto const found = load();
            if (!found || !found->result) return;
            if (auto const before = detail::breaker_from_text(*found->result))
                breaker.restore(*before, time);
            else
                failed = failure{
                    category::corruption, errc::value_unreadable,
                    "what is kept of the circuit breaker " + id.key + " is no state of one"};
        }

        void save(breaker_memory const& state, system_time now) {
            std::scoped_lock const lock{mutex};
            // Another process may have written in between: what comes last is what holds.
            for (auto tries = 0; tries != 3; ++tries) {
                auto what = load().value_or(record{});
                if (failed) return;
                what.id = id;
                what.status = record_status::succeeded;
                if (what.revision == 0) what.created = now;
                what.updated = now;
                what.result = detail::breaker_text(state);
                result<std::uint64_t> const saved = store.save(what);
                if (saved.has_value()) return;
                failed = saved.assume_error();
                if (failed->code() != make_error_code(store_errc::conflict)) return;
            }
        }

        std::optional<record> load() {
            failed.reset();
            result<std::optional<record>> found = store.load(id);
            if (found.has_value()) return std::move(found).assume_value();
            failed = found.assume_error();
            return std::nullopt;
        }
    };

    std::shared_ptr<kept> kept_;
};

}  // namespace recoup::inline v1
