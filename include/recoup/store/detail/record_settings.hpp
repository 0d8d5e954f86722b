// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/identity.hpp>
#include <recoup/core/time.hpp>
#include <recoup/store/detail/slot_hash.hpp>
#include <recoup/store/persist_options.hpp>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace recoup::inline v1::detail {

/// Where and how the operations of one name are recorded.
template <class Store>
class record_settings {
  public:
    record_settings(std::shared_ptr<Store> store, persist_options options)
        : store_{std::move(store)}, options_{std::move(options)} {
        if (options_.name.empty() || !valid_identifier(options_.name) ||
            !valid_identifier(options_.space))
            throw std::invalid_argument{
                "recoup: the name given to persist must be 1 to 512 bytes of printable UTF-8"};
        hash_of_name_ = slot_hash_of_name(options_.space, options_.name);
    }

    [[nodiscard]] Store& store() const noexcept { return *store_; }
    [[nodiscard]] persist_options const& options() const noexcept { return options_; }
    [[nodiscard]] std::uint64_t hash_of_name() const noexcept { return hash_of_name_; }

    /// What happens when the store fails: what was chosen, else what suits `when`.
    [[nodiscard]] on_store_failure when_store_fails() const noexcept {
        return options_.on_store_failure.value_or(options_.when == persist_when::start
                                                      ? on_store_failure::stop
                                                      : on_store_failure::proceed);
    }

    /// What is recorded, and when: for `explain`.
    [[nodiscard]] std::string text() const {
        auto const* when = options_.when == persist_when::start ? "before the first attempt"
                                                                : "at the first failure";
        auto const* kept = options_.retain > duration{} ? "; a result is kept" : "";
        return std::string{"attempts, budget, due time, token and checkpoint, from "} + when + kept;
    }

  private:
    std::shared_ptr<Store> store_;
    persist_options options_;
    std::uint64_t hash_of_name_ = 0;
};

}  // namespace recoup::inline v1::detail
