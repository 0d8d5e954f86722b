// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/failure.hpp>
#include <recoup/core/result.hpp>
#include <recoup/core/returns.hpp>

#include <exception>
#include <system_error>

#if defined(__GLIBCXX__)
#include <cxxabi.h>
#endif

namespace recoup::inline v1::detail {

/// Never thrown.
struct nothing_passes {};

/// What an attempt gives; whatever it throws becomes a failure, but a `Passes`, which goes on.
template <class Result, class Passes = nothing_passes, class Attempt>
[[gnu::always_inline]] inline Result guarded_call(Attempt&& attempt_once) {
    try {
        return attempt_once();
    } catch (Passes const&) {
        throw;
    } catch (recovery_error const& caught) {
        return Result{in_place<failure>{}, caught.failure()};
    } catch (std::system_error const& caught) {
        return Result{in_place<failure>{}, failure{std::current_exception(), caught.code()}};
    }
#if defined(__GLIBCXX__)
    catch (abi::__forced_unwind&) {
        throw;  // the thread is being cancelled, which nobody may stop
    }
#endif
    catch (...) {
        return Result{in_place<failure>{}, failure{std::current_exception()}};
    }
}

}  // namespace recoup::inline v1::detail
