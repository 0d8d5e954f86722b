// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/clock.hpp>
#include <recoup/core/event.hpp>
#include <recoup/core/on.hpp>
#include <recoup/core/result.hpp>
#include <recoup/detail/policy_set.hpp>
#include <recoup/durable/defined_operation.hpp>
#include <recoup/durable/detail/operations_core.hpp>
#include <recoup/durable/operation.hpp>
#include <recoup/durable/operations_options.hpp>
#include <recoup/store/durable_store.hpp>

#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace recoup::inline v1 {

namespace detail {
/// Stands for a signature that the body itself tells.
struct signature_of_body {};
}  // namespace detail

/// Durable operations on a store: a crash in the middle resumes at the first step without a recorded
/// result.
///
/// Each step's result is recorded at most once. A step's body runs at least once, or at most once where
/// the user asks for that (`in_doubt::stop`). What `step_tx` writes happens exactly once. Other effects are
/// once only if their target honours the idempotency token. Where the store does not take a record, nothing
/// goes on without it.
///
/// It is the owner of what it runs. Destroying it asks what still runs to end, waits
/// `operations_options::drain` at most, and tells observers of what is left (`operation_left`). For a call
/// of the store that does not return it waits as long again: a store whose calls may hang is given as a
/// shared pointer, which such a call keeps alive.
/// Thread safety: all members may be called concurrently, but `define` only before what it defines is run.
class operations {
  public:
    /// On a store, which must outlive it; with options, `on(clock)` and observers, in any order.
    template <durable_store Store, class... Extra>
    explicit operations(Store& store, Extra&&... extra)
        // A shared pointer that owns nothing: one type serves both ways of passing a store.
        : operations{std::shared_ptr<Store>{std::shared_ptr<void>{}, &store},
                     std::forward<Extra>(extra)...} {}
    template <durable_store Store, class... Extra>
    operations(Store& store, operations_options options, Extra&&... extra)
        : operations{std::shared_ptr<Store>{std::shared_ptr<void>{}, &store}, std::move(options),
                     std::forward<Extra>(extra)...} {}

    /// On a store that it owns together with others.
    template <durable_store Store, class... Extra>
    explicit operations(std::shared_ptr<Store> store, Extra&&... extra)
        : operations{std::move(store), operations_options{}, std::forward<Extra>(extra)...} {}
    template <durable_store Store, class... Extra>
    operations(std::shared_ptr<Store> store, operations_options options, Extra&&... extra)
        : core_{make_core(std::make_unique<detail::backend_of<Store>>(std::move(store)),
                          std::move(options), std::forward<Extra>(extra)...)} {}

    operations(operations const&) = delete;
    operations& operator=(operations const&) = delete;
    ~operations() {
        core_->shutdown(core_->options().drain);
        core_->close(core_->options().drain);
    }

    /// Names a body, which records are continued by: `R body(recoup::operation&, Args…)`.
    ///
    /// The arguments are stored decayed. Any callable with one signature will do; a generic one is given
    /// its signature: `define<R(Args…)>(name, body)`. The body is called concurrently, for different keys.
    /// Returns: what runs it.
    /// Throws: std::invalid_argument where the name is not valid, or defined already.
    template <class Signature = detail::signature_of_body, class Body>
    auto define(std::string name, Body&& body) {
        return define<Signature>(std::move(name), operation_options{}, std::forward<Body>(body));
    }
    template <class Signature = detail::signature_of_body, class Body>
    auto define(std::string name, operation_options options, Body&& body) {
        if constexpr (!std::same_as<Signature, detail::signature_of_body>) {
            return define_as<Signature>(std::move(name), std::move(options),
                                        std::forward<Body>(body));
        } else if constexpr (detail::has_signature<Body>) {
            using found = detail::without_operation<detail::signature_of_t<Body>>;
            static_assert(found::fits,
                          "recoup: the body of an operation takes recoup::operation& first");
            if constexpr (found::fits)
                return define_as<typename found::type>(std::move(name), std::move(options),
                                                       std::forward<Body>(body));
        } else {
            static_assert(detail::has_signature<Body>,
                          "recoup: the body of an operation must not be generic, for its arguments "
                          "are read from records: spell out its parameters, or write "
                          "define<R(Args...)>(name, body)");
        }
    }

    /// Takes up what a crash or a shutdown left behind and what is due, as far as it is defined here, and
    /// runs it to its end, on up to `operations_options::threads` threads.
    resume_report resume() { return core_->resume(); }

    /// Lets a thread look for what is left behind or due from now on, until the shutdown.
    void resume_async() { core_->resume_async(); }

    /// Wants an operation to end. One that runs is stopped at its next step; its steps are undone where
    /// they say how. One that is stored is ended here, if it is defined here, else by whoever claims it.
    ///
    /// An operation that is blocked and of another version ends without being undone.
    /// Returns: `errc::no_such_operation`, or `errc::request_refused` where it has ended.
    result<void> cancel(std::string const& name, std::string const& key) {
        return core_->cancel(name, key);
    }

