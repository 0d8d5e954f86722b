// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <boost/outcome/basic_result.hpp>
#include <boost/outcome/policy/all_narrow.hpp>

#include <cstdint>
#include <system_error>

// What the benchmarks call: functions of another translation unit, so that no compiler can see that
// they do nothing, and so that bare, hand-written and recovered calls all pay for the same call.

namespace bench {

/// An answer, or an error code: what a good engineer's function returns, and nothing of recoup's.
using reply = boost::outcome_v2::basic_result<std::uint64_t, std::error_code,
                                              boost::outcome_v2::policy::all_narrow>;

/// A function that has no error to tell but by throwing.
std::uint64_t answer(std::uint64_t question);

/// A function that returns its error as a value; this one never has one.
reply answer_or_error(std::uint64_t question);

/// Fails the first of every two calls with a reset connection.
class fails_once {
  public:
    reply operator()(std::uint64_t question);

  private:
    bool failed_ = false;
};

/// The same, by throwing `std::system_error`.
class throws_once {
  public:
    std::uint64_t operator()(std::uint64_t question);

  private:
    bool failed_ = false;
};

/// Always fails with a reset connection.
reply always_down(std::uint64_t question);

}  // namespace bench
