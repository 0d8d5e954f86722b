// SPDX-License-Identifier: BSL-1.0
// A user's functions may have any name. Those of this file have the names of all of ours and take
// anything, so that wherever recoup hands a user's type to a function of its own by that function's
// bare name, and argument-dependent lookup finds both, this file does not compile.
#include <recoup/async/asio.hpp>
#include <recoup/durable.hpp>
#include <recoup/explain.hpp>
#include <recoup/guard/abandon_pool.hpp>
#include <recoup/guard/cache.hpp>
#include <recoup/json.hpp>
#include <recoup/observe/metrics.hpp>
#include <recoup/recoup.hpp>
#include <recoup/store/memory_store.hpp>
#include <recoup/store/write_behind.hpp>
#include <recoup/testing.hpp>
#include <recoup/testing/store_conformance.hpp>

#include "support/catch.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <compare>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>

using namespace std::chrono_literals;

namespace greedy {

// Several of each, so that none of ours is the better match.
#define RECOUP_TEST_NAME(name)                    \
    template <class A>                            \
    void name(A&&) = delete;                      \
    template <class A>                            \
    void name(A&) = delete;                       \
    template <class A>                            \
    void name(A const&) = delete;                 \
    template <class A, class B>                   \
    void name(A&&, B&&) = delete;                 \
    template <class A, class B>                   \
    void name(A&, B&) = delete;                   \
    template <class A, class B>                   \
    void name(A&, B&&) = delete;                  \
    template <class A, class B>                   \
    void name(A const&, B&&) = delete;            \
    template <class A, class B, class C>          \
    void name(A&&, B&&, C&&) = delete;            \
    template <class A, class B, class C, class D> \
    void name(A&&, B&&, C&&, D&&) = delete;
#include "names_of_ours.inc"
#undef RECOUP_TEST_NAME

struct url {
    std::string text{};
    auto operator<=>(url const&) const = default;
    NLOHMANN_DEFINE_TYPE_INTRUSIVE(url, text)
};
struct page {
    std::string text{};
    auto operator<=>(page const&) const = default;
    NLOHMANN_DEFINE_TYPE_INTRUSIVE(page, text)
};
struct host_of {
    std::string operator()(url const& from) const { return from.text; }
};
struct trouble {};
struct watch_all {
    int* seen;
    void operator()(recoup::event const&) const { ++*seen; }
};
struct steps_of_10ms {
    [[nodiscard]] recoup::duration delay(recoup::backoff_step) const noexcept { return 10ms; }
    [[nodiscard]] recoup::duration longest() const noexcept { return 10ms; }
};
struct own_clock : recoup::testing::manual_clock {};
struct own_store : recoup::memory_store {};
struct own_retry : recoup::retry {};
struct own_breaker : recoup::circuit_breaker {};
/// Fails for the first time.
struct fetch {
    int* calls;
    page operator()(url const& from) const {
        if (++*calls % 2 == 1) throw trouble{};
        return {from.text};
    }
};

}  // namespace greedy

template <>
struct std::hash<greedy::url> {
    std::size_t operator()(greedy::url const& from) const noexcept {
        return std::hash<std::string>{}(from.text);
    }
};

namespace recoup::inline v1::detail {

struct found {};
/// What a call of it means that does not name our namespace.
template <class A>
found look_in_detail(A const&);

}  // namespace recoup::inline v1::detail

