// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "inspect/store.hpp"

#include <recoup/durable/apply_request.hpp>
#include <recoup/store/detail/store_failure.hpp>
#include <recoup/store/durable_store.hpp>

#include <chrono>
#include <concepts>
#include <string>
#include <utility>

namespace inspect {

/// A store of the library's, behind the interface of this program.
///
/// What a kind of store has beyond the concepts (`verify`, `damaged`, `requests`) is used where it is.
template <recoup::persistence_policy Store>
class store_over final : public store {
  public:
    static constexpr bool durable = recoup::durable_store<Store>;

    store_over(std::string kind, std::string location, bool shared, std::unique_ptr<Store> over)
        : kind_{std::move(kind)},
          location_{std::move(location)},
          shared_{shared},
          over_{std::move(over)} {}
    ~store_over() override {
        if constexpr (durable)
            if (owner_ != 0) static_cast<void>(over_->leave(owner_));
    }

    [[nodiscard]] std::string kind() const override { return kind_; }
    [[nodiscard]] std::string location() const override { return location_; }
    [[nodiscard]] bool shared() const override { return shared_; }

    recoup::result<std::vector<recoup::record>> records(
        recoup::record_filter const& filter) override {
        return over_->list(filter);
    }
    recoup::result<std::optional<recoup::record>> load(recoup::operation_ref id) override {
        return over_->load(id, patience);
    }
    recoup::result<std::vector<recoup::operation_record>> operations(
        recoup::operation_filter const& filter) override {
        if constexpr (durable)
            return over_->operations(filter);
        else
            return std::vector<recoup::operation_record>{};
    }
    recoup::result<std::optional<recoup::operation_record>> find(
        recoup::operation_ref id) override {
        if constexpr (durable)
            return over_->find(id, patience);
        else
            return std::optional<recoup::operation_record>{};
    }
    recoup::result<std::vector<recoup::step_record>> steps(std::uint64_t number) override {
        if constexpr (durable)
            return over_->steps(number, patience);
        else
            return std::vector<recoup::step_record>{};
    }

    recoup::result<verification> verify() override {
        verification found;
        if constexpr (requires { over_->verify(); }) {
            auto const seen = over_->verify();
            if (!seen.has_value()) return seen.error();
            take(seen.assume_value(), found);
        }
        // Each entry is read once more through the store, which checks what it gives.
        if (auto walked = walk_records(found); !walked.has_value()) return walked.error();
        if (auto walked = walk_operations(found); !walked.has_value()) return walked.error();
        return found;
    }

    recoup::result<std::vector<damage>> damaged() override {
        std::vector<damage> all;
        if constexpr (requires { over_->damaged().value(); }) {
            auto const met = over_->damaged();
            if (!met.has_value()) return met.error();
            for (auto const& each : met.assume_value()) all.push_back(damage_of(each));
        }
        return all;
    }

    recoup::result<void> apply(recoup::operation_request const& request,
                               recoup::system_time now) override {
        if constexpr (durable) {
            if (auto entered = enter(); !entered.has_value()) return entered.error();
            return recoup::apply_request(*over_, request, owner_, now);
        } else {
            return no_operations();
        }
    }

    recoup::result<std::size_t> apply_waiting(recoup::system_time now) override {
        std::size_t done = 0;
        if constexpr (requires { over_->requests(); }) {
            auto const waiting = over_->requests();
            if (!waiting.has_value()) return waiting.error();
            for (auto const& each : waiting.assume_value()) {
                // One that does not fit any more is done with, as it would be by any other owner.
                static_cast<void>(apply(each, now));
                ++done;
            }
        }
        return done;
    }

    recoup::result<std::size_t> clean_up(recoup::system_time now, std::size_t most) override {
        return over_->clean_up(now, most);
    }
    recoup::result<void> remove(recoup::record const& what) override {
        return over_->erase(what.id, what.revision, patience);
    }
    recoup::result<void> remove(recoup::operation_record const& what) override {
        if constexpr (durable)
            return over_->remove(what.number, what.epoch);
        else
            return no_operations();
    }

  private:
    static constexpr recoup::duration patience = std::chrono::seconds{5};
    static constexpr recoup::duration lease = std::chrono::seconds{10};
    static constexpr std::size_t page = 256;

    static recoup::failure no_operations() {
        return recoup::detail::store_failure(
            recoup::store_errc::unavailable,
            "this kind of store keeps no durable operations in this version");
    }

    recoup::result<void> enter() {
        if constexpr (durable) {
            if (owner_ != 0) return recoup::success();
            auto entered = over_->enter("recoup-inspect", lease);
            if (!entered.has_value()) return entered.error();
            owner_ = entered.assume_value();
        }
        return recoup::success();
    }

    template <class Damaged>
    static damage damage_of(Damaged const& what) {
        damage seen;
        if constexpr (requires { what.id.name; }) seen.what = recoup::detail::display(what.id);
        if constexpr (requires { what.number; })
            seen.what += (seen.what.empty() ? "" : ", ") + std::string{"number "} +
                         std::to_string(what.number);
        if constexpr (requires { what.wrong; }) seen.wrong = what.wrong;
        return seen;
    }

    template <class Seen>
    static void take(Seen const& seen, verification& found) {
        if constexpr (requires { seen.damaged.begin(); })
            for (auto const& each : seen.damaged) found.damaged.push_back(damage_of(each));
        if constexpr (requires { seen.problems.begin(); })
            for (auto const& each : seen.problems) found.problems.push_back(each);
        if (!seen.ok() && found.ok()) {
            std::string text = "what is there is not what should be there";
            if constexpr (requires { seen.records_expected; })
                text += ": " + std::to_string(seen.records) + " whole records; the account says " +
                        std::to_string(seen.records_expected);
            found.problems.push_back(text);
        }
    }

    recoup::result<void> walk_records(verification& found) {
        recoup::record_filter filter;
        filter.limit = page;
        for (bool more = true; more;) {
            auto const some = records(filter);
            if (!some.has_value()) return some.error();
            more = some.assume_value().size() == page;
            if (more) filter.after = some.assume_value().back().id;
            found.records += some.assume_value().size();
        }
        return recoup::success();
    }

    recoup::result<void> walk_operations(verification& found) {
        recoup::operation_filter filter;
        filter.limit = page;
        for (bool more = true; more;) {
            auto const some = operations(filter);
            if (!some.has_value()) return some.error();
            more = some.assume_value().size() == page;
            for (auto const& each : some.assume_value()) {
                filter.after = each.number;
                auto const taken = steps(each.number);
                ++found.operations;
                if (taken.has_value())
                    found.steps += taken.assume_value().size();
                else if (taken.error().code() == recoup::store_errc::corrupt)
                    found.damaged.push_back(
                        {recoup::detail::display(each.id) + ", steps", taken.error().message()});
                else
                    return taken.error();
            }
        }
        return recoup::success();
    }

    std::string kind_;
    std::string location_;
    bool shared_;
    std::unique_ptr<Store> over_;
    std::uint64_t owner_ = 0;
};

}  // namespace inspect
