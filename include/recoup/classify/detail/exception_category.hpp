// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/classify/category_of.hpp>
#include <recoup/core/category.hpp>
#include <recoup/core/result.hpp>

#include <cerrno>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <typeinfo>
#include <utility>
#include <variant>

namespace recoup::inline v1::detail {

/// How many exceptions nested in one another are looked at.
inline constexpr unsigned nested_exceptions_max = 8;

/// What the built-in rules see in an exception.
struct exception_finding {
    recoup::category category = recoup::category::unknown;
    std::error_code code{};       ///< of a std::system_error
    std::exception_ptr nested{};  ///< where the exception itself says nothing
};

inline exception_finding look_inside(std::exception const& caught,
                                     std::error_code code = {}) noexcept {
    auto const* const outer = dynamic_cast<std::nested_exception const*>(&caught);
    return {category::unknown, code, outer ? outer->nested_ptr() : nullptr};
}

// The order is that of derivation. Throws once, since only a handler can tell types apart.
[[gnu::cold, gnu::noinline]] inline exception_finding look_at(
    std::exception_ptr const& exception) noexcept {
    try {
        std::rethrow_exception(exception);
    } catch (recovery_error const& caught) {
        auto const& cause = caught.failure();
        return {cause.category(), cause.code(), nullptr};
    } catch (std::system_error const& caught) {
        auto const found = category_of(caught.code());
        if (found == category::unknown) return look_inside(caught, caught.code());
        return {found, caught.code(), nullptr};
    } catch (std::bad_array_new_length const&) {
        return {category::invalid_input};
    } catch (std::bad_alloc const&) {
        return {category::out_of_memory};
    } catch (std::invalid_argument const&) {
        return {category::invalid_input};
    } catch (std::domain_error const&) {
        return {category::invalid_input};
    } catch (std::length_error const&) {
        return {category::invalid_input};
    } catch (std::out_of_range const&) {
        return {category::invalid_input};
    } catch (std::logic_error const&) {
        return {category::defect};
    } catch (std::range_error const&) {
        return {category::invalid_input};
    } catch (std::overflow_error const&) {
        return {category::invalid_input};
    } catch (std::underflow_error const&) {
        return {category::invalid_input};
    } catch (std::bad_cast const&) {  // std::bad_any_cast too
        return {category::defect};
    } catch (std::bad_typeid const&) {
        return {category::defect};
    } catch (std::bad_optional_access const&) {
        return {category::defect};
    } catch (std::bad_variant_access const&) {
        return {category::defect};
    } catch (std::bad_function_call const&) {
        return {category::defect};
    } catch (std::bad_weak_ptr const&) {
        return {category::defect};
    } catch (std::bad_exception const&) {
        return {category::defect};
    } catch (std::exception const& caught) {
        return look_inside(caught);
    } catch (std::nested_exception const& caught) {
        return {category::unknown, {}, caught.nested_ptr()};
    } catch (...) {
        return {};
    }
}

/// What kind of failure `exception`, or the first telling one nested in it, is.
[[gnu::cold, gnu::noinline]] inline category category_of_exception(
    std::exception_ptr exception) noexcept {
    for (auto depth = 0U; exception && depth != nested_exceptions_max; ++depth) {
        auto finding = look_at(exception);
        if (finding.category != category::unknown) return finding.category;
        exception = std::move(finding.nested);
    }
    return category::unknown;
}

/// What kind of failure `what` is by its code, where that alone tells.
inline category category_by_code(failure const& what) noexcept {
    auto const code = what.code();
    if (!code) return category::unknown;
    auto const found = category_of(code);
    // So throw std::thread, std::jthread and std::async where no thread is to be had; elsewhere the
    // same number says that something is busy.
    if (what.exception() && code.value() == EAGAIN && code.category() == std::generic_category())
        return category::cpu_exhausted;
    return found;
}

}  // namespace recoup::inline v1::detail
