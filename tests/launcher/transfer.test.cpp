// SPDX-License-Identifier: BSL-1.0
#include "launcher/transfer.hpp"

#include "launcher/errc.hpp"
#include "support/catch.hpp"
#include "support/loopback_server.hpp"
#include "support/temporary_folder.hpp"
#include "support/text_file.hpp"

#include <chrono>
#include <cstring>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <recoup/classify/curl.hpp>
#include <recoup/classify/http.hpp>

using launcher::errc;
using launcher::transfer;
using namespace std::chrono_literals;

namespace {

class text_sink final : public launcher::byte_sink {
  public:
    recoup::result<void> begin(std::uint64_t offset, std::string const& tag) override {
        began_at = offset;
        etag = tag;
        text.resize(offset, '?');
        return recoup::success();
    }
    recoup::result<void> write(std::span<std::byte const> bytes) override {
        if (refuses) return *refuses;
        if (throws) throw 42;
        std::size_t const had = text.size();
        text.resize(had + bytes.size());
        std::memcpy(text.data() + had, bytes.data(), bytes.size());
        return recoup::success();
    }

    std::optional<std::uint64_t> began_at;
    std::string etag;
    std::string text;
    std::optional<recoup::failure> refuses;
    bool throws = false;
};

/// A server of one file, and requests for it.
class served_text {
  public:
    explicit served_text(std::vector<std::string> const& options = {}) {
        support::write_text(folder_.path() / "f", text);
        server_.emplace(FAULT_SERVER, folder_.path(), folder_.path(), "server", options);
    }
    [[nodiscard]] launcher::transfer_request request(std::uint64_t from = 0) const {
        return {.url = server_->url() + "/f", .from = from, .size = text.size()};
    }
    [[nodiscard]] support::loopback_server const& server() const { return *server_; }

