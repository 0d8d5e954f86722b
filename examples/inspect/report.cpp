// SPDX-License-Identifier: BSL-1.0
#include "inspect/report.hpp"

#include "inspect/moment.hpp"
#include "inspect/table.hpp"
#include "inspect/text.hpp"
#include "inspect/value.hpp"

#include <recoup/core/category.hpp>

#include <string_view>
#include <utility>

namespace inspect {

namespace {

using recoup::operation_status;
using recoup::record_status;

std::string name_of(record_status what) {
    switch (what) {
        case record_status::running: return "running";
        case record_status::succeeded: return "succeeded";
        case record_status::failed: return "failed";
    }
    return "unknown";
}

std::string failure_text(recoup::recorded_failure const& what) {
    auto text = std::string{recoup::to_string(what.category)} + ": " + printable(what.message);
    if (!what.code_category.empty())
        text += " (" + printable(what.code_category) + ":" + std::to_string(what.code) + ")";
    return text;
}

/// Facts about one thing, the most telling first.
std::string joined(std::vector<std::string> const& parts) {
    std::string text;
    for (auto const& part : parts)
        if (!part.empty()) text += (text.empty() ? "" : "; ") + part;
    return text;
}

std::string waiting_text(recoup::system_time due, recoup::system_time now) {
    return due > now ? "due " + age(due, now) : "";
}

std::string remark(recoup::operation_record const& what, store_facts const& store,
                   layout const& how) {
    std::vector<std::string> parts;
    if (what.cancel_requested) parts.emplace_back("cancel requested");
    if (left_behind(what, store)) parts.emplace_back("left behind");
    if (what.undoing) parts.emplace_back("undoing");
    if (what.recoveries != 0)
        parts.push_back(std::to_string(what.recoveries) +
                        (what.recoveries == 1 ? " recovery" : " recoveries"));
    if (!has_ended(what.status)) {
        parts.push_back(printable(what.note));
        if (what.status == operation_status::pending)
            parts.push_back(waiting_text(what.due, how.now));
        parts.push_back(printable(what.progress));
    }
    if (what.status == operation_status::succeeded && what.result)
        parts.push_back(value_line(*what.result));
    else if (what.last_failure)
        parts.push_back(failure_text(*what.last_failure));
    return joined(parts);
}

std::string remark(recoup::record const& what, store_facts const& store, layout const& how) {
    std::vector<std::string> parts;
    if (left_behind(what, store)) parts.emplace_back("left behind");
    parts.push_back(counted(what.attempts, "attempt"));
    if (what.status == record_status::running) parts.push_back(waiting_text(what.due, how.now));
    if (what.status == record_status::succeeded && what.result)
        parts.push_back(value_line(*what.result));
    else if (what.last_failure)
        parts.push_back(failure_text(*what.last_failure));
    return joined(parts);
}

std::string shown_name(recoup::operation_id const& id) {
    return printable(id.space.empty() ? id.name : id.space + "/" + id.name);
}

std::string head_text(store_facts const& store) {
    auto text = store.location + " (" + store.kind + "): ";
    if (store.shared) return text + "shared by its writers\n";
    return text + (store.owner ? "owned by " + owner_text(*store.owner) : "nobody owns it") + "\n";
}

std::string damage_text(std::vector<damage> const& all) {
    std::string text;
    for (auto const& each : all)
        text += "damaged: " + printable(each.what) + ": " + printable(each.wrong) + "\n";
    return text;
}

/// Lines of the form `  name   value`; a value of several lines goes on below its first.
class fact_sheet {
  public:
    void add(std::string_view name, std::string const& value) {
        if (!value.empty()) add(name, std::vector{value});
    }
    void add(std::string_view name, std::vector<std::string> const& lines) {
        auto first = true;
        for (auto const& line : lines) {
            text_ += "  " + padded(first ? name : "", 13) + "  " + line + "\n";
            first = false;
        }
    }
    void add_moment(std::string_view name, recoup::system_time when, recoup::system_time now) {
        // People have no use for a fraction of a second.
        if (!iso(when).empty())
            add(name,
                iso(std::chrono::floor<std::chrono::seconds>(when)) + " (" + age(when, now) + ")");
    }
    [[nodiscard]] std::string const& text() const noexcept { return text_; }

