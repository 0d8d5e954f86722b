// SPDX-License-Identifier: BSL-1.0
// expect: recoup: a cache gives its results to many callers, and this type cannot be copied: return a std::shared_ptr<T const>
#include <recoup/guard/cache.hpp>
#include <recoup/recoup.hpp>

#include <memory>

recoup::cache<int, std::shared_ptr<int const>> control;

#ifdef MISUSE
recoup::cache<int, std::unique_ptr<int>> misuse;
#endif
