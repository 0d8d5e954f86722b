// SPDX-License-Identifier: BSL-1.0
#include <recoup/core/engine.hpp>

#include <recoup/retry/retry.hpp>

#include "support/catch.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

// The machine by hand: no clock, no thread, no store, no callable.

namespace {

using namespace std::chrono_literals;
using recoup::budget_spent;
using recoup::category;
using recoup::duration;
using recoup::engine;
using recoup::failure;
using recoup::retry;
using recoup::step;
using recoup::stop_reason;
using recoup::unlimited;

step again(duration delay) { return {.next = step::action::attempt, .delay = delay}; }
step stop(stop_reason why) { return {.next = step::action::finish, .why = why}; }
failure ended(category what, stop_reason why) {
    auto made = failure{what};
    recoup::detail::failure_access::set_end(made, why, 0);
    return made;
}

/// Feeds the categories to a fresh machine, as failures of one attempt after the other.
std::vector<step> fed(retry const& policy, std::vector<category> const& failures,
                      duration left = unlimited) {
    auto machine = engine{policy};
    auto steps = std::vector<step>{};
    for (auto const what : failures) steps.push_back(machine.failed(failure{what}, left, 0));
    return steps;
}

constexpr auto net = category::network_connection;
constexpr auto limited = category::rate_limited;
constexpr auto denied = category::permission;
auto const none_left = stop(stop_reason::attempts_exhausted);
auto const pointless = stop(stop_reason::not_retryable);

}  // namespace

namespace recoup {
inline std::ostream& operator<<(std::ostream& out, step const& what) {
    if (what.next == step::action::attempt) return out << "again " << what.delay.count() << "ns";
    return out << "stop " << what.why;
}
}  // namespace recoup

TEST_CASE("A policy without retries stops at the first failure, whether it says 0 or 1") {
    auto const most = GENERATE(0U, 1U);
    CHECK(fed({.max_attempts = most}, {net}) == std::vector{none_left});
}

TEST_CASE("The shared budget counts attempts, the first one included") {
    auto const policy = retry{.max_attempts = 4, .backoff = recoup::constant(5ms)};
    CHECK(fed(policy, {net, category::unknown, category::network_dns, net}) ==
          std::vector{again(5ms), again(5ms), again(5ms), none_left});
}

TEST_CASE("What cannot be cured by trying again ends the operation at once") {
    for (auto const what : {category::permission, category::invalid_input, category::configuration,
                            category::defect, category::cancelled, category::corruption,
                            category::disk_full, category::not_found, category::authentication}) {
        INFO(to_string(what));
        CHECK(fed({.max_attempts = 9}, {what}) == std::vector{pointless});
    }
}

TEST_CASE("A listed category has a budget and a backoff of its own, beside the shared one") {
    auto const policy = retry{
        .max_attempts = 3,
        .backoff = recoup::constant(1ms),
        .per_category = {{limited, {.max_attempts = 4, .backoff = recoup::linear(10ms, 1s)}}}};
    CHECK(fed(policy, {limited, net, limited, net, limited, limited}) ==
          std::vector{again(10ms), again(1ms), again(20ms), again(1ms), again(30ms), none_left});
    CHECK(fed(policy, {net, limited, net, net}) ==
          std::vector{again(1ms), again(10ms), again(1ms), none_left});
}

TEST_CASE("A listed category is retried even where its kind is permanent, and never means never") {
    auto const policy =
        retry{.max_attempts = 9,
              .per_category = {{denied, {.max_attempts = 2, .backoff = recoup::constant(3ms)}},
                               {net, recoup::never},
                               {limited, {.max_attempts = 1, .backoff = recoup::constant(3ms)}}}};
    CHECK(fed(policy, {denied, denied}) == std::vector{again(3ms), none_left});
    CHECK(fed(policy, {net}) == std::vector{pointless});
    CHECK(fed(policy, {limited}) == std::vector{none_left});
}

TEST_CASE("A rule's word on a failure outweighs what holds for its category") {
    auto machine_policy = retry{.max_attempts = 9, .backoff = recoup::constant(1ms)};
    auto lost = failure{category::unknown};
    recoup::detail::failure_access::set_recoverability(lost, recoup::recoverability::permanent);
    CHECK(engine{machine_policy}.failed(lost, unlimited, 0) == pointless);
    auto cured = failure{category::permission};
    recoup::detail::failure_access::set_recoverability(cured, recoup::recoverability::transient);
    CHECK(engine{machine_policy}.failed(cured, unlimited, 0) == again(1ms));
}

