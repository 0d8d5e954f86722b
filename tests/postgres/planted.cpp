// SPDX-License-Identifier: BSL-1.0
#include "postgres/planted.hpp"

#include <atomic>
#include <mutex>
#include <stdexcept>
#include <utility>
#include <vector>

#include <dlfcn.h>
#include <libpq-fe.h>

namespace recoup_test {

namespace {

struct planted_exchange {
    std::string words;
    std::string instead;
    std::size_t made = 0;
    bool lives = true;
};

std::mutex planted_mutex;
std::vector<planted_exchange> planted_exchanges;
std::atomic<int> lying_counts{0};

std::string with_mistakes(std::string text) {
    std::lock_guard const lock{planted_mutex};
    for (auto& one : planted_exchanges) {
        if (!one.lives) continue;
        auto at = text.find(one.words);
        one.made += at != std::string::npos ? 1 : 0;
        for (; at != std::string::npos; at = text.find(one.words, at + one.instead.size()))
            text.replace(at, one.words.size(), one.instead);
    }
    return text;
}

/// libpq's own function of that name.
template <class Function>
Function* libpq_function(char const* name) {
    auto* const found = ::dlsym(RTLD_NEXT, name);
    if (found == nullptr) throw std::logic_error{std::string{"libpq has no "} + name};
    return reinterpret_cast<Function*>(found);
}

}  // namespace

planted_words::planted_words(std::string words, std::string instead) : at_{0} {
    std::lock_guard const lock{planted_mutex};
    at_ = planted_exchanges.size();
    planted_exchanges.push_back({std::move(words), std::move(instead)});
}

planted_words::~planted_words() {
    std::lock_guard const lock{planted_mutex};
    planted_exchanges[at_].lives = false;
}

std::size_t planted_words::made() const {
    std::lock_guard const lock{planted_mutex};
    return planted_exchanges[at_].made;
}

planted_counts::planted_counts() { ++lying_counts; }
planted_counts::~planted_counts() { --lying_counts; }

}  // namespace recoup_test

// ---- libpq's functions. The program's own definitions come before the shared ones.

extern "C" {
int PQsendPrepare(PGconn* on, char const* name, char const* query, int count, Oid const* types) {
    static auto* const send =
        recoup_test::libpq_function<int(PGconn*, char const*, char const*, int, Oid const*)>(
            "PQsendPrepare");
    return send(on, name, recoup_test::with_mistakes(query).c_str(), count, types);
}

char* PQcmdTuples(PGresult* result) {
    static auto* const count = recoup_test::libpq_function<char*(PGresult*)>("PQcmdTuples");
    static char one[] = "1";
    return recoup_test::lying_counts != 0 ? one : count(result);
}
}
