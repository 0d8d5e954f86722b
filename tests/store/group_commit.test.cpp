// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/detail/group_commit.hpp>
#include <recoup/store/detail/turn.hpp>

#include "support/catch.hpp"
#include "support/gate.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using recoup::real_clock;
using recoup::steady_time;
using recoup::detail::group_commit;

struct item {
    int number = 0;
    int verdict = -1;
};
using batch = std::span<item* const>;

constexpr auto forever = steady_time::max();

using recoup_test::gate;  // a commit waits at it: the test decides who comes meanwhile

/// Counts those who have asked for the time: how a test sees that callers have got into `run`.
struct counting_resource {
    recoup::detail::turn inner;
    std::atomic<int> tries{0};
    bool try_lock() {
        ++tries;
        return inner.try_lock();
    }
    bool try_lock_until(steady_time until) { return inner.try_lock_until(until); }
    void unlock() { inner.unlock(); }
};

/// What threads found wrong: Catch2's own checks are for one thread.
class expectation {
  public:
    void operator()(bool holds) noexcept {
        if (!holds) ++broken_;
    }
    [[nodiscard]] bool holds() const noexcept { return broken_ == 0; }

  private:
    std::atomic<int> broken_{0};
};

/// How large the batches are of so many callers, of whom all but the first come while that commits.
std::vector<std::size_t> batches_of(std::size_t callers) {
    group_commit<item> group;
    expectation expect;
    recoup::detail::turn resource;
    gate first;
    std::vector<std::size_t> sizes;
    auto const commit = [&](batch all) {
        if (sizes.empty()) first.pass();
        sizes.push_back(all.size());
    };
    std::vector<item> items(callers);
    std::vector<std::thread> threads;
    threads.emplace_back([&] { group.run(items[0], forever, resource, commit); });
    first.await_arrived(1);
    for (std::size_t i = 1; i != items.size(); ++i)
        threads.emplace_back([&, i] { expect(group.run(items[i], forever, resource, commit)); });
    while (group.waiting() != items.size() - 1) std::this_thread::yield();
    first.open();
    for (auto& each : threads) each.join();
    CHECK(expect.holds());
    return sizes;
}

}  // namespace

TEST_CASE("A caller who is alone commits at once, in a batch of one", "[group_commit]") {
    group_commit<item> group;
    recoup::detail::turn resource;
    std::vector<std::size_t> sizes;
    for (int i = 0; i != 3; ++i) {
        item mine{i};
        REQUIRE(group.run(mine, forever, resource, [&](batch all) {
            CHECK_FALSE(resource.try_lock());
            sizes.push_back(all.size());
            for (auto* each : all) each->verdict = each->number * 10;
        }));
        CHECK(mine.verdict == i * 10);
        CHECK(resource.try_lock());
        resource.unlock();
    }
    CHECK(sizes == std::vector<std::size_t>{1, 1, 1});
}

TEST_CASE("What arrives during a commit shares the next one, each with its own verdict",
          "[group_commit][concurrent]") {
    group_commit<item> group;
    recoup::detail::turn resource;
    gate first;
    std::vector<std::vector<int>> batches;  // under `resource`
    auto const commit = [&](batch all) {
        if (batches.empty()) first.pass();
        batches.emplace_back();
        for (auto* each : all) {
            batches.back().push_back(each->number);
            each->verdict = each->number % 3;
        }
    };
    constexpr int others = 20;
    std::vector<item> items(others + 1);
    for (int i = 0; i <= others; ++i) items[static_cast<std::size_t>(i)].number = i;
    std::vector<std::thread> threads;
    threads.emplace_back([&] { group.run(items[0], forever, resource, commit); });
    first.await_arrived(1);
    std::atomic<int> begun{0};
    for (std::size_t i = 1; i <= others; ++i)
        threads.emplace_back([&, i] {
            ++begun;
            group.run(items[i], forever, resource, commit);
        });
    while (begun != others) std::this_thread::yield();
    while (group.waiting() != others) std::this_thread::yield();
    first.open();
    for (auto& each : threads) each.join();

    REQUIRE(batches.size() == 2);
    CHECK(batches[0] == std::vector<int>{0});
    CHECK(batches[1].size() == others);
    for (auto const& each : items) CHECK(each.verdict == each.number % 3);
}

