// SPDX-License-Identifier: BSL-1.0
// expect: recoup: a cache returns results again, and this callable returns none
#include <recoup/guard/cache.hpp>
#include <recoup/recoup.hpp>

#include <string>

std::string fetch(std::string const& url);
void send(std::string const& url);

recoup::cache<std::string, std::string> pages;

auto const control = recoup::with_recovery(fetch, pages)("url");

#ifdef MISUSE
auto const misuse = recoup::with_recovery(send, pages)("url");
#endif
