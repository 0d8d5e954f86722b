// SPDX-License-Identifier: BSL-1.0
#include "inspect/moment.hpp"
#include "inspect/report.hpp"
#include "inspect/value.hpp"

#include <recoup/core/category.hpp>
#include <recoup/core/redact.hpp>

#include <array>
#include <cstdint>
#include <cstdio>
#include <string_view>

#include <nlohmann/json.hpp>

// The names of the fields are the program's interface: docs in README.md. Only add.

namespace inspect {

namespace {

using nlohmann::json;

constexpr int format = 1;

json text(std::string_view what) { return recoup::redact(what); }

json moment(recoup::system_time when) {
    auto shown = iso(when);
    return shown.empty() ? json() : json(std::move(shown));
}

json seconds(recoup::duration span) { return std::chrono::duration<double>{span}.count(); }

std::string hexadecimal(std::uint64_t number) {
    std::array<char, 20> digits{};
    std::snprintf(digits.data(), digits.size(), "%016llx", static_cast<unsigned long long>(number));
    return digits.data();
}

json token(std::array<std::uint8_t, 16> const& bytes) {
    std::string digits;
    auto any = false;
    for (auto const byte : bytes) {
        digits += "0123456789abcdef"[byte >> 4U];
        digits += "0123456789abcdef"[byte & 0xFU];
        any = any || byte != 0;
    }
    return any ? json(digits) : json();
}

json failure_json(std::optional<recoup::recorded_failure> const& what) {
    if (!what) return nullptr;
    return {{"category", recoup::to_string(what->category)},
            {"message", text(what->message)},
            {"code", what->code_category.empty() ? json() : json(what->code)},
            {"code_category", what->code_category.empty() ? json() : text(what->code_category)}};
}

json optional_value(std::optional<std::string> const& encoded, layout const& how) {
    return encoded ? value_json(*encoded, how.value_bytes) : json();
}

json store_json(store_facts const& store) {
    auto owner = json();
    if (store.owner)
        owner = {{"process", store.owner->process},
                 {"program", store.owner->program},
                 {"since", store.owner->since}};
    return {{"location", store.location},
            {"kind", store.kind},
            {"shared", store.shared},
            {"owner", std::move(owner)}};
}

json damage_json(std::vector<damage> const& all) {
    auto list = json::array();
    for (auto const& each : all)
        list.push_back({{"what", text(each.what)}, {"wrong", text(each.wrong)}});
    return list;
}

json record_json(recoup::record const& what, store_facts const& store, layout const& how) {
    constexpr std::array<std::string_view, 4> names{"unknown", "running", "succeeded", "failed"};
    auto spent = json::object();
    for (std::size_t i = 0; i != what.spent_by_category.size(); ++i)
        if (what.spent_by_category[i] != 0)
            spent[std::string{recoup::to_string(static_cast<recoup::category>(i))}] =
                what.spent_by_category[i];
    auto const status = static_cast<std::size_t>(what.status);
    return {{"kind", "call"},
            {"space", text(what.id.space)},
            {"name", text(what.id.name)},
            {"key", text(what.id.key)},
            {"status", names[status < names.size() ? status : 0]},
            {"left_behind", left_behind(what, store)},
            {"revision", what.revision},
            {"generation", what.generation},
            {"attempts", what.attempts},
            {"spent", what.spent},
            {"spent_by_category", std::move(spent)},
            {"active_seconds", seconds(what.active)},
            {"due", moment(what.due)},
            {"created", moment(what.created)},
            {"updated", moment(what.updated)},
            {"expires", moment(what.expires)},
            {"token", token(what.token)},
            {"fingerprint", hexadecimal(what.fingerprint)},
            {"checkpoint", optional_value(what.checkpoint, how)},
            {"result", optional_value(what.result, how)},
            {"last_failure", failure_json(what.last_failure)}};
}

json step_json(recoup::step_record const& what, layout const& how) {
    auto const done = what.status == recoup::step_status::done;
    return {{"index", what.index},
            {"name", text(what.name)},
            {"count", what.count},
            {"id", what.id.empty() ? json() : text(what.id)},
            {"status", to_string(what.status)},
            {"attempts", what.attempts},
            {"updated", moment(what.updated)},
            {"fingerprint", hexadecimal(what.fingerprint)},
            {"value", done ? value_json(what.value, how.value_bytes) : json()},
            {"state_bytes", what.state.size()},
            {"last_failure", failure_json(what.last_failure)}};
}

}  // namespace

json operation_json(recoup::operation_record const& what, store_facts const& store,
                    layout const& how) {
    auto input = json::array();
    for (auto const& argument : arguments_of(what.input))
        input.push_back(value_json(argument, how.value_bytes));
    return {{"kind", "operation"},
            {"space", text(what.id.space)},
            {"name", text(what.id.name)},
            {"key", text(what.id.key)},
            {"status", to_string(what.status)},
            {"left_behind", left_behind(what, store)},
            {"cancel_requested", what.cancel_requested},
            {"undoing", what.undoing},
            {"number", what.number},
            {"epoch", what.epoch},
            {"owner", what.owner == 0 ? json() : json(what.owner)},
            {"parent", what.parent == 0 ? json() : json(what.parent)},
            {"version", text(what.version)},
            {"generation", what.generation},
            {"recoveries", what.recoveries},
            {"due", moment(what.due)},
            {"created", moment(what.created)},
            {"updated", moment(what.updated)},
            {"expires", moment(what.expires)},
            {"token", token(what.token)},
            {"fingerprint", hexadecimal(what.fingerprint)},
            {"progress", text(what.progress)},
            {"note", text(what.note)},
            {"input", std::move(input)},
            {"result", optional_value(what.result, how)},
            {"last_failure", failure_json(what.last_failure)}};
}

json list_json(listing const& what, layout const& how) {
    auto entries = json::array();
    for (auto const& each : what.operations)
        entries.push_back(operation_json(each, what.store, how));
    for (auto const& each : what.records) entries.push_back(record_json(each, what.store, how));
    return {{"format", format},
            {"store", store_json(what.store)},
            {"entries", std::move(entries)},
            {"more", what.more},
            {"damaged", damage_json(what.damaged)}};
}

json show_json(exhibit const& what, layout const& how) {
    auto operation = json();
    if (what.operation) {
        operation = operation_json(*what.operation, what.store, how);
        operation["steps"] = json::array();
        for (auto const& step : what.steps) operation["steps"].push_back(step_json(step, how));
    }
    return {{"format", format},
            {"store", store_json(what.store)},
            {"operation", std::move(operation)},
            {"call", what.record ? record_json(*what.record, what.store, how) : json()}};
}

json verify_json(store_facts const& store, verification const& found) {
    auto problems = json::array();
    for (auto const& each : found.problems) problems.push_back(text(each));
    return {{"format", format},
            {"store", store_json(store)},
            {"ok", found.ok()},
            {"operations", found.operations},
            {"steps", found.steps},
            {"calls", found.records},
            {"damaged", damage_json(found.damaged)},
            {"problems", std::move(problems)}};
}

std::string printed(json const& document) {
    return document.dump(2, ' ', /*ensure_ascii=*/true, json::error_handler_t::replace) + "\n";
}

}  // namespace inspect