namespace greedy {

template <class A>
constexpr bool looks_in_detail = requires(A const& a) { look_in_detail(a); };

static_assert(looks_in_detail<recoup::detail::found>);
static_assert(!looks_in_detail<recoup::result<int>>);
static_assert(!looks_in_detail<recoup::result<page>>);
static_assert(!looks_in_detail<recoup::failure>);
static_assert(!looks_in_detail<recoup::attempt>);
using plain = decltype(recoup::with_recovery(fetch{nullptr}, recoup::retry{}));
static_assert(!looks_in_detail<plain>);
static_assert(!looks_in_detail<decltype(recoup::in_order(recoup::retry{}, recoup::deadline{1h}))>);
static_assert(!looks_in_detail<decltype(std::declval<plain&>().with(recoup::deadline{1h}))>);

TEST_CASE("a callable, its arguments, policies and values of a namespace with all of our names") {
    auto calls = 0;
    auto seen = 0;
    own_clock clock;
    auto breakers =
        recoup::per_key<recoup::circuit_breaker>(recoup::circuit_breaker_options{}, host_of{});
    auto const safe = recoup::with_recovery(
        fetch{&calls}, recoup::retry{.max_attempts = 3, .backoff = steps_of_10ms{}},
        recoup::retry_if([](page const& got) { return got.text.empty(); }), breakers,
        recoup::fallback([](recoup::failure const&, url const&) { return page{"fallback"}; }),
        watch_all{&seen}, recoup::deadline{1h}, recoup::on(clock));
    CHECK(safe(url{"a"}).value() == page{"a"});
    CHECK(calls == 2);
    CHECK(seen != 0);
    CHECK(safe.with(recoup::retry{.max_attempts = 1})(url{"a"}).value() == page{"fallback"});
    std::ostringstream text;
    text << recoup::explain(safe);
    CHECK_FALSE(text.str().empty());
}

TEST_CASE("a cache, a hedge, a limit and metrics over a namespace with all of our names") {
    auto calls = 0;
    recoup::cache<url, page> results;
    recoup::metrics numbers;
    recoup::rate_limiter limit{recoup::token_bucket(1000, 1s)};
    recoup::hedge hedges{{.delay = 1h}};
    recoup::abandon_pool pool{{.threads = 1}};
    auto const safe =
        recoup::with_recovery([&](url const& from) { return fetch{&calls}(from); },
                              recoup::retry{.max_attempts = 3, .backoff = recoup::constant(0ns)},
                              results, numbers.watch("fetch"), limit, hedges, pool);
    CHECK(safe(url{"a"}).value() == page{"a"});
    CHECK(safe(url{"a"}).value() == page{"a"});
    CHECK(calls == 2);
}

TEST_CASE("a record of a call of a namespace with all of our names") {
    own_store store;
    auto calls = 0;
    auto const safe = recoup::with_recovery(
        [&](recoup::attempt& attempt, url const& from) {
            attempt.save_checkpoint(page{"half"});
            CHECK(attempt.checkpoint<page>() == page{"half"});
            return fetch{&calls}(from);
        },
        recoup::retry{.max_attempts = 3, .backoff = recoup::constant(0ns)},
        recoup::persist(store, "fetch", host_of{}));
    CHECK(safe(url{"a"}).value() == page{"a"});
}

TEST_CASE("a durable operation of a namespace with all of our names") {
    own_store store;
    own_clock clock;
    recoup::operations ops{store, recoup::on(clock)};
    auto calls = 0;
    auto const run = ops.define("fetch", [&](recoup::operation& op, url from) {
        return op.step("get", recoup::with_recovery(fetch{&calls}), from).value();
    });
    CHECK(run.run("a", url{"a"}).value() == page{"a"});
}

TEST_CASE("policies, a log and a store of a namespace with all of our names") {
    own_store store;
    own_clock clock;
    recoup::write_behind<own_store> behind{store};
    own_breaker breaker;
    auto calls = 0;
    auto const safe = recoup::with_recovery(
        fetch{&calls}, own_retry{{.max_attempts = 2}}, breaker, recoup::on(clock),
        recoup::persist(behind, "fetch", host_of{}),
        recoup::classifier{}.on_exception<trouble>(recoup::category::network_timeout));
    CHECK(safe(url{"a"}).value() == page{"a"});
    auto const refused =
        recoup::apply_request(store, recoup::operation_request{.operation = 7},
                              store.enter("here", 10s).value(), clock.system_now());
    CHECK(refused.error().code() == recoup::errc::no_such_operation);
    auto const report = recoup::testing::check_store([] { return std::make_unique<own_store>(); });
    INFO(report);
    CHECK(report.ok());
}

TEST_CASE("a coroutine of a namespace with all of our names") {
    boost::asio::io_context context;
    auto calls = 0;
    recoup::cache<url, page> results;
    auto const safe = recoup::with_recovery(
        [&](url from) -> boost::asio::awaitable<page> { co_return fetch{&calls}(from); },
        recoup::retry{.max_attempts = 3, .backoff = recoup::constant(0ns)}, results);
    url const wanted{"a"};  // no aggregate within a co_await: g++ 12 destroys it twice
    std::optional<page> got;
    boost::asio::co_spawn(
        context, [&]() -> boost::asio::awaitable<void> { got = (co_await safe(wanted)).value(); },
        boost::asio::detached);
    context.run();
    CHECK(got == page{"a"});
}

}  // namespace greedy
