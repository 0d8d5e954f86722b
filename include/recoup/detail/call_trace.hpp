// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/ambient_trace.hpp>
#include <recoup/detail/policy_set.hpp>

#include <type_traits>
#include <utility>

namespace recoup::inline v1::detail {

/// The trace of one call, where its policies name one; else it has no size.
template <class Policies>
class call_trace {
  public:
    void ask(Policies const&) noexcept {}
    [[nodiscard]] trace_context const* own() const noexcept { return nullptr; }
    [[nodiscard]] trace_context const* own_or_ambient() const noexcept {
        return ambient_trace::current;
    }
};

template <class Policies>
    requires(Policies::template has<policy_kind::trace>)
class call_trace<Policies> {
    using policy = std::remove_cvref_t<
        decltype(std::declval<Policies const&>().template get<policy_kind::trace>())>;

  public:
    void ask(Policies const& policies) noexcept {
        policies.template get<policy_kind::trace>().ask(kept_);
    }
    [[nodiscard]] trace_context const* own() const noexcept { return kept_ ? &*kept_ : nullptr; }
    /// The same, or else that of the attempt that this call is made in.
    [[nodiscard]] trace_context const* own_or_ambient() const noexcept {
        return kept_ ? &*kept_ : ambient_trace::current;
    }

  private:
    typename policy::kept kept_{};
};

}  // namespace recoup::inline v1::detail
