// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/identity.hpp>
#include <recoup/store/detail/identity_order.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace recoup::inline v1::detail {

/// Which operation of a journal has which identity. It keeps views: what they show must outlive it.
///
/// Operations that are read again are put in order when one is looked for: to resume them needs none of it.
/// `entries` is where the journal has its operations, by number.
class journal_names {
  public:
    /// Notes an operation that was read again. Of several with one identity the last is found.
    void note(std::uint64_t number) { noted_.push_back(number); }

    template <class Entries>
    [[nodiscard]] std::optional<std::uint64_t> find(Entries const& entries, operation_ref id) {
        settle(entries);
        auto const found = numbers_.find(id);
        if (found == numbers_.end()) return std::nullopt;
        return found->second;
    }

    /// Adds one whose identity was not found. Throws: std::bad_alloc; then nothing has changed.
    void add(operation_ref id, std::uint64_t number) { numbers_.emplace(id, number); }

    /// Takes one out that is about to leave the entries.
    void remove(operation_ref id, std::uint64_t number) noexcept {
        auto const found = numbers_.find(id);
        if (found != numbers_.end() && found->second == number) numbers_.erase(found);
    }

  private:
    template <class Entries>
    void settle(Entries const& entries) {
        for (auto const number : noted_)
            if (auto const found = entries.find(number); found != entries.end())
                numbers_.insert_or_assign(found->second.id, number);
        noted_.clear();
    }

    std::vector<std::uint64_t> noted_{};  ///< some may have left the entries since
    std::map<operation_ref, std::uint64_t, identity_order> numbers_{};
};

}  // namespace recoup::inline v1::detail
