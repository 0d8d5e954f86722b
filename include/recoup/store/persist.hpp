// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/record_settings.hpp>
#include <recoup/store/detail/session.hpp>
#include <recoup/store/persist_options.hpp>
#include <recoup/store/persistence_policy.hpp>

#include <concepts>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace recoup::inline v1 {

/// Remembers an operation in a store. Made by `persist`.
template <persistence_policy Store, class Key>
class persistence {
  public:
    using is_persistence = void;
    using store_type = Store;
    template <class Driver, class Result>
    using session = detail::session<persistence, Driver, Result>;

    persistence(std::shared_ptr<Store> store, persist_options options, Key key)
        : settings_{std::move(store), std::move(options)}, key_{std::move(key)} {}

    [[nodiscard]] Store& store() const noexcept { return settings_.store(); }
    [[nodiscard]] persist_options const& options() const noexcept { return settings_.options(); }
    /// All but the key: for those who know no callable.
    [[nodiscard]] detail::record_settings<Store> const& settings() const noexcept {
        return settings_;
    }
    [[nodiscard]] Key const& key() const noexcept { return key_; }

    /// What happens when the store fails: what was chosen, else what suits `when`.
    [[nodiscard]] on_store_failure when_store_fails() const noexcept {
        return settings_.when_store_fails();
    }

    /// What is recorded, and when: for `explain`.
    [[nodiscard]] std::string record_text() const { return settings_.text(); }

  private:
    detail::record_settings<Store> settings_;
    Key key_;
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
