// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/detail/journal_sync.hpp>

#include "support/catch.hpp"
#include "support/gate.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <system_error>
#include <thread>

namespace {

using namespace std::chrono_literals;
using recoup::unlimited;
using recoup::detail::journal_sync;
using ended = journal_sync::outcome;
using drained = journal_sync::drained;

/// Takes all up to `last` to the disk, and counts how often.
struct counting_drain {
    std::uint64_t last = 0;
    std::atomic<int> calls{0};
    drained operator()() noexcept {
        ++calls;
        return {{}, last};
    }
};

ended wait_for(journal_sync& sync, std::uint64_t sequence, counting_drain& drain,
               recoup::duration at_most = unlimited) {
    return sync.wait_for(sequence, at_most, [&]() noexcept { return drain(); });
}

drained drain_refused() noexcept { return {std::make_error_code(std::errc::io_error), 9}; }

}  // namespace

TEST_CASE("A journal is synced as far as the drain says, and once for all before that") {
    journal_sync sync;
    counting_drain drain{5};
    CHECK(sync.synced() == 0);
    CHECK(wait_for(sync, 0, drain) == ended::synced);
    CHECK(drain.calls == 0);
    CHECK(wait_for(sync, 3, drain) == ended::synced);
    CHECK(sync.synced() == 5);
    CHECK(wait_for(sync, 5, drain) == ended::synced);
    CHECK(drain.calls == 1);
}

TEST_CASE("A journal whose drain has failed is stopped, and drained no more") {
    journal_sync sync;
    counting_drain drain{3};
    REQUIRE(wait_for(sync, 3, drain) == ended::synced);
    CHECK_FALSE(sync.stopped());
    CHECK(sync.wait_for(4, unlimited, drain_refused) == ended::stopped);
    CHECK(sync.stopped());
    CHECK(sync.synced() == 3);
    drain.last = 9;
    CHECK(wait_for(sync, 4, drain) == ended::stopped);
    CHECK(drain.calls == 1);
    CHECK(wait_for(sync, 3, drain) == ended::synced);  // that was before
    auto const told = sync.stopped_failure("/a/journal");
    CHECK(told.code() == make_error_code(recoup::store_errc::stopped));
    CHECK(told.message() ==
          "the store /a/journal stopped, since what is on the disk is not known; open it anew: "
          "writing /a/journal: " +
              std::make_error_code(std::errc::io_error).message());
}

TEST_CASE("Who has the turn to sync says how far a journal is synced, or stops it") {
    journal_sync sync;
    counting_drain drain{9};
    {
        journal_sync::turn turn{sync};
        turn.mark_synced(4);
        CHECK(wait_for(sync, 4, drain) == ended::synced);
        CHECK(wait_for(sync, 5, drain, 0ns) == ended::too_long);
        turn.stop("turning ", std::make_error_code(std::errc::io_error));
        CHECK(wait_for(sync, 5, drain) == ended::stopped);
    }
    CHECK(drain.calls == 0);
    CHECK(sync.stopped_failure("it").message().find("anew: turning it: ") != std::string::npos);
}

TEST_CASE("One of those who wait syncs for all, and the next one what came meanwhile",
          "[concurrent]") {
    journal_sync sync;
    recoup_test::gate gate;
    std::atomic<std::uint64_t> written{1};
    std::atomic<int> drains{0};
    std::atomic<int> synced{0};
    auto const drain = [&]() noexcept {
        auto const last = written.load();
        if (++drains == 1) gate.pass();
        return drained{{}, last};
    };
    auto const await = [&](std::uint64_t sequence) {
        if (sync.wait_for(sequence, unlimited, drain) == ended::synced) ++synced;
    };
    {
        std::jthread const first{await, 1};
        gate.await_arrived(1);
        written = 3;
        std::jthread const second{await, 2};
        std::jthread const third{await, 3};
        // While one syncs, nobody else does.
        CHECK(sync.wait_for(2, 1ms, drain) == ended::too_long);
        CHECK(drains == 1);
        gate.open();
    }
    CHECK(synced == 3);
    CHECK(drains == 2);
    CHECK(sync.synced() == 3);
}

TEST_CASE("A turn to sync is waited for until the drain is done", "[concurrent]") {
    journal_sync sync;
    recoup_test::gate gate;
    std::atomic<bool> done{false};
    auto after = false;
    {
        std::jthread const syncing{[&] {
            static_cast<void>(sync.wait_for(1, unlimited, [&]() noexcept {
                gate.pass();
                done = true;
                return drained{{}, 1};
            }));
        }};
        gate.await_arrived(1);
        std::jthread const exchanging{[&] {
            journal_sync::turn const turn{sync};
            after = done && sync.synced() == 1;
        }};
        gate.open();
    }
    CHECK(after);
}
