// SPDX-License-Identifier: BSL-1.0
#include "simulation/ledger.hpp"

#include "crash/stores.hpp"

#include <recoup/store/detail/record_codec.hpp>

#include <utility>

namespace simulation {

using recoup::operation_record;
using recoup::step_record;
using recoup::step_status;

namespace {

std::string shown(operation_record const& what) {
    return what.id.name + '/' + what.id.key + " (" + std::string{to_string(what.status)} +
           ", epoch " + std::to_string(what.epoch) + ", owner " + std::to_string(what.owner) +
           ", generation " + std::to_string(what.generation) + ")";
}

std::string shown(step_record const& what) {
    return what.name + '/' + what.id + '#' + std::to_string(what.count) + " (" +
           std::string{to_string(what.status)} + ", " + std::to_string(what.attempts) +
           " attempts)";
}

}  // namespace

void ledger::started(recoup::started_operation const& what) {
    if (!what.made) return;
    to_.require(!all_.contains(what.record.number), "numbers of operations are never given twice",
                [&] { return shown(what.record); });
    all_[what.record.number].head = what.record;
}

void ledger::claimed(operation_record const& what) {
    auto const found = all_.find(what.number);
    to_.require(found != all_.end(), "only what was started is claimed",
                [&] { return shown(what); });
    auto& known = found->second.head;
    to_.require(what.epoch > known.epoch, "each claim raises the epoch",
                [&] { return shown(what) + " after " + shown(known); });
    to_.require(known.owner == 0 || !is_alive(known.owner), "never two owners of one operation",
                [&] { return shown(what) + " while " + shown(known); });
    to_.require(!found->second.wished || what.cancel_requested, "no wish to cancel is lost",
                [&] { return shown(what); });
    known.epoch = what.epoch;
    known.owner = what.owner;
}

void ledger::written(recoup::operation_write const& what) {
    auto const found = all_.find(what.number);
    to_.require(found != all_.end(), "only what was started is written",
                [&] { return "operation " + std::to_string(what.number); });
    auto& known = found->second;
    to_.require(what.epoch == known.head.epoch && known.head.owner != 0,
                "no write of one who has lost the operation is taken", [&] {
                    return "a write of epoch " + std::to_string(what.epoch) + " to " +
                           shown(known.head);
                });
    if (what.head != nullptr) {
        auto next = *what.head;
        next.id = known.head.id;
        next.number = known.head.number;
        next.epoch = known.head.epoch;
        next.owner = known.head.owner;
        next.parent = known.head.parent;
        next.created = known.head.created;
        if (has_ended(next.status) || what.drop_wish) known.wished.reset();
        known.head = std::move(next);
    }
    if (what.drop_steps) known.steps.clear();
    for (auto const& row : what.steps) {
        auto const before = known.steps.find(row.index);
        to_.require(before == known.steps.end() || before->second.status != step_status::done ||
                        row.status != step_status::begun,
                    "a step that is recorded as done is not run again",
                    [&] { return shown(row) + " of " + shown(known.head); });
        known.steps[row.index] = row;
    }
    if (what.release) known.head.owner = 0;
}

void ledger::wished(std::uint64_t number, recoup::steady_time now) {
    if (auto const found = all_.find(number); found != all_.end() && !found->second.wished)
        found->second.wished = now;
}

ledger::entry const* ledger::find(std::uint64_t number) const {
    auto const found = all_.find(number);
    return found == all_.end() ? nullptr : &found->second;
}

ledger::entry const* ledger::find(recoup::operation_ref id) const {
    for (auto const& [number, one] : all_)
        if (one.head.id.name == id.name && one.head.id.key == id.key) return &one;
    return nullptr;
}

step_record const* ledger::step(std::uint64_t number, std::string const& name,
                                std::string const& id) const {
    auto const* const of = find(number);
    if (of == nullptr) return nullptr;
    for (auto const& [index, row] : of->steps)
        if (row.name == name && row.id == id) return &row;
    return nullptr;
}

std::optional<recoup::record> ledger::retries(std::uint64_t number, std::string const& name,
                                              std::string const& id) const {
    auto const* const row = step(number, name, id);
    if (row == nullptr || row->state.empty()) return std::nullopt;
    return recoup::detail::decode_record(row->state).value;
}

void ledger::compare(recoup_test::any_store& with) {
    for (auto const& [number, known] : all_) {
        auto const found = with.find(known.head.id);
        to_.require(found.has_value() && found.assume_value().has_value(),
                    "no acknowledged operation is lost", [&] { return shown(known.head); });
        auto const& there = *found.assume_value();
        // A claim need not survive its owner: the next one is greater all the same, which `claimed` sees.
        to_.require(there.number == known.head.number && there.status == known.head.status &&
                        there.epoch <= known.head.epoch &&
                        there.generation == known.head.generation &&
                        there.token == known.head.token && there.result == known.head.result &&
                        there.recoveries == known.head.recoveries && there.due == known.head.due,
                    "no acknowledged state of an operation is lost",
                    [&] { return "there is " + shown(there) + ", expected " + shown(known.head); });
        auto const steps = with.steps(number);
        to_.require(steps.has_value(), "no acknowledged step is lost",
                    [&] { return "they cannot be read: " + shown(known.head); });
        auto const& rows = steps.assume_value();
        auto at = rows.begin();
        for (auto const& [index, row] : known.steps) {
            to_.require(at != rows.end() && *at == row, "no acknowledged step is lost", [&] {
                return shown(row) + " of " + shown(known.head) + "; there is " +
                       (at == rows.end() ? std::string{"nothing"} : shown(*at));
            });
            ++at;
        }
        to_.require(at == rows.end(), "a store holds no step that nobody wrote",
                    [&] { return shown(*at) + " of " + shown(known.head); });
    }
}

}  // namespace simulation
