// SPDX-License-Identifier: BSL-1.0
// expect: recoup: a recorded text is read as std::string; a view would dangle
#include <recoup/recoup.hpp>

#include <string>
#include <string_view>

auto control(recoup::attempt& attempt) { return attempt.checkpoint<std::string>(); }

#ifdef MISUSE
auto misuse(recoup::attempt& attempt) { return attempt.checkpoint<std::string_view>(); }
#endif
