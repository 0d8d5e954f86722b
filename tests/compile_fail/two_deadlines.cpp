// SPDX-License-Identifier: BSL-1.0
// expect: recoup: there are two deadlines; keep the shorter one
#include <recoup/recoup.hpp>

#include <chrono>

using namespace std::chrono_literals;

int fetch(int);

auto const control = recoup::with_recovery(fetch, recoup::deadline{1s});

#ifdef MISUSE
auto const misuse = recoup::with_recovery(fetch, recoup::deadline{1s}, recoup::deadline{2s});
#endif
