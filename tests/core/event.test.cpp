// SPDX-License-Identifier: BSL-1.0
#include <recoup/core/event.hpp>

#include <recoup/core/errc.hpp>
#include <recoup/core/stop_reason.hpp>

#include "support/catch.hpp"

#include <cstddef>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>

namespace {

struct quiet {
    void operator()(recoup::event const&) {}
};
static_assert(recoup::observer<quiet>);
static_assert(!recoup::observer<int>);
static_assert(std::is_trivially_copyable_v<recoup::event>);
static_assert(std::is_error_code_enum_v<recoup::errc>);

}  // namespace

TEST_CASE("Every kind of event has a name of its own") {
    std::set<std::string_view> names;
    auto const nth = [](std::size_t i) { return to_string(static_cast<recoup::event_kind>(i)); };
    for (std::size_t i = 0; i != recoup::event_kind_count; ++i) names.insert(nth(i));
    CHECK(names.size() == recoup::event_kind_count);
    CHECK_FALSE(names.contains("unknown"));
    CHECK(nth(recoup::event_kind_count) == "unknown");  // none is left out of the count
    CHECK(nth(250) == "unknown");
    std::ostringstream out;
    out << recoup::event_kind::retry_scheduled;
    CHECK(out.str() == "retry_scheduled");
}

TEST_CASE("Every reason to stop has a name of its own") {
    std::set<std::string_view> names;
    auto const nth = [](std::size_t i) { return to_string(static_cast<recoup::stop_reason>(i)); };
    for (std::size_t i = 0; i != recoup::stop_reason_count; ++i) names.insert(nth(i));
    CHECK(names.size() == recoup::stop_reason_count);
    CHECK(nth(recoup::stop_reason_count) == nth(250));  // none is left out of the count
    std::ostringstream out;
    out << recoup::stop_reason::arguments_consumed;
    CHECK(out.str() == "arguments_consumed");
}

TEST_CASE("Every error of the library's own has a text of its own") {
    std::set<std::string> texts;
    auto const last = static_cast<int>(recoup::errc::trace_unreadable);
    for (int i = 1; i <= last; ++i) {
        auto const code = make_error_code(static_cast<recoup::errc>(i));
        CHECK(code.category() == recoup::recoup_category());
        texts.insert(code.message());
    }
    CHECK(texts.size() == static_cast<std::size_t>(last));
    CHECK(std::error_code{999, recoup::recoup_category()}.message() == "unknown recoup error 999");
    CHECK(std::string{recoup::recoup_category().name()} == "recoup");
}
