// SPDX-License-Identifier: BSL-1.0
// expect: recoup: this type cannot be stored: include <recoup/json.hpp>
#include <recoup/recoup.hpp>

#include <cstdint>

struct progress {
    int page = 0;
};

void control(recoup::attempt& attempt) { attempt.save_checkpoint(std::uint64_t{1}); }

#ifdef MISUSE
void misuse(recoup::attempt& attempt) { attempt.save_checkpoint(progress{}); }
#endif
