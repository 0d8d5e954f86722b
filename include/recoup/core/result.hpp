// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/failure.hpp>

#include <boost/outcome/basic_result.hpp>
#include <boost/outcome/policy/base.hpp>

#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>

#if !defined(__cpp_exceptions)
#error "recoup needs exceptions: it catches those of the callables that it wraps"
#endif
#if !defined(__cpp_rtti)
#error "recoup needs RTTI: it tells exceptions apart by their types"
#endif

namespace recoup::inline v1 {

/// Thrown by `value()` of a failed result that has no exception of the callable's own.
class recovery_error : public std::system_error {
  public:
    explicit recovery_error(recoup::failure cause)
        : std::system_error{cause.code()},
          cause_{std::make_shared<recoup::failure const>(std::move(cause))},
          text_{std::make_shared<std::string const>(cause_->describe())} {}

    /// The failure, whole.
    [[nodiscard]] recoup::failure const& failure() const noexcept { return *cause_; }

    /// The line that streaming the failure prints.
    [[nodiscard]] char const* what() const noexcept override { return text_->c_str(); }

  private:
    // Shared, because copying an exception must not throw.
    std::shared_ptr<recoup::failure const> cause_;
    std::shared_ptr<std::string const> text_;
};

namespace detail {

[[noreturn, gnu::cold, gnu::noinline]] inline void throw_failure(failure const& cause) {
    if (cause.exception()) std::rethrow_exception(cause.exception());
    throw recovery_error{cause};
}

[[noreturn, gnu::cold, gnu::noinline]] inline void throw_no_failure() {
    throw std::logic_error{"recoup: error() of a result that holds a value"};
}

// A user's unqualified call with a result looks for functions in here, too: there must be none.
namespace adl_barrier {

/// What `result::value()` and `error()` do where there is none.
struct value_policy : boost::outcome_v2::policy::base {
    template <class Impl>
    static constexpr void wide_value_check(Impl&& self) {
        if (!base::_has_value(self)) throw_failure(base::_error(self));
    }
    template <class Impl>
    static constexpr void wide_error_check(Impl&& self) {
        if (!base::_has_error(self)) throw_no_failure();
    }
};

}  // namespace adl_barrier

template <class T>
struct result_value {
    static_assert(!std::is_same_v<std::remove_cv_t<T>, failure>,
                  "recoup: a callable must not return recoup::failure as its value; return "
                  "recoup::result<T> instead");
    static_assert(!std::is_rvalue_reference_v<T>,
                  "recoup: a callable must not return an rvalue reference; return the value");
    using type = std::remove_cv_t<T>;
};
template <class T>
struct result_value<T&> {
    using type = std::reference_wrapper<T>;
};
template <>
struct result_value<void> {
    using type = void;
};

}  // namespace detail

/// A value, or the failure that ended the operation. A Boost.Outcome result.
///
/// `value()` throws the callable's own exception where there was one, else `recovery_error`.
template <class T>
using result = boost::outcome_v2::basic_result<typename detail::result_value<T>::type, failure,
                                               detail::adl_barrier::value_policy>;

/// A result that holds nothing but success.
inline result<void> success() noexcept {
    return result<void>{boost::outcome_v2::in_place_type<void>};
}

}  // namespace recoup::inline v1
