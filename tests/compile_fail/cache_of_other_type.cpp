// SPDX-License-Identifier: BSL-1.0
// expect: recoup: this cache keeps values of another type than the callable returns
#include <recoup/guard/cache.hpp>
#include <recoup/recoup.hpp>

#include <string>

std::string fetch(int);

recoup::cache<int, std::string> pages;
recoup::cache<int, int> numbers;

auto const control = recoup::with_recovery(fetch, pages)(1);

#ifdef MISUSE
auto const misuse = recoup::with_recovery(fetch, numbers)(1);
#endif
