// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/detail/running.hpp>

#include "support/allocations.hpp"
#include "support/catch.hpp"

#include <thread>

using recoup::detail::running_claim;
using recoup::detail::running_registry;
using recoup::detail::this_thread_mark;

namespace {

char const a_store = 0;
recoup::operation_ref const id{"space", "name", "running"};
running_registry::key const a_key{&a_store, "space", "name", "running"};

bool is_running() {
    auto const found = running_registry::instance().enter(a_key);
    if (found.second) running_registry::instance().leave(a_key);
    return !found.second;
}

}  // namespace

TEST_CASE("a claim adopts what somebody who waits has entered in its name") {
    running_registry::instance().enter(a_key, this_thread_mark());
    running_claim mine;
    mine.adopt(&a_store, id);
    CHECK(mine.held());
    mine.release();
    CHECK_FALSE(is_running());
}

TEST_CASE("what leaves a slot adopts only what is waited for, and needs no memory for it") {
    running_claim mine;
    mine.adopt_entered(&a_store, id);
    CHECK_FALSE(mine.held());
    CHECK_FALSE(is_running());

    running_registry::instance().enter(a_key, this_thread_mark());
    auto const before = support::allocations();
    mine.adopt_entered(&a_store, id);
    auto const allocated = support::allocations() - before;
    CHECK(mine.held());
    CHECK(allocated == 0);
    mine.release();
    CHECK_FALSE(is_running());
}

TEST_CASE("a claim does not adopt what another thread has begun meanwhile", "[concurrent]") {
    running_claim theirs;
    std::thread{[&] { CHECK(theirs.enter(&a_store, id) == nullptr); }}.join();
    {
        running_claim mine;
        mine.adopt(&a_store, id);
        CHECK_FALSE(mine.held());
    }
    CHECK(is_running());
    theirs.release();
    CHECK_FALSE(is_running());
}
