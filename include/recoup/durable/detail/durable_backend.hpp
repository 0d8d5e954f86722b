// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/alarm.hpp>
#include <recoup/core/category.hpp>
#include <recoup/core/clock.hpp>
#include <recoup/core/errc.hpp>
#include <recoup/core/failure.hpp>
#include <recoup/core/result.hpp>
#include <recoup/durable/apply_request.hpp>
#include <recoup/guard/detail/alarm_thread.hpp>
#include <recoup/store/durable_store.hpp>
#include <recoup/store/operation_request.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

// A store and a clock without their types, so that `recoup::operation` is a plain class.

namespace recoup::inline v1::detail {

/// Writes rows in a store's transaction, which it is given as a pointer; returns the step's row.
using transaction_body = std::function<result<step_record>(void*)>;

/// A model of `durable_store`, whatever its type. The members are the store's.
class durable_backend {
  public:
    durable_backend() = default;
    durable_backend(durable_backend const&) = delete;
    durable_backend& operator=(durable_backend const&) = delete;
    virtual ~durable_backend() = default;

    virtual result<std::uint64_t> enter(std::string const& who, duration lease) = 0;
    virtual result<std::vector<std::uint64_t>> renew(std::uint64_t owner, duration lease) = 0;
    virtual result<void> leave(std::uint64_t owner) = 0;
    virtual result<started_operation> start(operation_record const& head, std::uint64_t owner) = 0;
    virtual result<std::vector<operation_record>> claim(claim_request const& request) = 0;
    virtual result<operation_record> take(std::uint64_t number, std::uint64_t epoch,
                                          std::uint64_t owner) = 0;
    virtual result<write_receipt> write(operation_write const& what) = 0;
    virtual result<void> request_cancel(std::uint64_t number) = 0;
    virtual result<std::optional<operation_record>> find(operation_ref id) = 0;
    virtual result<std::vector<operation_record>> operations(operation_filter const& filter) = 0;
    virtual result<std::vector<step_record>> steps(std::uint64_t number) = 0;
    virtual result<std::size_t> clean_up(system_time now, std::size_t most) = 0;

    /// What the store's transactions are; null where it has none.
    [[nodiscard]] virtual std::type_info const* transaction_type() const noexcept = 0;
    /// Pre: the body takes a pointer to a `transaction_type()`.
    virtual result<write_receipt> transact(std::uint64_t number, std::uint64_t epoch,
                                           transaction_body const& body) = 0;
    /// What others have left for the owner of the store to do; nothing where it has no such place.
    virtual result<std::vector<operation_request>> requests() = 0;
    virtual result<void> apply(operation_request const& request, std::uint64_t owner,
                               system_time now) = 0;
};

template <class Store>
concept transactional_store = requires { typename Store::transaction; };

template <class Store>
concept requested_store = requires(Store& store) {
    { store.requests() } -> std::same_as<result<std::vector<operation_request>>>;
};

template <durable_store Store>
class backend_of final : public durable_backend {
  public:
    explicit backend_of(std::shared_ptr<Store> store) noexcept : store_{std::move(store)} {}

    result<std::uint64_t> enter(std::string const& who, duration lease) override {
        return store_->enter(who, lease);
    }
    result<std::vector<std::uint64_t>> renew(std::uint64_t owner, duration lease) override {
        return store_->renew(owner, lease);
    }
    result<void> leave(std::uint64_t owner) override { return store_->leave(owner); }
    result<started_operation> start(operation_record const& head, std::uint64_t owner) override {
        return store_->start(head, owner, unlimited);
    }
    result<std::vector<operation_record>> claim(claim_request const& request) override {
        return store_->claim(request);
    }
    result<operation_record> take(std::uint64_t number, std::uint64_t epoch,
                                  std::uint64_t owner) override {
        return store_->take(number, epoch, owner);
    }
    result<write_receipt> write(operation_write const& what) override {
        return store_->write(what, unlimited);
    }
    result<void> request_cancel(std::uint64_t number) override {
        return store_->request_cancel(number);
    }
    result<std::optional<operation_record>> find(operation_ref id) override {
        return store_->find(id, unlimited);
    }
    result<std::vector<operation_record>> operations(operation_filter const& filter) override {
        return store_->operations(filter);
    }
    result<std::vector<step_record>> steps(std::uint64_t number) override {
        return store_->steps(number, unlimited);
    }
    result<std::size_t> clean_up(system_time now, std::size_t most) override {
        return store_->clean_up(now, most);
    }

    [[nodiscard]] std::type_info const* transaction_type() const noexcept override {
        if constexpr (transactional_store<Store>)
            return &typeid(typename Store::transaction);
        else
            return nullptr;
    }
    result<write_receipt> transact([[maybe_unused]] std::uint64_t number,
                                   [[maybe_unused]] std::uint64_t epoch,
                                   [[maybe_unused]] transaction_body const& body) override {
        if constexpr (transactional_store<Store>) {
            using transaction = typename Store::transaction;
            return store_->transact(
                number, epoch,
                [&](transaction& current) -> result<step_record> { return body(&current); },
                unlimited);
        } else {
            return failure{category::configuration, errc::not_transactional};
        }
    }
    result<std::vector<operation_request>> requests() override {
        if constexpr (requested_store<Store>)
            return store_->requests();
        else
            return std::vector<operation_request>{};
    }
    result<void> apply(operation_request const& request, std::uint64_t owner,
                       system_time now) override {
        return apply_request(*store_, request, owner, now);
    }

  private:
    std::shared_ptr<Store> store_;
};

/// A clock, whatever its type; itself a model of `clock`.
class any_clock {
  public:
    any_clock() = default;
    any_clock(any_clock const&) = delete;
    any_clock& operator=(any_clock const&) = delete;
    virtual ~any_clock() = default;
    [[nodiscard]] virtual steady_time now() const noexcept = 0;
    [[nodiscard]] virtual steady_time coarse_now() const noexcept = 0;
    [[nodiscard]] virtual system_time system_now() const noexcept = 0;
    virtual bool wait_until(steady_time when, std::stop_token const& stop) = 0;
    virtual std::uint64_t random() noexcept = 0;
    virtual void set(alarm& one) = 0;
    virtual void forget(alarm& one) noexcept = 0;
};

static_assert(alarm_clock<any_clock>);

template <clock Clock>
class clock_of final : public any_clock {
  public:
    explicit clock_of(Clock& port) noexcept : port_{&port} {}
    [[nodiscard]] steady_time now() const noexcept override { return port_->now(); }
    [[nodiscard]] steady_time coarse_now() const noexcept override { return port_->coarse_now(); }
    [[nodiscard]] system_time system_now() const noexcept override { return port_->system_now(); }
    bool wait_until(steady_time when, std::stop_token const& stop) override {
        return port_->wait_until(when, stop);
    }
    std::uint64_t random() noexcept override { return port_->random(); }
    void set([[maybe_unused]] alarm& one) override {
        if constexpr (has_alarms<Clock>)
            set_alarm(*port_, one);
        else
            throw recovery_error{failure{category::configuration,
                                         "the clock of the durable operations has no alarms, and "
                                         "attempt_timeout needs one"}};
    }
    void forget([[maybe_unused]] alarm& one) noexcept override {
        if constexpr (has_alarms<Clock>) forget_alarm(*port_, one);
    }

  private:
    Clock* port_;
};

}  // namespace recoup::inline v1::detail
