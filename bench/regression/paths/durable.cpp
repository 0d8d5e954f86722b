// SPDX-License-Identifier: BSL-1.0
// What is recorded: an intent before and a completion after each call, and durable operations. Stores without a
// thread of their own, which would run when it pleases the system.
#include "call/dependency.hpp"
#include "regression/paths/path.hpp"

#include <recoup/core/result.hpp>
#include <recoup/durable.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/store/journal_store.hpp>
#include <recoup/store/memory_store.hpp>
#include <recoup/store/persist.hpp>
#include <recoup/with_recovery.hpp>

#include <stdexcept>
#include <string>

namespace bench::regression {

namespace {

using number = std::uint64_t;

constexpr number steps_each = 8;

recoup::result<number> answered(number question) { return answer(question); }

recoup::journal_store_options quiet_journal() {
    recoup::journal_store_options chosen;
    chosen.flush_every = recoup::unlimited;
    return chosen;
}

template <class Store>
void count_intents(counted_path const& of, Store& store) {
    count(of, recoup::with_recovery(
                  answered, recoup::retry{},
                  recoup::persist(store, {.name = "intent", .when = recoup::persist_when::start},
                                  [](number key) { return key; })));
}

/// A success at once writes nothing where only failures are recorded.
void on_failure_only(counted_path const& of) {
    recoup::journal_store store{of.scratch + "/journal", quiet_journal()};
    count(of, recoup::with_recovery(
                  answered, recoup::retry{},
                  recoup::persist(store, "failures", [](number key) { return key; })));
}

void in_memory(counted_path const& of) {
    recoup::memory_store store;
    count_intents(of, store);
}

void in_journal(counted_path const& of) {
    recoup::journal_store store{of.scratch + "/journal", quiet_journal()};
    count_intents(of, store);
}

void durable_operation(counted_path const& of) {
    recoup::journal_store store{of.scratch + "/journal", quiet_journal()};
    recoup::operations on{store, recoup::operations_options{.housekeeping = false}};
    auto const defined = on.define("steps", {.retain = recoup::duration{}},
                                   [](recoup::operation& op, number key) -> recoup::result<number> {
                                       for (number i = 0; i != steps_each; ++i)
                                           key = op.step("step", answer, key).value();
                                       return key;
                                   });
    count(of, [&](number question) {
        auto const key = std::to_string(10'000 + question);
        auto found = defined.run(key, question);
        if (!found) throw std::runtime_error{of.name + ": an operation has failed"};
        if (question % 64 == 0) on.clean_up(64).value();
        return found;
    });
}

}  // namespace

void add_durable(paths& into) {
    into.push_back({"persisted/journal_failures_only", "", on_failure_only});
    into.push_back({"persisted/memory", "", in_memory});
    into.push_back({"persisted/journal", "", in_journal});
    into.push_back({"durable_operation/journal_8_steps", "", durable_operation});
}

}  // namespace bench::regression
