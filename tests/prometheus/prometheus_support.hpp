// SPDX-License-Identifier: BSL-1.0
#pragma once

// A program with all that metrics can show.

#include <recoup/core/on.hpp>
#include <recoup/core/result.hpp>
#include <recoup/guard/circuit_breaker.hpp>
#include <recoup/observe/metrics.hpp>
#include <recoup/retry/backoff.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/testing/manual_clock.hpp>
#include <recoup/with_recovery.hpp>

#include "support/catch.hpp"

#include <chrono>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace prometheus_test {

/// A name as a user may choose it, and as it is shown.
inline std::string const odd_name = "fetch \"page\"\n\\ \xc3\xa9 \xff {a=\"b\"} #";

/// Calls that succeed, fail, are tried again, recover and are rejected, on a manual clock.
class busy_program {
    // The metrics refer to these.
    recoup::testing::manual_clock clock_;
    recoup::circuit_breaker closed_;
    recoup::circuit_breaker open_;

  public:
    busy_program() {
        counted->watch("dependency", closed_);
        counted->watch("dependency", open_);  // the same name
        open_.isolate();
        counted->gauge("queue", [] { return 3.0; });
        counted->gauge("queue", [] { return 4.0; });  // the same name
        counted->gauge("odd\n\"reading\"", [] { return -0.5; });
        counted->gauge("journal", [] { return 4096.0; }, recoup::gauge_unit::bytes);
        counted->gauge("nan", [] { return std::numeric_limits<double>::quiet_NaN(); });
        counted->gauge("endless", [] { return std::numeric_limits<double>::infinity(); });
        counted->gauge("broken", []() -> double { throw std::runtime_error{"no"}; });
        static_cast<void>(counted->watch("never called"));

        run(odd_name, {0, 0, 1, 2});
        run("fetch", {0, 1, 3, 0, 0});
        auto const rejected = recoup::with_recovery([] { return 1; }, open_, recoup::on(clock_),
                                                    counted->watch("rejected"));
        REQUIRE_FALSE(rejected());
    }

    std::shared_ptr<recoup::metrics> const counted = std::make_shared<recoup::metrics>(
        recoup::metrics_options{.time_one_in = 1, .overhead_one_in = 1}, recoup::on(clock_));

  private:
    /// A call for each of `failures`, which fails so often before it succeeds; at most twice are cured.
    void run(std::string const& name, std::vector<int> const& failures) {
        using namespace std::chrono_literals;
        auto left = 0;
        auto const call = recoup::with_recovery(
            [&]() -> recoup::result<int> {
                clock_.advance(5ms);
                if (left-- > 0) return recoup::failure{recoup::category::network_timeout};
                return 1;
            },
            recoup::retry{.max_attempts = 3, .backoff = recoup::constant(100ms)},
            recoup::on(clock_), counted->watch(name));
        for (auto const one : failures) {
            left = one;
            CHECK(call().has_value() == (one < 3));
        }
    }
};

}  // namespace prometheus_test