    /// Makes an operation pending that is dead, blocked, failed, cancelled or asleep: for the next `run`
    /// or `resume`. A step that is in doubt will be run again.
    result<void> retry(std::string const& name, std::string const& key) {
        return request(operation_request::kind::retry, name, key, {});
    }

    /// Lets a blocked operation go on as one of `version`.
    result<void> accept(std::string const& name, std::string const& key, std::string version) {
        return request(operation_request::kind::accept, name, key, std::move(version));
    }

    /// The operations of this namespace that match, as they are recorded.
    [[nodiscard]] result<std::vector<operation_record>> list(operation_filter filter = {}) const {
        filter.space = core_->options().space;
        return core_->ports().with_store(
            [&](detail::durable_backend& store) { return store.operations(filter); });
    }

    /// One operation, as it is recorded.
    [[nodiscard]] result<std::optional<operation_record>> find(std::string const& name,
                                                               std::string const& key) const {
        auto const id = operation_id{core_->options().space, name, key};
        return core_->ports().with_store(
            [&](detail::durable_backend& store) { return store.find(id); });
    }

    /// Its steps in the order in which they began, with their attempts and failures.
    [[nodiscard]] result<std::vector<step_record>> history(std::string const& name,
                                                           std::string const& key) const {
        auto found = core_->find_existing({core_->options().space, name, key});
        if (!found.has_value()) return std::move(found).assume_error();
        return core_->ports().with_store([&](detail::durable_backend& store) {
            return store.steps(found.assume_value().number);
        });
    }

    /// Removes operations and records that have ended and expired. Returns: how many.
    result<std::size_t> clean_up(std::size_t most = 1000) {
        auto const now = core_->ports().clock().system_now();
        return core_->ports().with_store(
            [&](detail::durable_backend& store) { return store.clean_up(now, most); });
    }

    /// Renews the lease, sees cancellations, applies requests, and gives back or ends what could not be
    /// while the store failed: once, for programs that have set `operations_options::housekeeping` to false.
    /// At least every third of a lease.
    void keep_house() { core_->keep_house(false); }

    /// Begins nothing more, asks what runs to end, and waits for that.
    ///
    /// What is not at its end stays recorded as pending. Returns: what still runs.
    shutdown_report shutdown(duration at_most) { return core_->shutdown(at_most); }

  private:
    template <class... Extra>
    static std::shared_ptr<detail::operations_core> make_core(
        std::unique_ptr<detail::durable_backend> store, operations_options options,
        Extra&&... extra) {
        std::unique_ptr<detail::any_clock> clock;
        std::vector<detail::durable_ports::observer_function> observers;
        auto const sort = [&]<class Held>(Held&& held) {
            using policy = typename std::remove_cvref_t<Held>::policy_type;
            constexpr auto kind = detail::kind_of<policy>;
            static_assert(
                kind == detail::policy_kind::clock || kind == detail::policy_kind::observer,
                "recoup: operations takes options, recoup::on(clock) and observers");
            if constexpr (kind == detail::policy_kind::clock) {
                using port = std::remove_cvref_t<decltype(*held.get().port)>;
                clock = std::make_unique<detail::clock_of<port>>(*held.get().port);
            } else if constexpr (kind == detail::policy_kind::observer) {
                auto const kept =
                    std::make_shared<std::remove_cvref_t<Held>>(std::forward<Held>(held));
                observers.emplace_back([kept](event const& what) { kept->get()(what); });
            }
        };
        std::apply([&](auto&&... held) { (sort(std::move(held)), ...); },
                   std::tuple_cat(detail::hold(std::forward<Extra>(extra))...));
        if (!clock) clock = std::make_unique<detail::clock_of<real_clock>>(detail::machine_clock);
        return std::make_shared<detail::operations_core>(
            std::make_shared<detail::durable_ports>(std::move(store), std::move(clock),
                                                    std::move(observers)),
            std::move(options));
    }

    template <class Signature, class Body>
    auto define_as(std::string name, operation_options options, Body&& body) {
        auto what = std::make_shared<detail::definition_of<Signature, std::decay_t<Body>>>(
            std::move(name), std::move(options), std::forward<Body>(body));
        core_->define(what);
        return defined_operation<typename detail::operation_signature<Signature>::plain>{
            core_, std::move(what)};
    }

    result<void> request(operation_request::kind what, std::string const& name,
                         std::string const& key, std::string text) {
        auto found = core_->find_existing({core_->options().space, name, key});
        if (!found.has_value()) return std::move(found).assume_error();
        auto const& head = found.assume_value();
        return core_->request({what, head.number, std::move(text)}, head.id);
    }

    std::shared_ptr<detail::operations_core> core_;
};

}  // namespace recoup::inline v1
