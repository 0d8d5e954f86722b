// SPDX-License-Identifier: BSL-1.0
#pragma once

// Any store as an `any_store`.

#include "crash/stores.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace recoup_test {

/// One store, owned.
template <class Store>
class held final : public any_store {
  public:
    explicit held(std::unique_ptr<Store> store) : store_{std::move(store)} {}

    recoup::result<std::optional<recoup::record>> load(recoup::operation_ref id) override {
        return store_->load(id, recoup::unlimited);
    }
    recoup::result<std::uint64_t> save(recoup::record const& what) override {
        return store_->save(what, recoup::unlimited);
    }
    recoup::result<void> erase(recoup::operation_ref id, std::uint64_t revision) override {
        return store_->erase(id, revision, recoup::unlimited);
    }
    recoup::result<std::vector<recoup::record>> list(recoup::record_filter const& which) override {
        return store_->list(which);
    }
    recoup::result<std::size_t> clean_up(recoup::system_time now, std::size_t most) override {
        return store_->clean_up(now, most);
    }
    [[nodiscard]] recoup::durability durability() const override { return store_->durability(); }

    [[nodiscard]] bool keeps_operations() const override { return recoup::durable_store<Store>; }
    recoup::result<std::uint64_t> enter(std::string const& who, recoup::duration lease) override {
        return ask<std::uint64_t>([&](auto& store) { return store.enter(who, lease); });
    }
    recoup::result<std::vector<std::uint64_t>> renew(std::uint64_t owner,
                                                     recoup::duration lease) override {
        return ask<std::vector<std::uint64_t>>(
            [&](auto& store) { return store.renew(owner, lease); });
    }
    recoup::result<void> leave(std::uint64_t owner) override {
        return ask<void>([&](auto& store) { return store.leave(owner); });
    }
    recoup::result<recoup::started_operation> start(recoup::operation_record const& head,
                                                    std::uint64_t owner) override {
        return ask<recoup::started_operation>(
            [&](auto& store) { return store.start(head, owner, recoup::unlimited); });
    }
    recoup::result<std::vector<recoup::operation_record>> claim(
        recoup::claim_request const& request) override {
        return ask<std::vector<recoup::operation_record>>(
            [&](auto& store) { return store.claim(request); });
    }
    recoup::result<recoup::operation_record> take(std::uint64_t number, std::uint64_t epoch,
                                                  std::uint64_t owner) override {
        return ask<recoup::operation_record>(
            [&](auto& store) { return store.take(number, epoch, owner); });
    }
    recoup::result<recoup::write_receipt> write(recoup::operation_write const& what) override {
        return ask<recoup::write_receipt>(
            [&](auto& store) { return store.write(what, recoup::unlimited); });
    }
    recoup::result<void> request_cancel(std::uint64_t number) override {
        return ask<void>([&](auto& store) { return store.request_cancel(number); });
    }
    recoup::result<void> remove(std::uint64_t number, std::uint64_t epoch) override {
        return ask<void>([&](auto& store) { return store.remove(number, epoch); });
    }
    recoup::result<std::optional<recoup::operation_record>> find(
        recoup::operation_ref id) override {
        return ask<std::optional<recoup::operation_record>>(
            [&](auto& store) { return store.find(id, recoup::unlimited); });
    }
    recoup::result<std::vector<recoup::operation_record>> operations(
        recoup::operation_filter const& which) override {
        return ask<std::vector<recoup::operation_record>>(
            [&](auto& store) { return store.operations(which); });
    }
    recoup::result<std::vector<recoup::step_record>> steps(std::uint64_t number) override {
        return ask<std::vector<recoup::step_record>>(
            [&](auto& store) { return store.steps(number, recoup::unlimited); });
    }

    bool whole() override {
        if constexpr (requires(Store& store) { store.verify().value().ok(); }) {
            auto const found = store_->verify();
            return found.has_value() && found.value().ok();
        } else {
            return true;
        }
    }

  private:
    template <class T, class Question>
    recoup::result<T> ask(Question const& question) {
        if constexpr (recoup::durable_store<Store>)
            return question(*store_);
        else
            return recoup::failure{recoup::store_errc::setting_refused};
    }

    std::unique_ptr<Store> store_;
};

/// What an `open` gave, held.
template <class Opened>
recoup::result<std::unique_ptr<any_store>> hold(Opened opened) {
    if (!opened.has_value()) return opened.error();
    using store = typename std::remove_cvref_t<decltype(opened.value())>::element_type;
    return std::unique_ptr<any_store>{new held<store>{std::move(opened.value())}};
}

}  // namespace recoup_test
