// SPDX-License-Identifier: BSL-1.0
// expect: recoup: a hedge of a plain call has a copy of the arguments, and one cannot be
#include <recoup/guard/abandon_pool.hpp>
#include <recoup/recoup.hpp>

#include <memory>

int look(std::unique_ptr<int> const&);
int look_at(std::shared_ptr<int> const&);

recoup::hedge hedges;
recoup::abandon_pool pool;

auto const control = recoup::with_recovery(look_at, hedges, pool)(std::make_shared<int>(1));

#ifdef MISUSE
auto const misuse = recoup::with_recovery(look, hedges, pool)(std::make_unique<int>(1));
#endif
