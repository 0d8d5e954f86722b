// SPDX-License-Identifier: BSL-1.0
// expect: recoup: a callable must not return an rvalue reference; return the value
#include <recoup/recoup.hpp>

#include <string>

std::string text;

recoup::result<std::string&> control() { return text; }

#ifdef MISUSE
recoup::result<std::string&&> misuse() { return std::move(text); }
#endif