TEST_CASE("Where the next attempt cannot start in time it gives up now") {
    auto const policy = retry{.max_attempts = 9, .backoff = recoup::constant(10ms)};
    CHECK(fed(policy, {net}, 10ms + 1ns) == std::vector{again(10ms)});
    CHECK(fed(policy, {net}, 10ms) == std::vector{stop(stop_reason::deadline)});
    CHECK(fed(policy, {net}, 0ms) == std::vector{stop(stop_reason::deadline)});
    CHECK(fed(policy, {net}, -1s) == std::vector{stop(stop_reason::deadline)});
    CHECK(fed(policy, {net}, duration::min()) == std::vector{stop(stop_reason::deadline)});
    auto const at_once = retry{.max_attempts = 9, .backoff = recoup::constant(0ms)};
    CHECK(fed(at_once, {net}, 1ns) == std::vector{again(0ms)});
    CHECK(fed(at_once, {net}, 0ns) == std::vector{stop(stop_reason::deadline)});
}

TEST_CASE("A budget that is used up is told before a deadline that is near") {
    auto const policy = retry{.max_attempts = 1, .backoff = recoup::constant(10ms)};
    CHECK(fed(policy, {net}, 1ms) == std::vector{none_left});
    CHECK(fed(policy, {denied}, 1ms) == std::vector{pointless});
}

TEST_CASE("A hint lengthens the wait up to its cap, and never shortens it") {
    auto const policy =
        retry{.max_attempts = 9, .backoff = recoup::constant(100ms), .retry_after_max = 2s};
    struct row {
        std::chrono::milliseconds hint;
        duration left;
        step expected;
    };
    for (auto const& [hint, left, expected] : {
             row{0ms, unlimited, again(100ms)},
             row{50ms, unlimited, again(100ms)},
             row{101ms, unlimited, again(101ms)},
             row{2s, unlimited, again(2s)},
             row{2001ms, unlimited, again(2s)},
             row{114h, unlimited, again(2s)},
             row{std::chrono::milliseconds::max(), unlimited, again(2s)},
             row{std::chrono::milliseconds::min(), unlimited, again(100ms)},
             row{1s, 1s, stop(stop_reason::deadline)},
             row{1s, 1s + 1ns, again(1s)},
             row{114h, 1s, stop(stop_reason::deadline)},
         }) {
        INFO(hint.count() << " ms with " << left.count() << " ns left");
        auto machine = engine{policy};
        CHECK(machine.failed(failure{limited}.retry_after(hint), left, 0) == expected);
    }
}

TEST_CASE("A cap of zero or less makes hints count for nothing") {
    for (auto const cap : {duration{0}, duration{-5s}, duration::min()}) {
        auto const policy = retry{.backoff = recoup::constant(7ms), .retry_after_max = cap};
        auto machine = engine{policy};
        CHECK(machine.failed(failure{limited}.retry_after(1h), unlimited, 0) == again(7ms));
    }
}

TEST_CASE("A backoff sees which retry it is, the delay before, and the random number") {
    auto const policy = retry{
        .max_attempts = 9,
        .backoff = recoup::exponential(100ms, 1s),
        .per_category = {{limited, {.max_attempts = 9, .backoff = recoup::exponential(1ms, 1s)}}}};
    auto machine = engine{policy};
    auto const most = UINT64_MAX;  // full jitter at its upper end
    CHECK(machine.failed(failure{net}, unlimited, most) == again(100ms));
    CHECK(machine.failed(failure{net}, unlimited, most) == again(200ms));
    CHECK(machine.failed(failure{limited}, unlimited, most) == again(1ms));
    CHECK(machine.failed(failure{limited}, unlimited, most) == again(2ms));
    CHECK(machine.failed(failure{net}, unlimited, most) == again(400ms));
    CHECK(machine.spent().previous_delay == 400ms);
    CHECK(machine.failed(failure{net}, unlimited, 0) == again(0ms));
    CHECK(machine.spent().previous_delay == 0ms);
}

