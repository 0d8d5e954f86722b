// SPDX-License-Identifier: BSL-1.0
// Whether an import, decorated as it is in the program, meets the requirements: for a CI, by its exit status.
#include "import.hpp"

#include <recoup/recoup.hpp>
#include <recoup/validation.hpp>

#include <iostream>

int main() {
    recoup::circuit_breaker breaker;
    auto const seen =
        recoup::validation::validator{{.seed = 7, .time_limit = std::chrono::seconds{20}}}.with(
            import::manifest())(import::read, recoup::retry{}, breaker);
    std::cout << seen;
    return seen.met() ? 0 : 1;
}