TEST_CASE("A leader waits for those who shared the last batch, and not for ever",
          "[group_commit][concurrent]") {
    group_commit<item> group;
    recoup::detail::turn resource;
    gate first;
    std::vector<std::size_t> sizes;
    auto const commit = [&](batch all) {
        if (sizes.empty()) first.pass();
        sizes.push_back(all.size());
    };
    item one{1}, two{2}, three{3};
    std::thread leader{[&] { group.run(one, forever, resource, commit); }};
    first.await_arrived(1);
    std::thread second{[&] { group.run(two, forever, resource, commit); }};
    std::thread third{[&] { group.run(three, forever, resource, commit); }};
    while (group.waiting() != 2) std::this_thread::yield();
    first.open();
    leader.join();
    second.join();
    third.join();
    REQUIRE(sizes == std::vector<std::size_t>{1, 2});

    // Alone after a batch of two: it lingers once, and no longer once it knows that it is alone.
    item again{4};
    auto const begun = real_clock::now();
    CHECK(group.run(again, forever, resource, commit));
    CHECK(real_clock::now() - begun >= recoup::detail::group_commit_linger_max);
    CHECK(group.run(again, forever, resource, commit));
    CHECK(sizes == std::vector<std::size_t>{1, 2, 1, 1});
}

TEST_CASE("Whose time is up before its item was taken withdraws it", "[group_commit][concurrent]") {
    group_commit<item> group;
    expectation expect;
    recoup::detail::turn resource;
    std::vector<int> committed;
    auto const commit = [&](batch all) {
        for (auto* each : all) committed.push_back(each->number);
    };

    SECTION("as the leader, where somebody else has the resource") {
        std::lock_guard const held{resource};
        item mine{1};
        std::thread other{
            [&] { expect(!group.run(mine, real_clock::now() + 2ms, resource, commit)); }};
        other.join();
        CHECK(committed.empty());
    }
    SECTION("as one who waits, and the others go on") {
        gate first;
        auto const slow = [&](batch all) {
            if (committed.empty()) first.pass();
            commit(all);
        };
        item one{1}, two{2}, three{3};
        std::thread leader{[&] { group.run(one, forever, resource, slow); }};
        first.await_arrived(1);
        // The heir withdraws, and the one behind it inherits.
        std::thread patient;
        std::thread heir{
            [&] { expect(!group.run(two, real_clock::now() + 200ms, resource, slow)); }};
        while (group.waiting() != 1) std::this_thread::yield();
        patient = std::thread{[&] { expect(group.run(three, forever, resource, slow)); }};
        heir.join();
        while (group.waiting() != 1) std::this_thread::yield();
        first.open();
        leader.join();
        patient.join();
        CHECK(committed == std::vector<int>{1, 3});
    }
    SECTION("and a leader that gives up leaves the lead to the next") {
        counting_resource counted;
        counted.inner.lock();
        item one{1}, two{2};
        std::thread hasty{
            [&] { expect(!group.run(one, real_clock::now() + 200ms, counted, commit)); }};
        while (counted.tries == 0) std::this_thread::yield();
        std::thread patient{[&] { expect(group.run(two, forever, counted, commit)); }};
        hasty.join();
        while (counted.tries != 2) std::this_thread::yield();
        CHECK(committed.empty());
        counted.inner.unlock();
        patient.join();
        CHECK(committed == std::vector<int>{2});
    }
    CHECK(expect.holds());
}

