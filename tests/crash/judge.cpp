// SPDX-License-Identifier: BSL-1.0
#include "crash/values.hpp"
#include "crash/workload.hpp"

#include <algorithm>
#include <set>
#include <utility>

// What a store holds, held against what it has acknowledged.

namespace recoup_test {

findings& findings::operator+=(findings const& other) {
    lost += other.lost;
    wrong += other.wrong;
    duplicates += other.duplicates;
    refused += other.refused;
    if (words.empty()) words = other.words;
    return *this;
}

namespace {

using recoup::operation_id;

class inspection {
  public:
    explicit inspection(any_store& store)
        : store_{&store}, with_operations_{store.keeps_operations()} {}

    findings look(std::vector<lane_model>& models) {
        for (auto& model : models) {
            for (std::size_t key = 0; key != record_keys; ++key) look_at_record(model, key);
            if (!with_operations_) continue;
            for (std::size_t key = 0; key != operation_keys; ++key) look_at_operation(model, key);
        }
        look_at_lists();
        if (!store_->whole()) note(found_.refused, "the store's own verification fails");
        return found_;
    }

  private:
    void note(std::uint64_t& count, std::string const& words) {
        ++count;
        if (found_.words.empty()) found_.words = words;
    }

    void look_at_record(lane_model& model, std::size_t key) {
        auto const id = record_id(model.lane, key);
        auto const loaded = store_->load(id);
        if (!loaded.has_value())
            return note(found_.refused, "record " + id.key + ": " + loaded.error().describe());
        auto const& there = loaded.value();
        auto& may_be = model.records[key];
        auto const matches = std::any_of(may_be.begin(), may_be.end(), [&](auto const& one) {
            return one && there ? same(*one, *there) : one.has_value() == there.has_value();
        });
        if (!matches) {
            if (there && !was_made(model.seed, *there))
                note(found_.wrong, "record " + id.key + " holds what was never written");
            else
                note(found_.lost,
                     "record " + id.key + " is " +
                         (there ? "of version " + std::to_string(there->fingerprint) +
                                      ", revision " + std::to_string(there->revision)
                                : "absent") +
                         "; acknowledged was " +
                         (may_be.front()
                              ? "version " + std::to_string(may_be.front()->fingerprint) +
                                    ", revision " + std::to_string(may_be.front()->revision)
                              : "absence"));
        }
        may_be = {there};
        // Left behind between its save and its clean-up: whichever lane cleans up next removes it.
        if (there && there->expires == a_day) may_be.push_back(std::nullopt);
        records_ += there ? 1 : 0;
    }

    void look_at_operation(lane_model& model, std::size_t key) {
        auto const id = id_of(model.lane, key);
        auto const head = store_->find(id);
        if (!head.has_value())
            return note(found_.refused, "operation " + id.key + ": " + head.error().describe());
        std::optional<operation_content> there;
        if (head.value()) {
            auto steps = store_->steps(head.value()->number);
            if (!steps.has_value())
                return note(found_.refused,
                            "the steps of " + id.key + ": " + steps.error().describe());
            there = operation_content{*head.value(), std::move(steps.value())};
            ++operations_;
        }
        auto& may_be = model.operations[key];
        auto const matches = std::any_of(may_be.begin(), may_be.end(), [&](auto const& one) {
            return one && there ? same(*one, *there) : one.has_value() == there.has_value();
        });
        if (!matches) tell_difference(model, id, there, may_be.front());
        may_be = {there};
    }

    void tell_difference(lane_model const& model, operation_id const& id,
                         std::optional<operation_content> const& there,
                         std::optional<operation_content> const& expected) {
        if (!there) return note(found_.lost, "operation " + id.key + " is absent");
        std::set<std::uint32_t> indices;
        for (auto const& step : there->steps)
            if (!indices.insert(step.index).second)
                return note(found_.duplicates,
                            "step " + std::to_string(step.index) + " of " + id.key + " is twice");
        if (!was_made(model.seed, *there))
            return note(found_.wrong, "operation " + id.key + " holds what was never written");
        note(found_.lost,
             "operation " + id.key + " is of version " + std::to_string(there->head.fingerprint) +
                 " (" + std::string{to_string(there->head.status)} + ", cancel " +
                 std::to_string(there->head.cancel_requested) + ") with " +
                 std::to_string(there->steps.size()) + " steps; acknowledged was " +
                 (expected ? "version " + std::to_string(expected->head.fingerprint) + " (" +
                                 std::string{to_string(expected->head.status)} + ", cancel " +
                                 std::to_string(expected->head.cancel_requested) + ") with " +
                                 std::to_string(expected->steps.size())
                           : "absence"));
    }

    void look_at_lists() {
        auto const listed = store_->list({});
        if (!listed.has_value()) return note(found_.refused, listed.error().describe());
        if (listed.value().size() != records_ && found_.refused == 0)
            note(listed.value().size() > records_ ? found_.duplicates : found_.lost,
                 "list gives " + std::to_string(listed.value().size()) + " records; load gave " +
                     std::to_string(records_));
        if (!with_operations_) return;
        auto const all = store_->operations({});
        if (!all.has_value()) return note(found_.refused, all.error().describe());
        std::set<std::uint64_t> numbers;
        for (auto const& head : all.value())
            if (!numbers.insert(head.number).second)
                note(found_.duplicates,
                     "two operations have number " + std::to_string(head.number));
        if (all.value().size() != operations_ && found_.refused == 0)
            note(all.value().size() > operations_ ? found_.duplicates : found_.lost,
                 "operations gives " + std::to_string(all.value().size()) + "; find gave " +
                     std::to_string(operations_));
    }

    any_store* store_;
    bool with_operations_;
    findings found_;
    std::size_t records_ = 0;
    std::size_t operations_ = 0;
};

}  // namespace

findings judge(any_store& store, std::vector<lane_model>& models) {
    return inspection{store}.look(models);
}

}  // namespace recoup_test
