// SPDX-License-Identifier: BSL-1.0
#include <recoup/testing/event_recorder.hpp>

#include <chrono>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "support/catch.hpp"

using namespace std::chrono_literals;
using recoup::category;
using recoup::event_kind;
using recoup::failure;
using recoup::testing::event_recorder;
using recoup::testing::recorded_event;

static_assert(recoup::observer<event_recorder>);

TEST_CASE("an event recorder keeps events beyond the life of what they show", "[event_recorder]") {
    event_recorder seen;
    {
        auto const what = failure{category::rate_limited, std::string{"slow down"}};
        std::string const operation = "fetch a page that has a long name";
        std::string const key = "a key that is too long to be stored inline";
        seen({.kind = event_kind::attempt_failed,
              .attempt = 2,
              .failure = &what,
              .operation = operation,
              .key = key});
    }
    auto const expected =
        recorded_event{.kind = event_kind::attempt_failed,
                       .attempt = 2,
                       .failure = failure{category::rate_limited, std::string{"slow down"}},
                       .operation = "fetch a page that has a long name",
                       .key = "a key that is too long to be stored inline"};
    CHECK(seen.events() == std::vector{expected});
    auto other = expected;
    other.attempt = 3;
    CHECK_FALSE(seen.events() == std::vector{other});
}

TEST_CASE("an event recorder writes its trace one line an event", "[event_recorder]") {
    event_recorder seen;
    auto const what = failure{category::network_connection};
    seen({.kind = event_kind::operation_started});
    seen({.kind = event_kind::attempt_started, .attempt = 1});
    seen({.kind = event_kind::attempt_failed, .attempt = 1, .failure = &what});
    for (recoup::duration const delay :
         {recoup::duration{2s}, recoup::duration{200ms}, recoup::duration{1500us},
          recoup::duration{17ns}, recoup::duration{0ns}})
        seen({.kind = event_kind::retry_scheduled, .attempt = 1, .failure = &what, .delay = delay});
    seen({.kind = event_kind::operation_succeeded, .attempt = 2});
    CHECK(seen.trace() == std::vector<std::string>{"operation_started", "attempt_started 1",
                                                   "attempt_failed 1 network_connection",
                                                   "retry_scheduled 1 network_connection 2s",
                                                   "retry_scheduled 1 network_connection 200ms",
                                                   "retry_scheduled 1 network_connection 1500us",
                                                   "retry_scheduled 1 network_connection 17ns",
                                                   "retry_scheduled 1 network_connection 0s",
                                                   "operation_succeeded 2"});
    CHECK(seen.count(event_kind::retry_scheduled) == 5);
    CHECK(seen.count(event_kind::rejected) == 0);
    seen.clear();
    CHECK(seen.trace().empty());
}

TEST_CASE("the reason why an operation ended is part of its line", "[event_recorder]") {
    auto what = failure{category::network_dns};
    recoup::detail::failure_access::set_end(what, recoup::stop_reason::attempts_exhausted, 3);
    event_recorder seen;
    seen({.kind = event_kind::operation_failed, .attempt = 3, .failure = &what});
    CHECK(seen.trace() ==
          std::vector<std::string>{"operation_failed 3 network_dns attempts_exhausted"});
}

TEST_CASE("an event recorder keeps no more than it was told to", "[event_recorder]") {
    event_recorder seen{2};
    for (int i = 0; i < 5; ++i) seen({.kind = event_kind::operation_started});
    CHECK(seen.events().size() == 2);
    CHECK(seen.dropped() == 3);
}

TEST_CASE("events of many threads are all kept", "[event_recorder][concurrent]") {
    event_recorder seen;
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 4; ++i)
            threads.emplace_back([&] {
                for (std::uint32_t n = 1; n <= 500; ++n)
                    seen({.kind = event_kind::attempt_started, .attempt = n});
            });
    }
    CHECK(seen.events().size() == 2000);
}
