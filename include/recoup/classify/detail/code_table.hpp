// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/category.hpp>

#include <cstddef>
#include <cstdint>
#include <system_error>
#include <vector>

namespace recoup::inline v1::detail {

/// What a rule says, and its place among the rules: the lowest rank that matches wins.
struct ranked_category {
    std::uint32_t rank = UINT32_MAX;
    recoup::category category = recoup::category::unknown;

    [[nodiscard]] constexpr bool found() const noexcept { return rank != UINT32_MAX; }
};

/// A hash table from error codes, or conditions, to what a rule says: flat, open addressing.
class code_table {
  public:
    [[nodiscard]] bool empty() const noexcept { return used_ == 0; }

    /// What was put in for the code `value` of `domain`.
    [[nodiscard]] ranked_category find(std::error_category const& domain,
                                       int value) const noexcept {
        if (slots_.empty()) return {};
        auto const mask = slots_.size() - 1;
        // At least half of the slots are empty, which ends the search.
        for (auto i = hash(domain, value) & mask; slots_[i].domain; i = (i + 1) & mask)
            if (slots_[i].domain == &domain && slots_[i].value == value) return slots_[i].to;
        return {};
    }

    /// Puts a rule in; one for the same code keeps its rank and takes the new category.
    void put(std::error_category const& domain, int value, ranked_category to) {
        if (used_ * 2 >= slots_.size()) grow();
        auto& found = slot(domain, value);
        if (found.domain) {
            found.to.category = to.category;
        } else {
            found = {&domain, value, to};
            ++used_;
        }
    }

  private:
    struct entry {
        std::error_category const* domain = nullptr;
        int value = 0;
        ranked_category to{};
    };

    static std::size_t hash(std::error_category const& domain, int value) noexcept {
        auto mixed = reinterpret_cast<std::uintptr_t>(&domain) ^
                     (std::uint64_t{static_cast<unsigned>(value)} << 32U);
        mixed *= 0x9E3779B97F4A7C15ULL;
        return static_cast<std::size_t>(mixed ^ (mixed >> 32U));
    }

    entry& slot(std::error_category const& domain, int value) noexcept {
        auto const mask = slots_.size() - 1;
        auto i = hash(domain, value) & mask;
        while (slots_[i].domain && !(slots_[i].domain == &domain && slots_[i].value == value))
            i = (i + 1) & mask;
        return slots_[i];
    }

    void grow() {
        auto former = std::vector<entry>(slots_.empty() ? 8 : slots_.size() * 2);
        former.swap(slots_);
        for (auto const& each : former)
            if (each.domain) slot(*each.domain, each.value) = each;
    }

    std::vector<entry> slots_;
    std::size_t used_ = 0;
};

}  // namespace recoup::inline v1::detail
