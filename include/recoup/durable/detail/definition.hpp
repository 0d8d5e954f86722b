// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/returns.hpp>
#include <recoup/core/signature.hpp>
#include <recoup/durable/detail/arguments_codec.hpp>
#include <recoup/durable/detail/step_frame.hpp>
#include <recoup/durable/operation.hpp>
#include <recoup/durable/operations_options.hpp>

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace recoup::inline v1::detail {

/// What `define` was given, without its types: the only way from a record to code.
class definition {
  public:
    definition(std::string name, operation_options options)
        : name_{std::move(name)}, options_{std::move(options)} {}
    definition(definition const&) = delete;
    definition& operator=(definition const&) = delete;
    virtual ~definition() = default;

    [[nodiscard]] std::string const& name() const noexcept { return name_; }
    [[nodiscard]] operation_options const& options() const noexcept { return options_; }

    /// Whether these bytes are arguments of this operation.
    [[nodiscard]] virtual bool accepts(std::string_view input) const = 0;
    /// Runs the body. Returns: its result, encoded. Throws: operation_interrupted.
    virtual result<std::string> call(recoup::operation& current, std::string_view input) = 0;

  private:
    std::string const name_;
    operation_options const options_;
};

/// The parts of the signature of an operation: `R(Args…)`, as they are recorded.
template <class Signature>
struct operation_signature;
template <class R, class... Args>
struct operation_signature<R(Args...)> {
    using value = returned_value_t<R>;
    using arguments = std::tuple<std::decay_t<Args>...>;
    using parameters = std::tuple<Args...>;
    using plain = value(std::decay_t<Args>...);  ///< the same for all ways to say it
};

template <class Signature>
struct without_operation {
    static constexpr bool fits = false;
};
template <class R, class... Args>
struct without_operation<R(recoup::operation&, Args...)> {
    static constexpr bool fits = true;
    using type = R(Args...);
};

template <class Signature, class Body>
class definition_of final : public definition {
    using parts = operation_signature<Signature>;
    using value = typename parts::value;
    using arguments = typename parts::arguments;

  public:
    definition_of(std::string name, operation_options options, Body body)
        : definition{std::move(name), std::move(options)}, body_{std::move(body)} {
        require_result<value>();
    }

    [[nodiscard]] bool accepts(std::string_view input) const override {
        return decode_arguments(input, std::type_identity<arguments>{}).has_value();
    }

    result<std::string> call(recoup::operation& current, std::string_view input) override {
        auto args = decode_arguments(input, std::type_identity<arguments>{});
        if (!args)
            return failure{
                category::corruption, errc::value_unreadable,
                "the recorded arguments of an operation \"" + name() + "\" are of other types"};
        auto got = call_guarded<result<value>>([&]() -> decltype(auto) {
            return invoke(current, *args, std::make_index_sequence<std::tuple_size_v<arguments>>{});
        });
        if (!got.has_value()) {
            classify_by_default(got.assume_error());
            return std::move(got).assume_error();
        }
        return encode_result<value>(got);
    }

  private:
    template <std::size_t... I>
    decltype(auto) invoke(recoup::operation& current, arguments& args, std::index_sequence<I...>) {
        return std::invoke(body_, current,
                           static_cast<std::tuple_element_t<I, typename parts::parameters>&&>(
                               std::get<I>(args))...);
    }

    Body body_;
};

}  // namespace recoup::inline v1::detail
