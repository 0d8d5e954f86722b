// SPDX-License-Identifier: BSL-1.0
#pragma once

// Stores that count, fail and stand for what a crash left behind.

#include <recoup/store/memory_store.hpp>
#include <recoup/store/persistence_policy.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace recoup_test {

/// A key that every call shares.
inline auto const one_key = [](auto const&...) { return 1; };

/// Worth another attempt.
inline auto const reset = std::make_error_code(std::errc::connection_reset);

/// A memory store that notes every call, and fails those that it is told to.
class scripted_store {
  public:
    /// The calls so far: `load`, `save`, `erase`.
    std::vector<std::string> calls{};
    /// Asked before each call with its number, from 1: the error to fail with, if any.
    std::function<std::optional<recoup::store_errc>(std::size_t)> fails{};
    /// Whether `may_contain` may say no.
    bool filters = true;
    recoup::memory_store inner{};

    recoup::result<std::optional<recoup::record>> load(recoup::operation_ref id,
                                                       recoup::duration at_most) {
        if (auto const error = note("load")) return failed(*error);
        return inner.load(id, at_most);
    }
    recoup::result<std::uint64_t> save(recoup::record const& what, recoup::duration at_most) {
        if (auto const error = note("save")) return failed(*error);
        return inner.save(what, at_most);
    }
    recoup::result<void> erase(recoup::operation_ref id, std::uint64_t revision,
                               recoup::duration at_most) {
        if (auto const error = note("erase")) return failed(*error);
        return inner.erase(id, revision, at_most);
    }
    recoup::result<std::vector<recoup::record>> list(recoup::record_filter const& filter) const {
        return inner.list(filter);
    }
    recoup::result<std::size_t> clean_up(recoup::system_time now, std::size_t most) {
        return inner.clean_up(now, most);
    }
    [[nodiscard]] bool may_contain(recoup::operation_ref id) const noexcept {
        return !filters || inner.may_contain(id);
    }
    [[nodiscard]] recoup::durability durability() const noexcept {
        return recoup::durability::none;
    }

  private:
    static recoup::failure failed(recoup::store_errc error) {
        return recoup::failure{category_of(error), make_error_code(error)};
    }
    std::optional<recoup::store_errc> note(char const* call) {
        calls.emplace_back(call);
        return fails ? fails(calls.size()) : std::nullopt;
    }
};
static_assert(recoup::persistence_policy<scripted_store>);

/// All records of a store.
template <class Store>
std::vector<recoup::record> records(Store& store) {
    return store.list(recoup::record_filter{}).value();
}

/// What a process that died at this moment leaves behind: the records, in a store of their own.
template <class Store>
std::unique_ptr<recoup::memory_store> crashed(Store& store) {
    auto left = std::make_unique<recoup::memory_store>();
    for (auto what : records(store)) {
        what.revision = 0;
        left->save(what).value();
    }
    return left;
}

/// The one record of a store.
template <class Store>
recoup::record only_record(Store& store) {
    auto all = records(store);
    if (all.size() != 1)
        throw std::logic_error{"the store holds " + std::to_string(all.size()) + " records"};
    return all.front();
}

}  // namespace recoup_test
