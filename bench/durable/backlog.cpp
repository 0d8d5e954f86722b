// SPDX-License-Identifier: BSL-1.0
// A hundred thousand operations that wait: a store is opened, lists them and claims them. Beside reading
// and writing as much with nothing around it.
#include "durable/contest.hpp"
#include "durable/floors.hpp"
#include "durable/folder.hpp"
#include "durable/pending.hpp"
#include "durable/rows.hpp"
#include "support/keep_awake.hpp"

#include <recoup/store/detail/operation_codec.hpp>
#include <recoup/store/journal_store.hpp>
#include <recoup/store/sqlite_store.hpp>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;

namespace bench {

namespace {

constexpr std::size_t waiting = 100'000;
constexpr std::size_t listed_at_once = 1'000;
constexpr std::size_t claimed_at_once = 10'000;
constexpr auto operation_name = "backlog";

double milliseconds_since(std::chrono::steady_clock::time_point begin) {
    return std::chrono::duration<double, std::milli>{std::chrono::steady_clock::now() - begin}
        .count();
}

struct backlog {
    std::vector<double> opening{};
    std::vector<double> listing{};
    std::vector<double> claiming{};
    std::vector<double> both{};
    std::vector<double> floor{};
    std::vector<double> ratio{};
    bool right = true;
};

template <class Store>
std::size_t list_all(Store& store) {
    std::size_t found = 0;
    recoup::operation_filter filter{.status = recoup::operation_status::pending,
                                    .limit = listed_at_once};
    while (true) {
        auto const page = store.operations(filter).value();
        if (page.empty()) return found;
        found += page.size();
        filter.after = page.back().number;
    }
}

template <class Store>
std::size_t claim_all(Store& store, std::uint64_t owner) {
    std::vector<std::string> const names{operation_name};
    std::size_t found = 0;
    while (true) {
        auto const page = store
                              .claim({.owner = owner,
                                      .names = names,
                                      .now = recoup::real_clock::system_now(),
                                      .limit = claimed_at_once})
                              .value();
        if (page.empty()) return found;
        found += page.size();
    }
}

/// Reads and writes as much as it must, and gives the milliseconds.
using floor_run = std::function<double()>;

template <class Open>
backlog run(int rounds, Open const& open, floor_run const& floor) {
    backlog seen;
    for (auto round = 0; round != rounds; ++round) {
        auto begin = std::chrono::steady_clock::now();
        auto const store = open();
        seen.opening.push_back(milliseconds_since(begin));
        begin = std::chrono::steady_clock::now();
        auto const owner = store->enter("bench", 1min).value();
        seen.right = list_all(*store) == waiting && seen.right;
        seen.listing.push_back(milliseconds_since(begin));
        auto const claiming = std::chrono::steady_clock::now();
        seen.right = claim_all(*store, owner) == waiting && seen.right;
        seen.claiming.push_back(milliseconds_since(claiming));
        seen.both.push_back(milliseconds_since(begin));
        // What a dead owner has can be claimed again.
        store->leave(owner).value();
        seen.floor.push_back(floor());
        seen.ratio.push_back(seen.both.back() / seen.floor.back());
    }
    return seen;
}

void tell(report& into, figures& details, std::string const& name, char const* floor_text,
          backlog const& seen) {
    auto& row = details.at(name);
    row.set("opening_ms", spread_of(seen.opening))
        .set("listing_ms", spread_of(seen.listing))
        .set("claiming_ms", spread_of(seen.claiming))
        .set("listing_and_claiming_ms", spread_of(seen.both))
        .set("floor", floor_text)
        .set("floor_ms", spread_of(seen.floor))
        .set("all_found_and_claimed", seen.right);
    tell(row, "ratio", seen.ratio);
    auto const both = spread_of(seen.both);
    char beside[128];
    std::snprintf(beside, sizeof beside,
                  "; listing %.0f, claiming %.0f, floor %.0f; opened in %.0f",
                  spread_of(seen.listing).median, spread_of(seen.claiming).median,
                  spread_of(seen.floor).median, spread_of(seen.opening).median);
    into.judge("durable: 100,000 pending listed and claimed, " + name, both.median <= 500,
               text(both, "ms", 0) + beside, "≤ 500 ms", requirement::goal,
               text(both.median - 500, "ms", 0));
    into.judge("durable: each of 100,000 claimed once, " + name, seen.right,
               seen.right ? "all" : "not all", "all");
}

std::size_t record_bytes() {
    return recoup::detail::encoded_size(pending_operation(operation_name, waiting - 1));
}

/// The bytes of as many records read from a file, and written to another.
double through_a_file(std::string const& folder) {
    auto const from = folder + "/floor.read";
    {
        std::ofstream file{from, std::ios::binary};
        std::string const one(record_bytes(), 'r');
        for (std::size_t i = 0; i != waiting; ++i) file << one;
    }
    auto const begin = std::chrono::steady_clock::now();
    std::ifstream read{from, std::ios::binary};
    std::string bytes(waiting * record_bytes(), '\0');
    read.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    std::ofstream written{folder + "/floor.written", std::ios::binary};
    written.write(bytes.data(), static_cast<std::streamsize>(bytes.size())).flush();
    auto const took = milliseconds_since(begin);
    if (!read || !written) throw std::runtime_error{"a file was not read and written"};
    return took;
}

}  // namespace

void measure_backlog(plan const& chosen, report& into, figures& details) {
    auto& rows = details.at("backlog_of_100000");
    rows.set(
        "method",
        "opened anew each time; listed 1,000 at a time, claimed 10,000 at a time, as durable as "
        "the store is by default");
    auto const rounds = chosen.quick ? 3 : 20;
    keep_awake const awake;
    {
        auto const folder = fresh_folder(chosen, "backlog");
        {
            recoup::journal_store store{folder + "/journal"};
            add_pending(store, operation_name, waiting);
        }
        tell(into, rows, "journal",
             "the bytes of the records read from one file, written to another",
             run(
                 rounds,
                 [&] { return std::make_unique<recoup::journal_store>(folder + "/journal"); },
                 [&] { return through_a_file(folder); }));
    }
    auto const folder = fresh_folder(chosen, "backlog");
    {
        // Not what is measured: so without syncs.
        recoup::sqlite_store store{folder + "/store.db",
                                   {.durability = recoup::durability::process_crash}};
        add_pending(store, operation_name, waiting);
    }
    auto const floor = sqlite_floor(folder + "/floor.db", true);
    floor->prepare(waiting, {.start = record_bytes()});
    tell(into, rows, "sqlite",
         "the rows read by SQLite's C interface, and each rewritten with its epoch, 10,000 a "
         "commit, "
         "WAL, FULL",
         run(
             rounds, [&] { return std::make_unique<recoup::sqlite_store>(folder + "/store.db"); },
             [&] {
                 auto const begin = std::chrono::steady_clock::now();
                 floor->read_and_rewrite_all(claimed_at_once);
                 return milliseconds_since(begin);
             }));
}

}  // namespace bench
