// SPDX-License-Identifier: BSL-1.0
// expect: recoup: this error type cannot become a recoup::failure
#include <recoup/recoup.hpp>

#include <boost/outcome/basic_result.hpp>
#include <boost/outcome/policy/all_narrow.hpp>

#include <system_error>

namespace outcome = boost::outcome_v2;

struct opaque {
    int code = 0;
};

template <class Error>
using narrow = outcome::basic_result<int, Error, outcome::policy::all_narrow>;

narrow<std::errc> known();
narrow<opaque> unknown();

auto const control = recoup::with_recovery(known)();

#ifdef MISUSE
auto const misuse = recoup::with_recovery(unknown)();
#endif
