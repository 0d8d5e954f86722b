// SPDX-License-Identifier: BSL-1.0
// expect: recoup: these arguments are not the key of the cache
#include <recoup/guard/cache.hpp>
#include <recoup/recoup.hpp>

#include <string>

struct request {
    std::string path;
};
int fetch(request const& asked);

recoup::cache<std::string, int> pages;

auto const control = recoup::with_recovery(
    fetch, pages.by([](request const& asked) { return asked.path; }))(request{"a"});

#ifdef MISUSE
auto const misuse = recoup::with_recovery(fetch, pages)(request{"a"});
#endif
