// SPDX-License-Identifier: BSL-1.0
#pragma once

// A machine whose time and memory are what the test says, so that a judgement follows from what was planted.

#include <recoup/core/event.hpp>
#include <recoup/core/time.hpp>
#include <recoup/observe/on_event.hpp>
#include <recoup/retry/backoff.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/testing/manual_clock.hpp>
#include <recoup/validation.hpp>

#include "support/catch.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace validation_test {

namespace validation = recoup::validation;
using validation::finding;
using validation::remark_kind;
using namespace std::chrono_literals;

struct planted_machine {
    recoup::testing::manual_clock time{};
    std::optional<std::int64_t> resident = 100'000'000;

    recoup::testing::manual_clock& clock() { return time; }
    std::optional<std::int64_t> resident_bytes() const { return resident; }

    /// A callable that takes so long.
    auto work(recoup::duration span) {
        return [this, span] {
            time.advance(span);
            return 5;
        };
    }
    /// A policy that takes so long for each call that succeeds.
    auto slows(recoup::duration span) {
        return recoup::on_event([this, span](recoup::event const& what) {
            if (what.kind == recoup::event_kind::operation_succeeded) time.advance(span);
        });
    }
};

/// Few calls, and time enough for all of them.
inline validation::options planned() {
    return {.rounds = 60,
            .operations = 2'000,
            .memory_calls = 640,
            .recoveries = 40,
            .time_limit = 24h};
}

inline auto const at_once = recoup::retry{.max_attempts = 3, .backoff = recoup::constant(0ms)};

/// The text of the first remark of a kind; empty where there is none.
inline std::string remark_of(validation::verdict const& seen, remark_kind kind) {
    for (auto const& one : seen.remarks)
        if (one.kind == kind) return one.text;
    return {};
}

}  // namespace validation_test
