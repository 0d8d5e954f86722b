// SPDX-License-Identifier: BSL-1.0
// A user's program that asks for a store on a server that is not there, and is told so.
#include <recoup/store/postgres_store.hpp>

#include <cstdlib>
#include <iostream>

int main() {
    auto const store = recoup::postgres_store::open(
        "host=/nonexistent user=worker password=opensesame dbname=jobs");
    if (store) return EXIT_FAILURE;
    auto const said = store.error().describe();
    bool const right = store.error().code() == recoup::store_errc::unavailable &&
                       said.find("opensesame") == std::string::npos;
    std::cout << (right ? "right\n" : "wrong\n") << said << '\n';
    return right ? EXIT_SUCCESS : EXIT_FAILURE;
}
