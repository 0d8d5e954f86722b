// SPDX-License-Identifier: BSL-1.0
#include "inspect/report.hpp"

#include "support/catch.hpp"

#include "inspect/clean.hpp"
#include "inspect/exit_code.hpp"
#include "inspect/moment.hpp"
#include "inspect/store_over.hpp"
#include "inspect/table.hpp"
#include "inspect/text.hpp"
#include "inspect/value.hpp"

#include <recoup/core/encoding.hpp>
#include <recoup/durable/detail/arguments_codec.hpp>
#include <recoup/store/memory_store.hpp>

#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

#include <nlohmann/json.hpp>

namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using recoup::operation_status;

// 2026-01-01T00:00:00Z
recoup::system_time const now{std::chrono::seconds{1'767'225'600}};
inspect::store_facts const some_store{"/var/lib/a.db", "sqlite", false, std::nullopt};
inspect::store_facts const owned{"/var/lib/a.db", "sqlite", false,
                                 inspect::owner_info{"4711", "launcher", "2025-12-31T23:00:00Z"}};

recoup::operation_record install() {
    recoup::operation_record made;
    made.id = {"", "install", "workflow-42"};
    made.number = 7;
    made.epoch = 2;
    made.owner = 1;
    made.status = operation_status::running;
    made.version = "2";
    made.created = now - 1h;
    made.updated = now - 3min;
    made.token = {0xAB, 1};
    made.progress = "step 2 of 3";
    made.input = recoup::detail::encode_arguments(std::tuple{std::string{"workflow.json"}, 3});
    made.last_failure = recoup::recorded_failure{recoup::category::network_timeout, 110, "generic",
                                                 "Connection timed out"};
    return made;
}

recoup::record download() {
    recoup::record made;
    made.id = {"", "download", "https://user:secret@models.test/a"};
    made.revision = 4;
    made.status = recoup::record_status::failed;
    made.attempts = 8;
    made.spent = 7;
    made.spent_by_category[static_cast<std::size_t>(recoup::category::rate_limited)] = 1;
    made.created = now - 5h;
    made.updated = now - 2h;
    made.expires = now + 24h;
    made.checkpoint = recoup::encoding<std::uint64_t>::encode(73'639'568);
    made.last_failure =
        recoup::recorded_failure{recoup::category::disk_full, 28, "generic", "No space\x1b[31m"};
    return made;
}

std::vector<recoup::step_record> steps() {
    recoup::step_record plan;
    plan.name = "plan";
    plan.updated = now - 10min;
    plan.value = R"(j{"models":["a","b"],"api_key":"hunter2"})";
    recoup::step_record fetch;
    fetch.index = 1;
    fetch.name = "download";
    fetch.count = 1;
    fetch.status = recoup::step_status::begun;
    fetch.attempts = 3;
    fetch.updated = now - 90s;
    fetch.last_failure =
        recoup::recorded_failure{recoup::category::network_dns, 0, "", "no such host"};
    return {plan, fetch};
}

TEST_CASE("A list is a table: as wide as it must be, in the words of its reader") {
    inspect::listing const what{
        some_store, {install()}, {download()}, true, {{"copy/x", "bad sum"}}};
    CHECK(inspect::list_text(what, {.now = now}) ==
          R"(/var/lib/a.db (sqlite): nobody owns it

KIND       STATUS   NAME      KEY                        CHANGED    REMARKS
operation  running  install   workflow-42                3 min ago  left behind; step 2 of 3; network_timeout: Connection timed out (generic:110)
call       failed   download  https://***@models.test/a  2 h ago    8 attempts; disk_full: No space\x1B[31m (generic:28)

2 entries, and more: see --limit
damaged: copy/x: bad sum
)");
}

TEST_CASE("A list fits into the columns that there are") {
    inspect::listing const what{owned, {install()}, {download()}, false, {}};
    CHECK(inspect::list_text(what, {.now = now, .columns = 72}) ==
          R"(/var/lib/a.db (sqlite): owned by process 4711 (launcher) since 2025-12-31T23:00:00Z

KIND       STATUS   NAME      KEY             CHANGED    REMARKS
operation  running  install   workflow-42     3 min ago  step 2 of 3; n…
call       failed   download  https://***@m…  2 h ago    8 attempts; di…

2 entries
)");
}

TEST_CASE("A list of nothing says so") {
    CHECK(inspect::list_text({some_store, {}, {}, false, {}}, {.now = now}) ==
          "/var/lib/a.db (sqlite): nobody owns it\n\nnothing that matches is recorded\n");
}

TEST_CASE("An operation is shown with its input, its failures and its steps") {
    inspect::exhibit const what{owned, install(), steps(), std::nullopt};
    CHECK(inspect::show_text(what, {.now = now}) ==
          R"(/var/lib/a.db (sqlite): owned by process 4711 (launcher) since 2025-12-31T23:00:00Z

operation install workflow-42
  status         running
  progress       step 2 of 3
  number         7, epoch 2, owner 1
  version        2
  created        2025-12-31T23:00:00Z (60 min ago)
  changed        2025-12-31T23:57:00Z (3 min ago)
  token          ab010000000000000000000000000000
  input          "workflow.json"
  input          3
  last failure   network_timeout: Connection timed out (generic:110)
  #  STEP          STATUS  ATTEMPTS  CHANGED     RESULT OR LAST FAILURE
  0  plan          done    1         10 min ago  {"api_key":"***","models":["a","b"]}
  1  download (2)  begun   3         90 s ago    network_dns: no such host
)");
}

TEST_CASE("A call is shown with its attempts, its budget and its checkpoint") {
    inspect::exhibit const what{some_store, std::nullopt, {}, download()};
    CHECK(inspect::show_text(what, {.now = now}) ==
          R"(/var/lib/a.db (sqlite): nobody owns it

call download https://***@models.test/a
  status         failed
  attempts       8, 7 failures charged to the shared budget
                 1 to that of rate_limited
  created        2025-12-31T19:00:00Z (5 h ago)
  changed        2025-12-31T22:00:00Z (2 h ago)
  kept until     2026-01-02T00:00:00Z (in 24 h)
  checkpoint     73639568
  last failure   disk_full: No space\x1B[31m (generic:28)
)");
}

TEST_CASE("What JSON says is what the record says, without its secrets") {
    inspect::exhibit const what{some_store, install(), steps(), download()};
    auto const text = inspect::printed(inspect::show_json(what, {.now = now}));
    CHECK(text.find("hunter2") == std::string::npos);
    CHECK(text.find("secret") == std::string::npos);
    CHECK(text.find('\x1b') == std::string::npos);
    auto const read = json::parse(text);
    CHECK(read.at("format") == 1);
    CHECK(read.at("store") == json{{"location", "/var/lib/a.db"},
                                   {"kind", "sqlite"},
                                   {"shared", false},
                                   {"owner", nullptr}});
    CHECK(read.at("operation") ==
          json{{"kind", "operation"},
               {"space", ""},
               {"name", "install"},
               {"key", "workflow-42"},
               {"status", "running"},
               {"left_behind", true},
               {"cancel_requested", false},
               {"undoing", false},
               {"number", 7},
               {"epoch", 2},
               {"owner", 1},
               {"parent", nullptr},
               {"version", "2"},
               {"generation", 1},
               {"recoveries", 0},
               {"due", nullptr},
               {"created", "2025-12-31T23:00:00Z"},
               {"updated", "2025-12-31T23:57:00Z"},
               {"expires", nullptr},
               {"token", "ab010000000000000000000000000000"},
               {"fingerprint", "0000000000000000"},
               {"progress", "step 2 of 3"},
               {"note", ""},
               {"input",
                {{{"encoding", "text"},
                  {"bytes", 14},
                  {"value", "workflow.json"},
                  {"truncated", false}},
                 {{"encoding", "integer"}, {"bytes", 9}, {"value", 3}, {"truncated", false}}}},
               {"result", nullptr},
               {"last_failure",
                {{"category", "network_timeout"},
                 {"message", "Connection timed out"},
                 {"code", 110},
                 {"code_category", "generic"}}},
               {"steps",
                {{{"index", 0},
                  {"name", "plan"},
                  {"count", 0},
                  {"id", nullptr},
                  {"status", "done"},
                  {"attempts", 1},
                  {"updated", "2025-12-31T23:50:00Z"},
                  {"fingerprint", "0000000000000000"},
                  {"value",
                   {{"encoding", "json"},
                    {"bytes", 41},
                    {"value", {{"models", {"a", "b"}}, {"api_key", "***"}}},
                    {"truncated", false}}},
                  {"state_bytes", 0},
                  {"last_failure", nullptr}},
                 {{"index", 1},
                  {"name", "download"},
                  {"count", 1},
                  {"id", nullptr},
                  {"status", "begun"},
                  {"attempts", 3},
                  {"updated", "2025-12-31T23:58:30Z"},
                  {"fingerprint", "0000000000000000"},
                  {"value", nullptr},
                  {"state_bytes", 0},
                  {"last_failure",
                   {{"category", "network_dns"},
                    {"message", "no such host"},
                    {"code", nullptr},
                    {"code_category", nullptr}}}}}}});
    auto const& call = read.at("call");
    CHECK(call.at("key") == "https://***@models.test/a");
    CHECK(call.at("checkpoint").at("value") == 73'639'568);
    CHECK(call.at("spent_by_category") == json{{"rate_limited", 1}});
    CHECK(call.at("last_failure").at("message") == "No space\x1b[31m");
    CHECK(call.size() == 21);
}

TEST_CASE("JSON is ASCII and whole whatever a record holds") {
    auto odd = install();
    odd.id.key = "モデル\xE2\x80\xAE";
    odd.progress = "\xff\xfe broken \x1b[2J";
    auto const text =
        inspect::printed(inspect::list_json({some_store, {odd}, {}, false, {}}, {.now = now}));
    for (auto const letter : text) CHECK((letter == '\n' || (letter >= ' ' && letter <= '~')));
    CHECK(json::parse(text).at("entries").at(0).at("key") == "モデル\xE2\x80\xAE");
}

TEST_CASE("A value is shown by the encoding that its first byte tells") {
    using inspect::value_line;
    CHECK(value_line(recoup::encoding<int>::encode(-42)) == "-42");
    CHECK(value_line(recoup::encoding<std::uint64_t>::encode(UINT64_MAX)) ==
          "18446744073709551615");
    CHECK(value_line(recoup::encoding<double>::encode(0.5)) == "0.5");
    CHECK(value_line(recoup::encoding<double>::encode(std::numeric_limits<double>::quiet_NaN())) ==
          "null");
    CHECK(value_line(recoup::encoding<std::string>::encode("a\nb")) == R"("a\nb")");
    CHECK(value_line(std::string("b\x00\xff", 3)) == "2 bytes: 00ff");
    CHECK(value_line("") == "nothing");
    CHECK(value_line("j[1, 2]") == "[1,2]");
    CHECK(value_line("i123") == "4 bytes in no known encoding: 69313233");
    CHECK(value_line("j[1,") == "4 bytes in no known encoding: 6a5b312c");
    CHECK(value_line("t" + std::string(300, 'x')) == '"' + std::string(256, 'x') + "\"… (300 B)");
}

TEST_CASE("JSON that is deeper or longer than can be borne is shown as bytes, or by its front") {
    auto const deep = "j" + std::string(100, '[') + std::string(100, ']');
    CHECK(inspect::value_line(deep).starts_with("201 bytes in no known encoding"));
    auto const wide = "j[" + std::string(10'000, ' ') + "]";
    auto const shown = inspect::value_json(wide, 64);
    CHECK(shown.at("truncated") == true);
    CHECK(shown.at("value").get<std::string>().size() == 64);
}

TEST_CASE("A secret that begins before the cut does not show behind it") {
    auto const text = "t" + std::string(60, 'x') + " password=hunter2hunter2";
    auto const shown = inspect::value_json(text, 64).dump();
    CHECK(shown.find("hunter") == std::string::npos);
}

TEST_CASE("Arguments are told apart, and what is none of them is one value") {
    auto const two = recoup::detail::encode_arguments(std::tuple{1, std::string{"x"}});
    CHECK(inspect::arguments_of(two).size() == 2);
    for (auto const& broken : {std::string{"xyz"}, two.substr(0, two.size() - 1), two + "x"})
        CHECK(inspect::arguments_of(broken) == std::vector{broken});
    CHECK(inspect::arguments_of(std::string(4, '\xff')).size() == 1);
}

TEST_CASE("A text is as wide as a terminal shows it") {
    CHECK(inspect::columns_of("abc") == 3);
    CHECK(inspect::columns_of("日本") == 4);
    CHECK(inspect::columns_of("e\xCC\x81") == 1);
    CHECK(inspect::cut("日本語", 5) == "日本…");
    CHECK(inspect::cut("日本語", 6) == "日本語");
    CHECK(inspect::cut("abc", 2) == "a…");
    CHECK(inspect::cut("abc", 0).empty());
    CHECK(inspect::padded("日", 4) == "日  ");
    CHECK(inspect::table_text({"A", "B"}, {{"日本", "x"}, {"y", "z"}}, 0) ==
          "A     B\n日本  x\ny     z\n");
}

TEST_CASE("A moment is UTC, and how long ago it was is human") {
    CHECK(inspect::iso(now) == "2026-01-01T00:00:00Z");
    CHECK(inspect::iso(now + 5ms) == "2026-01-01T00:00:00.005Z");
    CHECK(inspect::iso(now + 5ns) == "2026-01-01T00:00:00.000000005Z");
    CHECK(inspect::iso(recoup::system_time{-1500ms}) == "1969-12-31T23:59:58.500Z");
    CHECK(inspect::iso({}).empty());
    CHECK(inspect::iso(recoup::system_time::max()).empty());
    CHECK(inspect::age(now - 45s, now) == "45 s ago");
    CHECK(inspect::age(now, now) == "now");
    CHECK(inspect::age(now + 72h, now) == "in 3 d");
    CHECK(inspect::age(recoup::system_time::min(), now).ends_with("d ago"));
}

TEST_CASE("A span on the command line has a unit, and nothing else passes") {
    CHECK(inspect::parse_span("90s") == 90s);
    CHECK(inspect::parse_span("250ms") == 250ms);
    CHECK(inspect::parse_span("7d") == 168h);
    CHECK(inspect::parse_span("0") == 0s);
    for (auto const* wrong : {"", "5", "-1s", "1x", "s", "1 s", "99999999999d", "1e3s"})
        CHECK_FALSE(inspect::parse_span(wrong));
}

TEST_CASE("Every exit code has a line of its own in the help") {
    auto const text = inspect::exit_code_table();
    for (auto const& each : inspect::exit_codes())
        CHECK(text.find("  " + std::to_string(static_cast<int>(each.code)) + "  ") !=
              std::string::npos);
}

/// A memory store that the test still sees when it is behind the program's interface.
struct stored {
    recoup::memory_store* store = nullptr;
    inspect::store_over<recoup::memory_store> over = make();

    inspect::store_over<recoup::memory_store> make() {
        auto made = std::make_unique<recoup::memory_store>();
        store = made.get();
        return {"memory", "here", false, std::move(made)};
    }
    void add(std::string const& key, operation_status status, recoup::duration ago,
             recoup::system_time expires = recoup::system_time::max()) {
        recoup::operation_record head;
        head.id = {"", "copy", key};
        head.status = status;
        head.updated = now - ago;
        head.expires = expires;
        REQUIRE(store->start(head, 0));
    }
    void add_call(std::string const& key, recoup::record_status status, recoup::duration ago) {
        recoup::record made;
        made.id = {"", "call", key};
        made.status = status;
        made.updated = now - ago;
        REQUIRE(store->save(made));
    }
    std::vector<std::string> keys() {
        std::vector<std::string> all;
        for (auto const& each : over.operations({}).value()) all.push_back(each.id.key);
        for (auto const& each : over.records({}).value()) all.push_back(each.id.key);
        return all;
    }
};

TEST_CASE("To clean removes what has expired; what is old as well only where that is asked for") {
    stored made;
    made.add("expired", operation_status::succeeded, 1h, now - 1min);
    made.add("old", operation_status::failed, 48h);
    made.add("fresh", operation_status::succeeded, 1h);
    made.add("dead", operation_status::dead, 48h);
    made.add("waits", operation_status::pending, 48h);
    made.add_call("old call", recoup::record_status::failed, 48h);
    made.add_call("runs", recoup::record_status::running, 48h);
    CHECK(inspect::clean(made.over, std::nullopt, now) == 1);
    CHECK(made.keys() ==
          std::vector<std::string>{"old", "fresh", "dead", "waits", "old call", "runs"});
    CHECK(inspect::clean(made.over, 24h, now) == 2);
    CHECK(made.keys() == std::vector<std::string>{"fresh", "dead", "waits", "runs"});
}

TEST_CASE("A request is applied as an owner of its own, which leaves again") {
    stored made;
    made.add("dead", operation_status::dead, 1h);
    auto const number = made.over.operations({}).value().at(0).number;
    REQUIRE(made.over.apply({recoup::operation_request::kind::retry, number, ""}, now));
    auto const after = made.over.operations({}).value().at(0);
    CHECK(after.status == operation_status::pending);
    CHECK(after.owner == 0);
}

}  // namespace
