// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/detail/sqlite_due.hpp>

#include "store/sqlite_operations_support.hpp"

#include <recoup/store/sqlite_store.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <tuple>
#include <vector>

using namespace recoup_test;

namespace {

recoup::operation_record due_operation(std::string name, int number, std::int64_t seconds) {
    auto what = some_operation(std::to_string(number));
    what.id.name = std::move(name);
    what.due = recoup::system_time{std::chrono::seconds{seconds}};
    return what;
}

int count_step(void* counter) {
    ++*static_cast<std::uint64_t*>(counter);
    return 0;
}

/// How many instructions SQLite takes to find what is due of one name, where `others` of another one are.
std::uint64_t instructions_beside(int others) {
    temporary_folder const folder;
    auto const path = folder / "store";
    {
        recoup::sqlite_store store{path, anywhere()};
        for (int i = 0; i != others; ++i) must(store.start(due_operation("refund", i, 1), 0));
        for (int i = 0; i != 3; ++i) must(store.start(due_operation("order", i, 2), 0));
    }
    recoup::detail::sqlite_connection file;
    must(file.open(path, SQLITE_OPEN_READONLY));
    recoup::detail::sqlite_operation_table table{file};
    must(table.prepare(true));
    std::vector<std::string> const names{"order"};
    recoup::claim_request const request{.owner = 1,
                                        .space = "shop",
                                        .names = names,
                                        .now = recoup::system_time{std::chrono::seconds{10}},
                                        .limit = 10};
    std::uint64_t taken = 0;
    sqlite3_progress_handler(file.get(), 1, count_step, &taken);
    auto rows = 0;
    recoup::detail::sqlite_due due{table, request, {}};
    CHECK(must(due.each([&](recoup::detail::sqlite_statement const& row) {
        CHECK(row.text(2) == "order");
        return ++rows != 0;
    })));
    CHECK(rows == 3);
    return taken;
}

}  // namespace

TEST_CASE("What is due is found in the same time, whatever else waits", "[sqlite_operations]") {
    auto const few = instructions_beside(10);
    CHECK(few > 20);
    CHECK(instructions_beside(400) == few);
}

TEST_CASE("What several names have due is claimed in the order of time, each once",
          "[sqlite_operations]") {
    auto const seed = GENERATE(range(1U, 13U));
    auto const shared = seed % 2 == 0;
    std::mt19937 random{seed};
    auto const up_to = [&](int most) {
        return std::uniform_int_distribution<int>{0, most}(random);
    };
    std::vector<std::string> const all{"a", "b", "c", "d"};
    temporary_folder const folder;
    recoup::sqlite_store store{folder / "store", shared ? by_processes() : anywhere()};
    auto const owner = must(store.enter("me", long_lease));
    std::vector<recoup::operation_record> waiting;
    auto const order = [](recoup::operation_record const& one) {
        return std::tuple{one.due, one.number};
    };
    auto claims = 0;
    for (int i = 0; i != 60; ++i) {
        for (auto more = up_to(4); more != 0; --more) {
            auto what = due_operation(all[static_cast<std::size_t>(up_to(3))],
                                      static_cast<int>(waiting.size()) + 1000 * i, up_to(20));
            waiting.push_back(must(store.start(what, 0)).record);
        }
        std::vector<std::string> names;
        for (auto more = up_to(5); more != 0; --more)
            names.push_back(all[static_cast<std::size_t>(up_to(3))]);
        auto const now = recoup::system_time{std::chrono::seconds{up_to(25)}};
        auto const limit = static_cast<std::size_t>(up_to(6));
        std::vector<recoup::operation_record> expected;
        for (auto const& one : waiting)
            if (std::find(names.begin(), names.end(), one.id.name) != names.end() &&
                (one.due <= now || recoup::detail::sleep_began(one.due, one.delay) > now))
                expected.push_back(one);
        std::sort(expected.begin(), expected.end(), [&](auto const& one, auto const& other) {
            auto const late = one.due > now;  // what only a clock that was set back makes due
            auto const other_late = other.due > now;
            return std::tuple{late, order(one)} < std::tuple{other_late, order(other)};
        });
        expected.resize(std::min(limit, expected.size()));
        auto const claimed = must(store.claim(
            {.owner = owner, .space = "shop", .names = names, .now = now, .limit = limit}));
        std::vector<std::uint64_t> keys, wanted;
        for (auto const& one : claimed) keys.push_back(one.number);
        for (auto const& one : expected) wanted.push_back(one.number);
        REQUIRE(keys == wanted);
        claims += static_cast<int>(keys.size());
        for (auto one : claimed) {
            std::erase_if(waiting, [&](auto const& each) { return each.number == one.number; });
            if (up_to(1) == 0) continue;
            // It waits again.
            one.due = recoup::system_time{std::chrono::seconds{up_to(20)}};
            one.status = recoup::operation_status::pending;
            must(write_head(store, one, true));
            waiting.push_back(one);
        }
    }
    CHECK(claims > 20);
}
