// SPDX-License-Identifier: BSL-1.0
#include "crash/values.hpp"
#include "crash/workload.hpp"

#include <algorithm>
#include <utility>

// What the steps of a workload are, and what a store has to hold after them.

namespace recoup_test {

namespace {

using recoup::operation_record;
using recoup::operation_status;
using recoup::record;
using recoup::step_record;
using recoup::step_status;

void put_step(std::vector<step_record>& steps, step_record const& one) {
    auto const at = std::find_if(steps.begin(), steps.end(),
                                 [&](auto const& s) { return s.index == one.index; });
    if (at == steps.end())
        steps.push_back(one);
    else
        *at = one;
}

planned_step plan_record(lane_model const& model, std::size_t key, std::uint64_t drawn) {
    planned_step step;
    step.key = key;
    auto const& now = model.records[key].front();
    auto const choice = drawn % 10;
    step.what = now && choice == 0   ? planned_step::kind::erase
                : now && choice == 1 ? planned_step::kind::clean
                                     : planned_step::kind::save;
    step.record = make_record(model.seed, record_id(model.lane, key), model.step + 1U,
                              step.what == planned_step::kind::clean);
    step.record.revision = now ? now->revision : 0;
    return step;
}

planned_step plan_operation(lane_model const& model, std::size_t key, std::uint64_t drawn) {
    planned_step step;
    step.key = key;
    auto const& now = model.operations[key].front();
    auto const version = model.step + 1U;
    auto const id = id_of(model.lane, key);
    if (!now) {
        step.what = planned_step::kind::start;
        step.after.head = make_head(model.seed, id, version, operation_status::running);
        return step;
    }
    step.after = *now;
    step.wished = now->head.cancel_requested;
    auto const choice = drawn % 16;
    auto const write_head = [&](operation_status status, bool drop_wish) {
        auto const generation = now->head.generation;
        step.after.head = make_head(model.seed, id, version, status);
        step.after.head.generation = generation;
        step.after.head.cancel_requested = step.wished && !drop_wish;
        step.drop_wish = drop_wish;
        step.with_head = true;
    };
    if (!is_running(*now)) {
        if (choice < 8) {
            step.what = planned_step::kind::remove;
            return step;
        }
        step.what = planned_step::kind::again;
        write_head(operation_status::running, true);
        ++step.after.head.generation;
        step.after.steps.clear();
        return step;
    }
    if (choice == 0) {
        step.what = planned_step::kind::cancel;
        step.after.head.cancel_requested = true;
        return step;
    }
    if (choice < 4 && !now->steps.empty()) {
        step.what = planned_step::kind::finish;
        write_head(operation_status::succeeded, true);
        return step;
    }
    step.what = planned_step::kind::write;
    if (choice < 6) write_head(operation_status::running, choice == 4);
    auto const count = 1 + (drawn >> 8U) % 3;
    auto index = static_cast<std::uint32_t>(now->steps.size());
    if (index != 0 && now->steps.back().status == step_status::begun) --index;
    for (std::uint64_t i = 0; i != count; ++i, ++index) {
        auto const begun = i + 1 == count && (drawn >> 16U) % 4 == 0;
        step.steps.push_back(make_step(model.seed, id.key, index, version,
                                       begun ? step_status::begun : step_status::done));
        put_step(step.after.steps, step.steps.back());
    }
    return step;
}

}  // namespace

lane_model::lane_model(std::size_t of_lane, std::uint64_t with_seed)
    : lane{of_lane}, seed{with_seed} {
    records.fill({std::nullopt});
    operations.fill({std::nullopt});
}

std::vector<lane_model> make_models(std::size_t lanes, std::uint64_t seed) {
    std::vector<lane_model> models;
    for (std::size_t lane = 0; lane != lanes; ++lane) models.emplace_back(lane, seed);
    return models;
}

planned_step plan_step(lane_model const& model, bool with_operations) {
    auto const drawn = mixed(model.seed + model.lane * 1'000'003U, "step", model.step);
    auto const of_operations = with_operations && drawn % 3 != 0;
    auto const keys = of_operations ? operation_keys : record_keys;
    for (std::size_t i = 0; i != keys; ++i) {
        auto const key = ((drawn >> 4U) + i) % keys;
        if (of_operations && model.operations[key].size() == 1)
            return plan_operation(model, key, drawn >> 12U);
        if (!of_operations && model.records[key].size() == 1)
            return plan_record(model, key, drawn >> 12U);
    }
    return {};
}

void take_outcome(lane_model& model, planned_step const& step, std::optional<outcome> what) {
    using kind = planned_step::kind;
    ++model.step;
    auto const acknowledged = what && what->code == 0;
    auto const settle = [&](auto& may_be, auto after) {
        if (acknowledged) may_be.clear();
        may_be.push_back(std::move(after));
    };
    switch (step.what) {
        case kind::none: break;
        case kind::save: {
            auto after = step.record;
            after.revision = acknowledged ? what->number : 0;
            settle(model.records[step.key], std::optional{std::move(after)});
            break;
        }
        case kind::clean:
            if (!acknowledged) {
                auto between = step.record;
                between.revision = 0;
                model.records[step.key].push_back(std::move(between));
            }
            settle(model.records[step.key], std::optional<record>{});
            break;
        case kind::erase: settle(model.records[step.key], std::optional<record>{}); break;
        case kind::remove:
            settle(model.operations[step.key], std::optional<operation_content>{});
            break;
        default: settle(model.operations[step.key], std::optional{step.after}); break;
    }
}

void take_log(std::vector<lane_model>& models, process_log const& log, bool with_operations) {
    for (auto& model : models) {
        auto const& lane = log.lanes[model.lane];
        for (std::uint32_t i = 0; i != lane.done; ++i)
            take_outcome(model, plan_step(model, with_operations), lane.outcomes[i]);
        if (lane.begun > lane.done) take_outcome(model, plan_step(model, with_operations), {});
    }
}

void forget_revisions(std::vector<lane_model>& models) {
    for (auto& model : models)
        for (auto& may_be : model.records)
            for (auto& one : may_be)
                if (one) one->revision = 0;
}

}  // namespace recoup_test
