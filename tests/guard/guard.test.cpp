// SPDX-License-Identifier: BSL-1.0
#include <recoup/guard/guard.hpp>

#include <recoup/guard/deadline.hpp>
#include <recoup/with_recovery.hpp>

#include <chrono>
#include <stop_token>

#include "support/catch.hpp"

namespace {

using namespace std::chrono_literals;

/// Admits at once where it is free; else in its turn, at once or never. Counts what it is asked for.
class turnstile {
  public:
    class permit {
      public:
        explicit permit(bool admitted) : admitted_{admitted} {}
        explicit operator bool() const noexcept { return admitted_; }
        void succeeded(auto& /*time*/) noexcept {}
        void failed(recoup::category /*what*/, bool /*operation_over*/, auto& /*time*/) noexcept {}

      private:
        bool admitted_;
    };
    class ticket {
      public:
        explicit ticket(bool admits) : admits_{admits} {}
        [[nodiscard]] bool waits() const noexcept { return false; }
        [[nodiscard]] recoup::steady_time until() const noexcept { return {}; }
        [[nodiscard]] std::stop_token wake() const noexcept { return {}; }
        void woken(auto& /*time*/) noexcept {}
        permit take() noexcept { return permit{admits_}; }

      private:
        bool admits_;
    };

    turnstile() = default;
    turnstile(turnstile const&) = delete;  // so that it is taken by reference
    turnstile& operator=(turnstile const&) = delete;

    permit try_acquire(auto& /*time*/) noexcept {
        ++asked;
        return permit{free};
    }
    ticket queue(auto& /*time*/, recoup::steady_time /*give_up_at*/,
                 std::stop_token const& /*stop*/) noexcept {
        ++tickets;
        return ticket{turn_comes};
    }
    [[nodiscard]] recoup::duration retry_in(auto& /*time*/) const noexcept { return {}; }

    bool free = true;
    bool turn_comes = true;
    int asked = 0;
    int tickets = 0;
};

/// The same, which tells how long it lets attempts wait.
class timed_turnstile : public turnstile {
  public:
    [[nodiscard]] recoup::duration longest_wait() const noexcept { return longest; }
    recoup::duration longest{};
};

static_assert(recoup::waiting_guard<turnstile>);
static_assert(recoup::waiting_guard<timed_turnstile>);

/// What asks one guard alone, and what asks it as one of an operation's policies.
template <class Gate>
void call_both_ways(Gate& gate, bool admitted) {
    auto const answer = [] { return 42; };
    CHECK(recoup::with_recovery(answer, gate)().has_value() == admitted);
    CHECK(recoup::with_recovery(answer, gate, recoup::deadline{1min})().has_value() == admitted);
}

}  // namespace

TEST_CASE("an attempt that is admitted at once takes no ticket", "[guard]") {
    turnstile gate;
    call_both_ways(gate, true);
    CHECK(gate.asked == 2);
    CHECK(gate.tickets == 0);
}

TEST_CASE("an attempt that is not admitted at once takes one ticket, and what that says holds",
          "[guard]") {
    turnstile gate;
    gate.free = false;
    call_both_ways(gate, true);
    CHECK(gate.asked == 2);
    CHECK(gate.tickets == 2);
    gate.turn_comes = false;
    call_both_ways(gate, false);
    CHECK(gate.asked == 4);
    CHECK(gate.tickets == 4);
}

TEST_CASE("nobody takes a ticket of a guard that lets nobody wait", "[guard]") {
    timed_turnstile gate;
    gate.free = false;
    call_both_ways(gate, false);
    CHECK(gate.asked == 2);
    CHECK(gate.tickets == 0);
    gate.longest = 1s;
    call_both_ways(gate, true);
    CHECK(gate.asked == 4);
    CHECK(gate.tickets == 2);
}
