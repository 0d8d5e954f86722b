// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/fingerprint.hpp>
#include <recoup/core/result.hpp>
#include <recoup/durable/detail/operations_core.hpp>
#include <recoup/durable/detail/step_frame.hpp>
#include <recoup/durable/operations_options.hpp>

#include <concepts>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace recoup::inline v1 {

/// An operation that was started, and goes on whether this object lives or not.
template <class Value>
class started_run {
  public:
    started_run(std::shared_ptr<detail::operations_core> core,
                std::shared_ptr<detail::started_call> call) noexcept
        : core_{std::move(core)}, call_{std::move(call)} {}

    /// Waits until it has ended; runs it on this thread where no other has begun with it.
    [[nodiscard]] result<Value> wait(run_options const& options = {}) const {
        auto got = core_->wait(*call_, options);
        if (!got.has_value()) return std::move(got).assume_error();
        return detail::decode_result<Value>(got.assume_value(), "an operation");
    }
    /// Whether it has ended.
    [[nodiscard]] bool ended() const noexcept { return call_->over().stop_requested(); }

  private:
    std::shared_ptr<detail::operations_core> core_;
    std::shared_ptr<detail::started_call> call_;
};

/// An operation by its definition: what `define` returns. Copies mean the same.
///
/// Thread safety: all members may be called concurrently. It must not be used after its `operations`.
template <class Signature>
class defined_operation {
    using parts = detail::operation_signature<Signature>;
    using arguments = typename parts::arguments;

  public:
    using value_type = typename parts::value;

    defined_operation(std::shared_ptr<detail::operations_core> core,
                      std::shared_ptr<detail::definition> what) noexcept
        : core_{std::move(core)}, definition_{std::move(what)} {}

    /// Runs the operation of this key, or joins it, or gives its recorded result.
    ///
    /// The same key with the same arguments waits for the operation that runs, here or in another process,
    /// or gives the result of its success while that is kept; with other arguments it is
    /// `errc::input_mismatch`. What a crash or a shutdown left behind is continued. After a failure or a
    /// cancellation it begins anew, with the steps that are recorded.
    ///
    /// Returns: what the body returns, flattened; a failure's `stopped()` says whether the body failed
    /// (`not_retryable`, or what a step said) or why the operation is not at its end: `store_failed`,
    /// `busy`, `blocked`, `dead`, `deadline`, `cancelled`, `shut_down`.
    template <class... Args>
        requires std::constructible_from<arguments, Args&&...>
    result<value_type> run(std::string_view key, Args&&... args) const {
        return run_with(run_options{}, key, std::forward<Args>(args)...);
    }

    /// The same, bounded: by a deadline, or a stop token.
    template <class... Args>
        requires std::constructible_from<arguments, Args&&...>
    result<value_type> run_with(run_options const& options, std::string_view key,
                                Args&&... args) const {
        auto call = make_call(key, std::forward<Args>(args)...);
        if (!call.has_value()) return std::move(call).assume_error();
        auto got = core_->run(definition_, std::move(call).assume_value(), options, nullptr);
        if (!got.has_value()) return std::move(got).assume_error();
        return detail::decode_result<value_type>(got.assume_value(), "an operation");
    }

    /// Records the operation of this key, and lets a thread of `operations` run it.
    ///
    /// Returns: once it is recorded, what can be waited for.
    template <class... Args>
        requires std::constructible_from<arguments, Args&&...>
    result<started_run<value_type>> start(std::string_view key, Args&&... args) const {
        auto call = make_call(key, std::forward<Args>(args)...);
        if (!call.has_value()) return std::move(call).assume_error();
        auto started = core_->start(definition_, std::move(call).assume_value());
        if (!started.has_value()) return std::move(started).assume_error();
        return started_run<value_type>{core_, std::move(started).assume_value()};
    }

    [[nodiscard]] std::string const& name() const noexcept { return definition_->name(); }

  private:
    friend class operation;

    template <class... Args>
    static result<detail::operation_call> make_call(std::string_view key, Args&&... args) {
        auto const owned = arguments(std::forward<Args>(args)...);
        try {
            return detail::operation_call{
                std::string{key}, detail::encode_arguments(owned),
                std::apply([](auto const&... one) { return detail::fingerprint_of(one...); },
                           owned)};
        } catch (std::bad_alloc const&) {
            throw;
        } catch (...) {  // a text that is not UTF-8 is no JSON, say
            return failure{std::current_exception()}.as(category::invalid_input);
        }
    }

    template <class... Args>
    result<value_type> run_in(detail::child_runner& runner, detail::operation_run& parent,
                              std::string_view key, Args&&... args) const {
        auto call = make_call(key, std::forward<Args>(args)...);
        if (!call.has_value()) return std::move(call).assume_error();
        auto const options = step_options{.name = "recoup:run " + name(), .id = std::string{key}};
        auto frame = detail::step_frame<value_type>{parent, options, true};
        return frame.run([&] { return call.assume_value().fingerprint; },
                         [&]() -> result<value_type> {
                             auto got =
                                 runner.run(definition_, call.assume_value(),
                                            run_options{.stop = parent.stop_token()}, &parent);
                             if (!got.has_value())
                                 return frame.failed(std::move(got).assume_error(), false);
                             auto bytes = std::move(got).assume_value();
                             auto read = detail::decode_result<value_type>(bytes, "an operation");
                             if (!read.has_value())
                                 return frame.fail(std::move(read).assume_error());
                             return frame.record(std::move(bytes), std::move(read));
                         });
    }

    std::shared_ptr<detail::operations_core> core_;
    std::shared_ptr<detail::definition> definition_;
};

}  // namespace recoup::inline v1
