// SPDX-License-Identifier: BSL-1.0
// expect: recoup: a cache keeps values, and this callable returns a reference
#include <recoup/guard/cache.hpp>
#include <recoup/recoup.hpp>

#include <functional>
#include <string>

std::string fetch(int);
std::string& find(int);

recoup::cache<int, std::string> pages;
recoup::cache<int, std::reference_wrapper<std::string>> found;

auto const control = recoup::with_recovery(fetch, pages)(1);

#ifdef MISUSE
auto const misuse = recoup::with_recovery(find, found)(1);
#endif