TEST_CASE("Attempts are numbered from 1, and an attempt that is not made has no number") {
    auto const policy = retry{.max_attempts = 3, .backoff = recoup::constant(1ms)};
    auto machine = engine{policy};
    CHECK(machine.spent().attempt == 1);
    machine.failed(failure{net}, unlimited, 0);
    CHECK(machine.spent().attempt == 2);
    CHECK(machine.failed(failure{net}, 1ms, 0) == stop(stop_reason::deadline));
    CHECK(machine.spent().attempt == 2);
}

TEST_CASE("A machine goes on from what was spent before") {
    auto const policy =
        retry{.max_attempts = 5,
              .backoff = recoup::linear(1ms, 1s),
              .per_category = {{limited, {.max_attempts = 3, .backoff = recoup::constant(9ms)}}}};
    auto before = budget_spent{.attempt = 6, .shared = 3};
    before.by_category[static_cast<std::size_t>(limited)] = 2;
    auto one = engine{policy, before};
    CHECK(one.failed(failure{net}, unlimited, 0) == again(4ms));
    CHECK(one.spent().attempt == 7);
    CHECK(one.failed(failure{net}, unlimited, 0) == none_left);
    auto other = engine{policy, before};
    CHECK(other.failed(failure{limited}, unlimited, 0) == none_left);
}

TEST_CASE("A crash is charged as an attempt, and the restart waits for nothing") {
    auto const policy = retry{.max_attempts = 4, .backoff = recoup::constant(1h)};
    auto machine = engine{policy, {.attempt = 2, .shared = 1, .previous_delay = 1h}};
    CHECK(machine.crashed(failure{category::unknown}, unlimited, UINT64_MAX) == again(0ms));
    CHECK(machine.spent().attempt == 3);
    CHECK(machine.spent().shared == 2);
    CHECK(machine.spent().previous_delay == 0ms);
}

TEST_CASE("A crash loop ends with the budget") {
    auto const policy = retry{.max_attempts = 3, .backoff = recoup::constant(1ms)};
    auto spent = budget_spent{};
    auto crashes = 0;
    for (; crashes != 100; ++crashes) {
        auto machine =
            engine{policy, spent};  // each process begins with what the last one recorded
        auto const next = machine.crashed(failure{category::unknown}, unlimited, 0);
        spent = machine.spent();
        if (next.next == step::action::finish) {
            CHECK(next == none_left);
            break;
        }
    }
    CHECK(crashes == 2);
}

TEST_CASE("Progress makes all budgets whole again, and keeps the numbers of attempts") {
    auto const policy =
        retry{.max_attempts = 2,
              .backoff = recoup::linear(1ms, 1s),
              .per_category = {{limited, {.max_attempts = 2, .backoff = recoup::linear(5ms, 1s)}}}};
    auto machine = engine{policy};
    CHECK(machine.failed(failure{net}, unlimited, 0) == again(1ms));
    CHECK(machine.failed(failure{limited}, unlimited, 0) == again(5ms));
    machine.refill();
    CHECK(machine.failed(failure{net}, unlimited, 0) == again(1ms));
    CHECK(machine.failed(failure{limited}, unlimited, 0) == again(5ms));
    CHECK(machine.spent().attempt == 5);
    CHECK(machine.failed(failure{net}, unlimited, 0) == none_left);
}

TEST_CASE("A rejection ends the operation unless the policy waits") {
    auto const policy = retry{.max_attempts = 9};
    auto machine = engine{policy};
    auto const open = ended(category::service_unavailable, stop_reason::breaker_open);
    CHECK(machine.rejected(open, false, 30s, unlimited, 0) == stop(stop_reason::breaker_open));
    CHECK(machine.spent().shared == 0);
}

TEST_CASE(
    "A policy that waits does so until the guard may admit again, within budget and deadline") {
    auto const policy = retry{.max_attempts = 3, .backoff = recoup::constant(10ms)};
    auto const open = ended(category::service_unavailable, stop_reason::breaker_open);
    auto machine = engine{policy};
    CHECK(machine.rejected(open, true, 30s, unlimited, 0) == again(30s));
    CHECK(machine.rejected(open, true, 1ms, unlimited, 0) == again(10ms));
    CHECK(machine.rejected(open, true, 30s, unlimited, 0) == stop(stop_reason::breaker_open));

    auto other = engine{policy};
    CHECK(other.rejected(open, true, 30s, 30s, 0) == stop(stop_reason::deadline));
    CHECK(engine{policy}.rejected(open, true, 30s, 30s + 1ns, 0) == again(30s));
}

