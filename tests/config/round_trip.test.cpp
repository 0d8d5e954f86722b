// SPDX-License-Identifier: BSL-1.0
#include <recoup/config.hpp>

#include <rapidcheck.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/config_support.hpp"
#include "support/catch.hpp"

namespace {

namespace config = recoup::config;

/// Whether what `draw` gives comes back equal, from JSON and from its text, in every draw.
template <class Draw>
bool comes_back(Draw draw) {
    return rc::check([&] {
        auto const policy = draw();
        using type = std::remove_cvref_t<decltype(policy)>;
        auto const written = config::write(policy);
        RC_ASSERT(config::read<type>(written) == policy);
        RC_ASSERT(config::read_text<type>(written.dump()) == policy);
        RC_ASSERT(config::write(config::read<type>(written)) == written);
    });
}

/// Random changes to the text of a document: what people, editors and bad disks do to it.
std::string damage(std::string text) {
    auto const pieces = std::vector<std::string>{"{",
                                                 "}",
                                                 "[",
                                                 "]",
                                                 ",",
                                                 ":",
                                                 "\"",
                                                 "null",
                                                 "-1",
                                                 "1e999",
                                                 "99999999999999999999",
                                                 "true",
                                                 "\"5m\"",
                                                 "0.5",
                                                 "\\",
                                                 " ",
                                                 "\xff",
                                                 "{}",
                                                 "[]",
                                                 "\"\"",
                                                 "\"-5s\"",
                                                 "\"max_attempts\":",
                                                 "\"unlimited\""};
    for (auto i = config_test::number(0, 5); i != 0; --i) {
        auto const size = static_cast<std::uint32_t>(text.size());
        auto const at = config_test::number(0, size);
        switch (config_test::number(0, 3)) {
            case 0:
                text.insert(
                    at,
                    pieces[config_test::number(0, static_cast<std::uint32_t>(pieces.size()) - 1)]);
                break;
            case 1: text.erase(at, config_test::number(1, 12)); break;
            case 2:
                if (at < size) text[at] = static_cast<char>(config_test::number(0, 255));
                break;
            default: {
                auto const from = config_test::number(0, size);
                text.insert(at, text.substr(from, config_test::number(1, 40)));
            }
        }
    }
    return text;
}

}  // namespace

TEST_CASE("every policy comes back from JSON as it was") {
    CHECK(comes_back(config_test::any_retry));
    CHECK(comes_back(config_test::any_backoff));
    CHECK(comes_back(config_test::any_breaker));
    CHECK(comes_back(config_test::any_rate_limit));
    CHECK(comes_back(config_test::any_bulkhead));
    CHECK(comes_back(config_test::any_cache));
    CHECK(comes_back(config_test::any_abandon_pool));
    CHECK(comes_back(config_test::any_chaos));
    CHECK(comes_back(config_test::any_hedge));
    CHECK(comes_back(config_test::any_concurrency_limit));
    CHECK(comes_back(config_test::any_retry_budget));
    CHECK(comes_back(config_test::any_rules));
    CHECK(comes_back([] { return recoup::deadline{config_test::span()}; }));
    CHECK(comes_back([] { return recoup::last(config_test::span(recoup::duration{1})); }));
}

TEST_CASE("a document of policies comes back as it was, by itself and among others") {
    CHECK(comes_back(config_test::any_document));
    CHECK(comes_back([] {
        auto all = std::map<std::string, config::policy_document>{};
        for (auto i = config_test::number(0, 3); i != 0; --i)
            all[config_test::text()] = config_test::any_document();
        return all;
    }));
}

TEST_CASE("a document that was damaged gives a valid policy, or mistakes that can be shown") {
    auto valid = 0;
    auto refused = 0;
    CHECK(rc::check([&] {
        for (auto round = 0; round != 10; ++round) {
            auto const text = damage(config::write(config_test::any_document()).dump());
            auto problems = std::vector<config::problem>{};
            auto const made = config::read_text<config::policy_document>(text, "app", problems);
            RC_ASSERT(made.has_value() == problems.empty());
            RC_ASSERT(problems.size() <= config::problems_max + 1);
            for (auto const& one : problems) {
                RC_ASSERT((one.path.starts_with("app") || one.text.starts_with("has more")));
                for (auto const c : one.message()) RC_ASSERT((c >= ' ' && c <= '~'));
            }
            if (made)
                RC_ASSERT(config::read<config::policy_document>(config::write(*made)) == *made);
            ++(made ? valid : refused);
        }
    }));
    CHECK(valid > 0);
    CHECK(refused > 0);
}

TEST_CASE("what JSON cannot hold is not written") {
    struct own {
        [[nodiscard]] static recoup::duration delay(recoup::backoff_step) noexcept { return {}; }
        [[nodiscard]] static recoup::duration longest() noexcept { return {}; }
    };
    CHECK_THROWS_WITH(
        config::write(recoup::retry{.backoff = own{}}, "retry"),
        "recoup: config: retry.backoff is \"a model of your own\", expected an object");
    CHECK_THROWS_AS(config::write(recoup::deadline{recoup::duration{-1}}), config::bad_config);
}
