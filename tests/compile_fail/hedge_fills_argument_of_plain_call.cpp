// SPDX-License-Identifier: BSL-1.0
// expect: recoup: a hedge calls several times at a time with the same arguments, which cannot
#include <recoup/guard/abandon_pool.hpp>
#include <recoup/recoup.hpp>

void reads(int const& from);
void fills(int& into);

int number = 0;
recoup::hedge hedges;
recoup::abandon_pool pool;

auto const control = recoup::with_recovery(reads, hedges, pool)(number);

#ifdef MISUSE
auto const misuse = recoup::with_recovery(fills, hedges, pool)(number);
#endif
