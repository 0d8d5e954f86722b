// SPDX-License-Identifier: BSL-1.0
// A configuration that is read anew while the program runs: policies in use go on with it, or none does.
// prints: 2 at a time, 3 attempts
// prints: 5 at a time, 7 attempts
// prints: recoup: config: pages.bulkhead.at_once is 0, expected 1 to 1000000
// prints: recoup: config: pages.circuit_breaker.window cannot be changed: it holds what it has seen
// prints: 5 at a time, 7 attempts
#include <recoup/config.hpp>
#include <recoup/recoup.hpp>

#include <iostream>
#include <string_view>

namespace {

/// The policies that calls of the program share.
struct policies_in_use {
    recoup::circuit_breaker breaker;
    recoup::bulkhead room{{.at_once = 2}};
    recoup::reloadable<recoup::retry> again{recoup::retry{.max_attempts = 3}};

    void reload(std::string_view text) {
        using recoup::config::policy_document;
        try {
            auto const document = recoup::config::read_text<policy_document>(text, "pages");
            recoup::config::apply(document, "pages", breaker, room, again);
            show();
        } catch (recoup::config::bad_config const& wrong) {
            std::cout << wrong.what() << '\n';
        }
    }

    void show() const {
        std::cout << room.options().at_once << " at a time, " << again.current().max_attempts
                  << " attempts\n";
    }
};

}  // namespace

int main() {
    policies_in_use pages;
    auto const fetch =
        recoup::with_recovery([] { return 1; }, pages.breaker, pages.room, pages.again);
    fetch().value();
    pages.show();
    pages.reload(R"({"bulkhead": {"at_once": 5}, "retry": {"max_attempts": 7}})");
    pages.reload(R"({"bulkhead": {"at_once": 0}, "retry": {"max_attempts": 9}})");
    pages.reload(R"({"bulkhead": {"at_once": 9}, "circuit_breaker": {"window": {"calls": 5}}})");
    pages.show();
}
