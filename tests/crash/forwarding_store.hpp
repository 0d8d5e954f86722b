// SPDX-License-Identifier: BSL-1.0
#pragma once

// A store that hands everything to another: the base of those that make a mistake.

#include "crash/stores.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace recoup_test {

class forwarding_store : public any_store {
  public:
    explicit forwarding_store(any_store& to) : to_{&to} {}

    recoup::result<std::optional<recoup::record>> load(recoup::operation_ref id) override {
        return to_->load(id);
    }
    recoup::result<std::uint64_t> save(recoup::record const& what) override {
        return to_->save(what);
    }
    recoup::result<void> erase(recoup::operation_ref id, std::uint64_t revision) override {
        return to_->erase(id, revision);
    }
    recoup::result<std::vector<recoup::record>> list(recoup::record_filter const& which) override {
        return to_->list(which);
    }
    recoup::result<std::size_t> clean_up(recoup::system_time now, std::size_t most) override {
        return to_->clean_up(now, most);
    }
    [[nodiscard]] recoup::durability durability() const override { return to_->durability(); }
    [[nodiscard]] bool keeps_operations() const override { return to_->keeps_operations(); }
    recoup::result<std::uint64_t> enter(std::string const& who, recoup::duration lease) override {
        return to_->enter(who, lease);
    }
    recoup::result<std::vector<std::uint64_t>> renew(std::uint64_t owner,
                                                     recoup::duration lease) override {
        return to_->renew(owner, lease);
    }
    recoup::result<void> leave(std::uint64_t owner) override { return to_->leave(owner); }
    recoup::result<recoup::started_operation> start(recoup::operation_record const& head,
                                                    std::uint64_t owner) override {
        return to_->start(head, owner);
    }
    recoup::result<std::vector<recoup::operation_record>> claim(
        recoup::claim_request const& request) override {
        return to_->claim(request);
    }
    recoup::result<recoup::operation_record> take(std::uint64_t number, std::uint64_t epoch,
                                                  std::uint64_t owner) override {
        return to_->take(number, epoch, owner);
    }
    recoup::result<recoup::write_receipt> write(recoup::operation_write const& what) override {
        return to_->write(what);
    }
    recoup::result<void> request_cancel(std::uint64_t number) override {
        return to_->request_cancel(number);
    }
    recoup::result<void> remove(std::uint64_t number, std::uint64_t epoch) override {
        return to_->remove(number, epoch);
    }
    recoup::result<std::optional<recoup::operation_record>> find(
        recoup::operation_ref id) override {
        return to_->find(id);
    }
    recoup::result<std::vector<recoup::operation_record>> operations(
        recoup::operation_filter const& which) override {
        return to_->operations(which);
    }
    recoup::result<std::vector<recoup::step_record>> steps(std::uint64_t number) override {
        return to_->steps(number);
    }
    bool whole() override { return to_->whole(); }

  private:
    any_store* to_;
};

}  // namespace recoup_test
