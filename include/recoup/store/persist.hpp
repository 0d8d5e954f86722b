// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>
#include <recoup/store/detail/session.hpp>
#include <recoup/store/detail/slot_hash.hpp>
#include <recoup/store/persist_options.hpp>
#include <recoup/store/persistence_policy.hpp>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace recoup::inline v1 {

/// Remembers an operation in a store. Made by `persist`.
template <persistence_policy Store, class Key>
class persistence {
  public:
    using is_persistence = void;
    template <class Driver, class Result>
    using session = detail::session<persistence, Driver, Result>;

    persistence(std::shared_ptr<Store> store, persist_options options, Key key)
        : store_{std::move(store)}, options_{std::move(options)}, key_{std::move(key)} {
        if (options_.name.empty() || !valid_identifier(options_.name) ||
            !valid_identifier(options_.space))
            throw std::invalid_argument{
                "recoup: the name given to persist must be 1 to 512 bytes of printable UTF-8"};
        hash_of_name_ = detail::slot_hash_of_name(options_.space, options_.name);
    }

    [[nodiscard]] Store& store() const noexcept { return *store_; }
    [[nodiscard]] persist_options const& options() const noexcept { return options_; }
    [[nodiscard]] Key const& key() const noexcept { return key_; }
    [[nodiscard]] std::uint64_t hash_of_name() const noexcept { return hash_of_name_; }

    /// What happens when the store fails: what was chosen, else what suits `when`.
    [[nodiscard]] on_store_failure when_store_fails() const noexcept {
        return options_.on_store_failure.value_or(options_.when == persist_when::start
                                                      ? on_store_failure::stop
                                                      : on_store_failure::proceed);
    }

    /// What is recorded, and when: for `explain`.
    [[nodiscard]] std::string record_text() const {
        auto const* when = options_.when == persist_when::start ? "before the first attempt"
                                                                : "at the first failure";
        auto const* kept = options_.retain > duration{} ? "; a result is kept" : "";
        return std::string{"attempts, budget, due time, token and checkpoint, from "} + when + kept;
    }

  private:
    std::shared_ptr<Store> store_;
    persist_options options_;
    Key key_;
    std::uint64_t hash_of_name_ = 0;
};

/// Remembers attempts, budget, due time, token and checkpoint in `store`, so that the same call after
/// a crash goes on instead of starting over.
///
/// `key(args…)` sees the call's arguments and names the operation among those of one name: it returns
/// text or an integer. The store must outlive the wrapper, and where the callable is a coroutine its execution
/// context, which calls it on threads of its own (`store_threads`).
/// Example: `persist(store, "download-model", [](auto const& url, auto const&) { return url; })`.
template <persistence_policy Store, class Key>
[[nodiscard]] auto persist(Store& store, persist_options options, Key&& key) {
    // A shared pointer that owns nothing: one type serves both ways of passing a store.
    return persistence<Store, std::decay_t<Key>>{
        std::shared_ptr<Store>{std::shared_ptr<void>{}, &store}, std::move(options),
        std::forward<Key>(key)};
}
// The name is a template's parameter, so that `{.name = …}` is never taken for a std::string's.
template <persistence_policy Store, std::convertible_to<std::string> Name, class Key>
[[nodiscard]] auto persist(Store& store, Name&& name, Key&& key) {
    return persist(store, persist_options{.name = std::forward<Name>(name)},
                   std::forward<Key>(key));
}

/// The same with a store that the wrapper and its copies own together.
template <persistence_policy Store, class Key>
[[nodiscard]] auto persist(std::shared_ptr<Store> store, persist_options options, Key&& key) {
    return persistence<Store, std::decay_t<Key>>{std::move(store), std::move(options),
                                                 std::forward<Key>(key)};
}
template <persistence_policy Store, std::convertible_to<std::string> Name, class Key>
[[nodiscard]] auto persist(std::shared_ptr<Store> store, Name&& name, Key&& key) {
    return persist(std::move(store), persist_options{.name = std::forward<Name>(name)},
                   std::forward<Key>(key));
}

}  // namespace recoup::inline v1
