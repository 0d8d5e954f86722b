// SPDX-License-Identifier: BSL-1.0
#include "launcher/checkpointed_sink.hpp"

#include "support/catch.hpp"
#include "support/temporary_folder.hpp"
#include "support/text_file.hpp"

#include <chrono>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

using launcher::checkpointed_sink;
using launcher::download_record;
using namespace std::chrono_literals;

namespace {

/// A sink with a file of its own, and what it saved.
struct harness {
    support::temporary_folder folder{"sink"};
    launcher::part_file part = launcher::part_file::open(folder.path() / "m").value();
    download_record record{};
    std::vector<std::uint64_t> saved{};
    std::uint64_t shown = 0;

    checkpointed_sink sink(std::string const& mirror = "m1") {
        return {part,
                record,
                mirror,
                {.bytes = 4, .time = 1h},
                [this] {
                    saved.push_back(record.bytes);
                    // What the record says is always there.
                    CHECK(support::read_text(folder.path() / "m.part").size() >= record.bytes);
                },
                [this](std::uint64_t bytes) { shown = bytes; }};
    }
    std::string text() const { return support::read_text(folder.path() / "m.part"); }
};

void put(checkpointed_sink& sink, std::string const& text) {
    sink.write(std::as_bytes(std::span{text})).value();
}

}  // namespace

TEST_CASE("a checkpoint follows each interval of bytes, and the end", "[launcher]") {
    harness it;
    auto sink = it.sink();
    sink.begin(0, "\"tag\"").value();
    for (char const* piece : {"ab", "c", "de", "fghijk", "l"}) put(sink, piece);
    CHECK(it.saved == std::vector<std::uint64_t>{4, 8, 12});
    put(sink, "m");
    CHECK(it.shown == 13);
    CHECK(it.saved == std::vector<std::uint64_t>{4, 8, 12});
    sink.checkpoint().value();
    sink.checkpoint().value();
    CHECK(it.saved == std::vector<std::uint64_t>{4, 8, 12, 13});
    CHECK(it.text() == "abcdefghijklm");
    CHECK(it.record.sources == std::map<std::string, std::uint64_t>{{"m1", 13}});
    CHECK(it.record.etags == std::map<std::string, std::string>{{"m1", "\"tag\""}});
}

TEST_CASE("a mirror that sends the whole file again makes the record give up the old bytes first",
          "[launcher]") {
    harness it;
    it.part.write(0, std::as_bytes(std::span{std::string_view{"old bytes"}})).value();
    it.record.bytes = 9;
    it.record.sources = {{"m0", 9}};
    auto sink = it.sink();
    sink.begin(0, "").value();
    CHECK(it.saved == std::vector<std::uint64_t>{0});
    CHECK(it.text().empty());
    put(sink, "new");
    sink.checkpoint().value();
    CHECK(it.text() == "new");
    CHECK(it.record.sources == std::map<std::string, std::uint64_t>{{"m1", 3}});
}

TEST_CASE("a mirror that goes on where the record ends adds its share", "[launcher]") {
    harness it;
    it.part.write(0, std::as_bytes(std::span{std::string_view{"old "}})).value();
    it.record.bytes = 4;
    it.record.sources = {{"m0", 4}};
    auto sink = it.sink();
    sink.begin(4, "").value();
    put(sink, "and new");
    CHECK(it.text() == "old and new");
    CHECK(it.saved == std::vector<std::uint64_t>{8});
    sink.checkpoint().value();
    CHECK(it.record.sources == std::map<std::string, std::uint64_t>{{"m0", 4}, {"m1", 7}});
}

TEST_CASE("a record survives its encoding", "[launcher]") {
    download_record const record{.bytes = 7,
                                 .attempts = 3,
                                 .resumed_at = 5,
                                 .mismatches = 1,
                                 .failures = {{"network_timeout", 2}},
                                 .etags = {{"http://a", "\"e\""}},
                                 .sources = {{"http://a", 7}},
                                 .strikes = {{"http://b", 1}}};
    CHECK(nlohmann::json(record).get<download_record>() == record);
    CHECK(nlohmann::json(download_record{}).get<download_record>() == download_record{});
    CHECK_THROWS(nlohmann::json{{"bytes", 3}}.get<download_record>());
}
