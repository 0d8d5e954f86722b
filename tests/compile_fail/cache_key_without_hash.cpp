// SPDX-License-Identifier: BSL-1.0
// expect: recoup: the key of a cache has == and a std::hash, or is a std::tuple of such
#include <recoup/guard/cache.hpp>
#include <recoup/recoup.hpp>

#include <string>
#include <tuple>
#include <vector>

recoup::cache<std::tuple<int, std::string>, int> control;

#ifdef MISUSE
recoup::cache<std::tuple<int, std::vector<int>>, int> misuse;
#endif