  private:
    std::string text_;
};

std::string token_text(std::array<std::uint8_t, 16> const& token) {
    std::string text;
    for (auto const byte : token) {
        text += "0123456789abcdef"[byte >> 4U];
        text += "0123456789abcdef"[byte & 0xFU];
    }
    return text == std::string(32, '0') ? "" : text;
}

std::string steps_text(std::vector<recoup::step_record> const& steps, layout const& how) {
    if (steps.empty()) return "  no steps yet\n";
    std::vector<std::vector<std::string>> rows;
    for (auto const& step : steps) {
        auto name = printable(step.name);
        if (!step.id.empty())
            name += " [" + printable(step.id) + "]";
        else if (step.count != 0)
            name += " (" + std::to_string(step.count + 1) + ")";
        auto const done = step.status == recoup::step_status::done;
        rows.push_back({std::to_string(step.index), name, std::string{to_string(step.status)},
                        std::to_string(step.attempts), age(step.updated, how.now),
                        done                ? value_line(step.value)
                        : step.last_failure ? failure_text(*step.last_failure)
                                            : ""});
    }
    auto text = table_text({"#", "STEP", "STATUS", "ATTEMPTS", "CHANGED", "RESULT OR LAST FAILURE"},
                           rows, how.columns, 2);
    if (!how.full) return text;
    for (auto const& step : steps) {
        if (step.status != recoup::step_status::done) continue;
        fact_sheet sheet;
        sheet.add("step " + std::to_string(step.index), value_lines(step.value, how.value_bytes));
        text += sheet.text();
    }
    return text;
}

std::string operation_text(exhibit const& what, layout const& how) {
    auto const& one = *what.operation;
    fact_sheet sheet;
    auto status = std::string{to_string(one.status)};
    if (left_behind(one, what.store)) status += ", left behind: nobody runs it";
    if (one.undoing) status += ", its steps are being undone";
    if (one.cancel_requested) status += ", cancel requested";
    sheet.add("status", status);
    sheet.add("why", printable(one.note));
    sheet.add("progress", printable(one.progress));
    sheet.add("number", std::to_string(one.number) + ", epoch " + std::to_string(one.epoch) +
                            (one.owner == 0 ? "" : ", owner " + std::to_string(one.owner)) +
                            (one.parent == 0 ? "" : ", child of " + std::to_string(one.parent)));
    sheet.add("version", printable(one.version));
    if (one.generation != 1) sheet.add("generation", std::to_string(one.generation));
    if (one.recoveries != 0) sheet.add("recoveries", std::to_string(one.recoveries));
    sheet.add_moment("created", one.created, how.now);
    sheet.add_moment("changed", one.updated, how.now);
    if (!has_ended(one.status)) sheet.add_moment("due", one.due, how.now);
    if (has_ended(one.status)) sheet.add_moment("kept until", one.expires, how.now);
    sheet.add("token", token_text(one.token));
    for (auto const& argument : arguments_of(one.input))
        sheet.add("input", value_lines(argument, how.value_bytes));
    if (one.result) sheet.add("result", value_lines(*one.result, how.value_bytes));
    if (one.last_failure) sheet.add("last failure", failure_text(*one.last_failure));
    return "operation " + shown_name(one.id) + " " + printable(one.id.key) + "\n" + sheet.text() +
           steps_text(what.steps, how);
}

std::string record_text(exhibit const& what, layout const& how) {
    auto const& one = *what.record;
    fact_sheet sheet;
    sheet.add("status", name_of(one.status) + (left_behind(one, what.store)
                                                   ? ", left behind: the next call goes on with it"
                                                   : ""));
    sheet.add("attempts", std::to_string(one.attempts) + ", " + counted(one.spent, "failure") +
                              " charged to the shared budget");
    for (std::size_t i = 0; i != one.spent_by_category.size(); ++i)
        if (one.spent_by_category[i] != 0)
            sheet.add("", std::to_string(one.spent_by_category[i]) + " to that of " +
                              std::string{recoup::to_string(static_cast<recoup::category>(i))});
    if (one.generation != 1) sheet.add("generation", std::to_string(one.generation));
    if (one.active != recoup::duration{}) sheet.add("active", span_text(one.active));
    sheet.add_moment("created", one.created, how.now);
    sheet.add_moment("changed", one.updated, how.now);
    if (one.status == record_status::running) sheet.add_moment("due", one.due, how.now);
    if (one.status != record_status::running) sheet.add_moment("kept until", one.expires, how.now);
    sheet.add("token", token_text(one.token));
    if (one.checkpoint) sheet.add("checkpoint", value_lines(*one.checkpoint, how.value_bytes));
    if (one.result) sheet.add("result", value_lines(*one.result, how.value_bytes));
    if (one.last_failure) sheet.add("last failure", failure_text(*one.last_failure));
    return "call " + shown_name(one.id) + " " + printable(one.id.key) + "\n" + sheet.text();
}

}  // namespace

bool left_behind(recoup::operation_record const& what, store_facts const& store) {
    return what.status == operation_status::running &&
           (what.owner == 0 || (!store.shared && !store.owner));
}

bool left_behind(recoup::record const& what, store_facts const& store) {
    return what.status == record_status::running && !store.shared && !store.owner;
}

std::string owner_text(owner_info const& owner) {
    if (owner.process.empty()) return "another process";
    return "process " + owner.process + (owner.program.empty() ? "" : " (" + owner.program + ")") +
           (owner.since.empty() ? "" : " since " + owner.since);
}

std::string list_text(listing const& what, layout const& how) {
    std::vector<std::vector<std::string>> rows;
    for (auto const& each : what.operations)
        rows.push_back({"operation", std::string{to_string(each.status)}, shown_name(each.id),
                        printable(each.id.key), age(each.updated, how.now),
                        remark(each, what.store, how)});
    for (auto const& each : what.records)
        rows.push_back({"call", name_of(each.status), shown_name(each.id), printable(each.id.key),
                        age(each.updated, how.now), remark(each, what.store, how)});
    auto text = head_text(what.store);
    if (!rows.empty())
        text += "\n" + table_text({"KIND", "STATUS", "NAME", "KEY", "CHANGED", "REMARKS"}, rows,
                                  how.columns);
    text += "\n" +
            (rows.empty() ? "nothing that matches is recorded" : counted(rows.size(), "entry")) +
            (what.more ? ", and more: see --limit" : "") + "\n";
    return text + damage_text(what.damaged);
}

std::string show_text(exhibit const& what, layout const& how) {
    auto text = head_text(what.store);
    if (what.operation) text += "\n" + operation_text(what, how);
    if (what.record) text += "\n" + record_text(what, how);
    return text;
}

std::string verify_text(store_facts const& store, verification const& found) {
    auto text = head_text(store) + "\n" + counted(found.operations, "operation") + " with " +
                counted(found.steps, "step") + " and " + counted(found.records, "call") +
                " are whole\n" + damage_text(found.damaged);
    for (auto const& each : found.problems) text += "problem: " + printable(each) + "\n";
    return text +
           (found.ok() ? "no damage found\n" : "the store is damaged; nothing was changed\n");
}

}  // namespace inspect