TEST_CASE("A guard that will never admit again is not waited for") {
    auto const policy = retry{.max_attempts = 3};
    auto const open = ended(category::service_unavailable, stop_reason::breaker_open);
    CHECK(engine{policy}.rejected(open, true, unlimited, unlimited, 0) ==
          stop(stop_reason::breaker_open));
    CHECK(engine{policy}.rejected(open, true, unlimited, 1h, 0) == stop(stop_reason::deadline));
}

TEST_CASE("An attempt that was rejected keeps its number, and each rejection is charged") {
    auto const policy = retry{.max_attempts = 5, .backoff = recoup::constant(1ms)};
    auto const open = ended(category::service_unavailable, stop_reason::breaker_open);
    auto machine = engine{policy};
    machine.failed(failure{net}, unlimited, 0);
    machine.rejected(open, true, 1ms, unlimited, 0);
    machine.rejected(open, true, 1ms, unlimited, 0);
    CHECK(machine.spent().attempt == 2);
    CHECK(machine.spent().shared == 3);
}

TEST_CASE("Counters stop at the end of their range instead of starting again") {
    auto const policy = retry{.max_attempts = UINT32_MAX, .backoff = recoup::constant(1ms)};
    auto before = budget_spent{.attempt = UINT32_MAX, .shared = UINT32_MAX - 2};
    before.by_category.fill(UINT32_MAX);
    auto machine = engine{policy, before};
    CHECK(machine.failed(failure{net}, unlimited, 0) == again(1ms));
    CHECK(machine.spent().attempt == UINT32_MAX);
    CHECK(machine.spent().shared == UINT32_MAX - 1);
    CHECK(machine.failed(failure{net}, unlimited, 0) == none_left);
    CHECK(machine.failed(failure{net}, unlimited, 0) == none_left);
    CHECK(machine.spent().shared == UINT32_MAX);
    CHECK(machine.spent().by_category[static_cast<std::size_t>(net)] == UINT32_MAX);
}

TEST_CASE("An endless wait is never begun") {
    auto const policy = retry{.backoff = recoup::constant(unlimited)};
    CHECK(fed(policy, {net}, 1h) == std::vector{stop(stop_reason::deadline)});
    CHECK(fed(policy, {net}, unlimited) == std::vector{stop(stop_reason::deadline)});
}

TEST_CASE("A policy of one's own decides, and needs to know nothing of budgets apart") {
    struct coin {
        recoup::verdict decide(recoup::failed_attempt const& seen) const noexcept {
            if (seen.random % 2 != 0) return {.why = stop_reason::budget_empty};
            return {.retry = true, .delay = duration{seen.attempt}, .why = stop_reason::none};
        }
    };
    static_assert(recoup::retry_policy<coin>);
    auto const policy = coin{};
    auto machine = engine{policy};
    CHECK(machine.failed(failure{net}, unlimited, 2) == again(1ns));
    CHECK(machine.failed(failure{net}, unlimited, 4) == again(2ns));
    CHECK(machine.failed(failure{net}, unlimited, 1) == stop(stop_reason::budget_empty));
    CHECK(machine.spent().shared == 3);
}

TEST_CASE("The machine throws nothing") {
    using machine = engine<retry>;
    static_assert(
        noexcept(std::declval<machine&>().failed(std::declval<failure const&>(), duration{}, 0)));
    static_assert(
        noexcept(std::declval<machine&>().crashed(std::declval<failure const&>(), duration{}, 0)));
    static_assert(noexcept(std::declval<machine&>().rejected(std::declval<failure const&>(), true,
                                                             duration{}, duration{}, 0)));
    static_assert(noexcept(std::declval<machine&>().refill()));
    static_assert(std::is_trivially_copyable_v<budget_spent>);
    static_assert(!recoup::retry_policy<int>);
    SUCCEED();
}