    std::string const text = [] {
        std::string made;
        for (int i = 0; i < 100'000; ++i) made += static_cast<char>('a' + i % 26);
        return made;
    }();

  private:
    support::temporary_folder folder_{"transfer"};
    std::optional<support::loopback_server> server_;
};

std::error_code fetch(launcher::transfer_request const& request, text_sink& sink,
                      std::stop_token const& stop = {}) {
    auto const result = transfer(request, sink, stop);
    return result ? std::error_code{} : result.error().code();
}

std::error_code code_with(std::vector<std::string> const& options, std::uint64_t from = 0) {
    served_text const site{options};
    text_sink sink;
    auto const code = fetch(site.request(from), sink);
    if (code == errc::wrong_range || code == errc::wrong_size) CHECK(!sink.began_at);
    return code;
}

}  // namespace

TEST_CASE("a transfer fetches the whole file, or goes on in its middle", "[launcher]") {
    served_text const site;
    text_sink whole;
    CHECK(fetch(site.request(), whole) == std::error_code{});
    CHECK(whole.text == site.text);
    CHECK(whole.began_at == 0);
    CHECK_THAT(whole.etag, Catch::Matchers::StartsWith("\""));

    text_sink end;
    auto request = site.request(99'000);
    request.etag = whole.etag;
    CHECK(fetch(request, end) == std::error_code{});
    CHECK(end.began_at == 99'000);
    CHECK(end.text.substr(99'000) == site.text.substr(99'000));
    // The server writes its log after it has sent, and so after we have received.
    REQUIRE(support::eventually(std::chrono::seconds{10},
                                [&] { return site.server().log().size() == 2; }));
    CHECK(site.server().log().back().bytes_sent == 1'000);
}

TEST_CASE("a file that is another one since begins from the start", "[launcher]") {
    served_text const site;
    text_sink sink;
    auto request = site.request(99'000);
    request.etag = "\"an older one\"";
    CHECK(fetch(request, sink) == std::error_code{});
    CHECK(sink.began_at == 0);
    CHECK(sink.text == site.text);
}

TEST_CASE("an answer that does not fit the request reaches no file", "[launcher]") {
    CHECK(code_with({"--fault", "wrong-range=1"}, 50'000) == errc::wrong_range);
    CHECK(code_with({"--fault", "wrong-size=1"}, 50'000) == errc::wrong_size);
    CHECK(code_with({"--fault", "redirect-loop=1"}) == errc::redirect_loop);
    CHECK(code_with({"--fault", "not-found=1"}) == recoup::http_error(404));
    served_text const site;
    text_sink sink;
    auto request = site.request(99'000);
    request.size += 5;  // the index says so
    CHECK(fetch(request, sink) == errc::wrong_size);
    request.from = 100'002;
    CHECK(fetch(request, sink) == errc::wrong_size);
    CHECK(!sink.began_at);
}

TEST_CASE("a connection that breaks off keeps what came before", "[launcher]") {
    for (std::string const fault : {"reset=1", "truncate=1"}) {
        served_text const site{{"--fault", fault}};
        text_sink sink;
        auto const result = transfer(site.request(), sink, {});
        REQUIRE(!result);
        CHECK(result.error().category() == recoup::category::network_connection);
        CHECK(sink.text == site.text.substr(0, sink.text.size()));
        CHECK(sink.text.size() < site.text.size());
    }
}

TEST_CASE("a busy mirror says when to come back", "[launcher]") {
    served_text const site{{"--fault", "unavailable=1", "--retry-after", "7"}};
    text_sink sink;
    auto const result = transfer(site.request(), sink, {});
    REQUIRE(!result);
    CHECK(result.error().code() == recoup::http_error(503));
    CHECK(result.error().retry_after() == 7s);
    CHECK_THAT(result.error().message(), Catch::Matchers::ContainsSubstring("127.0.0.1:"));
}

TEST_CASE("a mirror that falls silent is left after the stall timeout", "[launcher]") {
    served_text const site{{"--fault", "stall=1", "--stall-for", "5"}};
    text_sink sink;
    auto request = site.request();
    request.stall_timeout = 200ms;
    auto const result = transfer(request, sink, {});
    REQUIRE(!result);
    CHECK(result.error().category() == recoup::category::network_timeout);
}

TEST_CASE("a port where nobody listens is a connection failure", "[launcher]") {
    text_sink sink;
    auto const result = transfer({.url = "http://127.0.0.1:1/f", .size = 1}, sink, {});
    REQUIRE(!result);
    CHECK(result.error().category() == recoup::category::network_connection);
}

TEST_CASE("only http and https are spoken", "[launcher]") {
    text_sink sink;
    CHECK(fetch({.url = "file:///etc/passwd", .size = 1}, sink) == recoup::curl_error(1));
    CHECK(!sink.began_at);
}

TEST_CASE("what the sink refuses or throws ends the transfer and is passed on", "[launcher]") {
    served_text const site;
    text_sink refusing;
    refusing.refuses = recoup::failure{errc::disk_full};
    CHECK(fetch(site.request(), refusing) == errc::disk_full);
    text_sink throwing;
    throwing.throws = true;
    CHECK_THROWS_AS(fetch(site.request(), throwing), int);
}

TEST_CASE("a stop request ends a transfer at once", "[launcher]") {
    served_text const site{{"--rate", "1000"}};
    text_sink sink;
    std::stop_source stop;
    std::jthread const stopper{[&] {
        std::this_thread::sleep_for(50ms);  // most of a minute and a half is left by then
        stop.request_stop();
    }};
    CHECK(fetch(site.request(), sink, stop.get_token()) == errc::interrupted);
}

TEST_CASE("a URL's host and port are found", "[launcher]") {
    CHECK(launcher::host_of("http://user:secret@h.test:81/a?b") == "h.test:81");
    CHECK(launcher::host_of("https://h.test/a") == "h.test:443");
    CHECK(launcher::host_of("not a url").empty());
}