TEST_CASE("Whose item was taken waits for the outcome, whatever its time",
          "[group_commit][concurrent]") {
    group_commit<item> group;
    expectation expect;
    recoup::detail::turn resource;
    gate second;
    gate first;
    int batches = 0;
    auto const commit = [&](batch all) {
        (++batches == 1 ? first : second).pass();
        for (auto* each : all) each->verdict = 7;
    };
    item one{1}, two{2}, three{3};
    std::thread leader{[&] { group.run(one, forever, resource, commit); }};
    first.await_arrived(1);
    std::thread heir{[&] { expect(group.run(two, forever, resource, commit)); }};
    while (group.waiting() != 1) std::this_thread::yield();
    // Long enough to be taken into the second batch, which then lasts longer than that.
    auto const until = real_clock::now() + 250ms;
    std::thread hurried{[&] { expect(group.run(three, until, resource, commit)); }};
    while (group.waiting() != 2) std::this_thread::yield();
    first.open();
    second.await_arrived(1);
    real_clock::wait_until(until + 1ms, {});
    second.open();
    leader.join();
    heir.join();
    hurried.join();
    CHECK(three.verdict == 7);
    CHECK(batches == 2);
    CHECK(expect.holds());
}

TEST_CASE("What a commit throws reaches every caller of its batch, and nobody else",
          "[group_commit][concurrent]") {
    group_commit<item> group;
    expectation expect;
    recoup::detail::turn resource;
    gate first;
    int batches = 0;
    auto const commit = [&](batch) {
        if (++batches == 1) first.pass();
        if (batches == 2) throw std::bad_alloc{};
    };
    std::atomic<int> thrown{0};
    auto const run = [&](int number) {
        item mine{number};
        try {
            expect(group.run(mine, forever, resource, commit));
        } catch (std::bad_alloc const&) {
            ++thrown;
        }
    };
    std::thread leader{run, 0};
    first.await_arrived(1);
    std::vector<std::thread> others;
    for (int i = 1; i != 6; ++i) others.emplace_back(run, i);
    while (group.waiting() != 5) std::this_thread::yield();
    first.open();
    leader.join();
    for (auto& each : others) each.join();
    CHECK(thrown == 5);
    run(9);
    CHECK(thrown == 5);
    CHECK(batches == 3);
    CHECK(expect.holds());
}

TEST_CASE("A batch is bounded, and what does not fit is in the next one",
          "[group_commit][concurrent]") {
    constexpr auto most = recoup::detail::group_commit_items_max;
    CHECK(batches_of(most * 2 + 10) == std::vector<std::size_t>{1, most, most, 9});
}

TEST_CASE("Who did not fit into a batch is woken by the next one, though nobody comes any more",
          "[group_commit][concurrent]") {
    constexpr auto most = recoup::detail::group_commit_items_max;
    CHECK(batches_of(1 + most + 10) == std::vector<std::size_t>{1, most, 10});
}

TEST_CASE("Fifty callers who come and go lose nothing and are served once",
          "[group_commit][concurrent]") {
    constexpr int callers = 50;
    constexpr int rounds = 40;
    group_commit<item> group;
    expectation expect;
    recoup::detail::turn resource;
    long total = 0;  // under `resource`
    long batches = 0;
    auto const commit = [&](batch all) {
        ++batches;
        for (auto* each : all) {
            each->verdict = each->number;
            total += each->number;
        }
    };
    std::atomic<long> acknowledged{0};
    std::vector<std::thread> threads;
    for (int caller = 0; caller != callers; ++caller)
        threads.emplace_back([&, caller] {
            for (int round = 0; round != rounds; ++round) {
                item mine{caller * rounds + round};
                // Every seventh is in a hurry, and may or may not be served.
                auto const until = round % 7 == 0 ? real_clock::now() + 100us : steady_time::max();
                if (!group.run(mine, until, resource, commit)) {
                    expect(mine.verdict == -1);
                    continue;
                }
                expect(mine.verdict == mine.number);
                acknowledged += mine.number;
            }
        });
    for (auto& each : threads) each.join();
    CHECK(acknowledged == total);
    CHECK(batches > 0);
    CHECK(group.waiting() == 0);
    CHECK(expect.holds());
}
