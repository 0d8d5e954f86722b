// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/signature.hpp>
#include <recoup/durable/detail/step_frame.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace recoup::inline v1::detail {

/// A step that is recorded in a transaction together with rows of the body's own.
template <class Body>
class step_transaction {
    using parts = signature_parts<signature_of_t<Body>>;
    static_assert(parts::count == 1, "recoup: the body of step_tx takes the transaction alone");
    using parameter = std::tuple_element_t<0, typename parts::parameters>;
    static_assert(std::is_lvalue_reference_v<parameter>,
                  "recoup: the body of step_tx takes the transaction by reference");
    using transaction = std::remove_cvref_t<parameter>;

  public:
    using value = returned_value_t<typename parts::returned>;
    using outcome = result<value>;

    step_transaction(operation_run& run, step_options const& options, Body& body)
        : frame_{run, options}, body_{body} {}

    outcome run() {
        return frame_.run([] { return std::uint64_t{0}; }, [this] { return make(); });
    }

  private:
    outcome make() {
        auto& run = frame_.run_of();
        auto& row = frame_.row();
        auto fits =
            run.ports().with_store([](durable_backend& store) -> result<std::type_info const*> {
                return store.transaction_type();
            });
        if (!fits.has_value() || fits.assume_value() == nullptr ||
            *fits.assume_value() != typeid(transaction))
            return frame_.fail(failure{category::configuration, errc::not_transactional,
                                       "step " + frame_.shown() +
                                           " asks for a transaction of a type that the store does "
                                           "not have"});
        auto last = std::optional<outcome>{};
        auto written = run.write_step_tx(row, [&](void* at) -> result<step_record> {
            last.emplace(call_guarded<outcome>(
                [&]() -> decltype(auto) { return body_(*static_cast<transaction*>(at)); }));
            if (!last->has_value()) return last->assume_error();
            auto bytes = encode_result<value>(*last);
            if (!bytes.has_value()) {
                last.emplace(in_place<failure>{}, std::move(bytes).assume_error());
                return last->assume_error();
            }
            auto made = row;
            made.status = step_status::done;
            made.value = std::move(bytes).assume_value();
            made.updated = run.ports().clock().system_now();
            return made;
        });
        // The body's own failure rolled its rows back, and is no trouble of the store.
        if (last && !last->has_value()) return frame_.failed(*std::move(last), false);
        written = run.settle(std::move(written));
        if (!written.has_value()) return frame_.not_written(std::move(written).assume_error());
        run.remember(step_record{row});
        return frame_.recorded(*std::move(last));
    }

    step_frame<value> frame_;
    Body& body_;
};

}  // namespace recoup::inline v1::detail
