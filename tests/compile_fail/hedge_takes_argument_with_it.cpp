// SPDX-License-Identifier: BSL-1.0
// expect: recoup: a hedge calls several times at a time, and this callable takes its arguments
#include <recoup/guard/abandon_pool.hpp>
#include <recoup/recoup.hpp>

#include <memory>

int look(std::shared_ptr<int> const&);
int take(std::unique_ptr<int>);

recoup::hedge hedges;
recoup::abandon_pool pool;

auto const control = recoup::with_recovery(look, hedges, pool)(std::make_shared<int>(1));

#ifdef MISUSE
auto const misuse = recoup::with_recovery(take, hedges, pool)(std::make_unique<int>(1));
#endif
