// SPDX-License-Identifier: BSL-1.0
// expect: recoup: the function given to cache.by makes no key of this cache
#include <recoup/guard/cache.hpp>
#include <recoup/recoup.hpp>

#include <string>

int fetch(std::string const& url);

recoup::cache<std::string, int> pages;

auto const control =
    recoup::with_recovery(fetch, pages.by([](std::string const& url) { return url; }))("url");

#ifdef MISUSE
auto const misuse =
    recoup::with_recovery(fetch, pages.by([](std::string const& url) { return &url; }))("url");
#endif
