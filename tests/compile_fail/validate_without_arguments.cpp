// SPDX-License-Identifier: BSL-1.0
// expect: recoup: the callable cannot be called with the arguments of this validation
#include <recoup/validation.hpp>

#include <string>

int fetch(std::string const& url);

auto const control = recoup::validation::validator{}.with("http://example.test/")(fetch);

#ifdef MISUSE
auto const misuse = recoup::validation::validate(fetch);
#endif
