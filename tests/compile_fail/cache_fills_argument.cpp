// SPDX-License-Identifier: BSL-1.0
// expect: recoup: a result from the cache fills no arguments in
#include <recoup/guard/cache.hpp>
#include <recoup/recoup.hpp>

#include <string>

int fetch(std::string const& url);
int fill(std::string& into);

recoup::cache<std::string, int> pages;
std::string url;

auto const control = recoup::with_recovery(fetch, pages)(url);

#ifdef MISUSE
auto const misuse = recoup::with_recovery(fill, pages)(url);
#endif
