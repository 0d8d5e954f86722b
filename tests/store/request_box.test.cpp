// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/detail/request_box.hpp>

#include "support/catch.hpp"

#include <recoup/store/store_errc.hpp>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

namespace {

namespace fs = std::filesystem;
using recoup::operation_request;
using recoup::store_errc;
using recoup::detail::request_box;
using kind = recoup::operation_request::kind;

/// A box beside a store that is never made, in a folder that goes at the end.
struct box_in_a_folder {
    box_in_a_folder() {
        auto pattern = (fs::temp_directory_path() / "recoup-box-XXXXXX").string();
        REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        folder = fs::canonical(pattern);
    }
    box_in_a_folder(box_in_a_folder const&) = delete;
    box_in_a_folder& operator=(box_in_a_folder const&) = delete;
    ~box_in_a_folder() {
        std::error_code ignored;
        fs::remove_all(folder, ignored);
    }

    [[nodiscard]] std::string store() const { return (folder / "a.db").string(); }
    [[nodiscard]] fs::path path() const { return folder / "a.db.requests"; }
    [[nodiscard]] std::size_t files() const {
        std::size_t count = 0;
        for ([[maybe_unused]] auto const& each : fs::directory_iterator{path()}) ++count;
        return count;
    }
    /// Puts a file of these bytes into the box.
    void plant(std::string const& name, std::string const& bytes, ::mode_t mode = 0600) const {
        std::ofstream{path() / name, std::ios::binary} << bytes;
        REQUIRE(::chmod((path() / name).c_str(), mode) == 0);
    }

    fs::path folder;
};

operation_request const cancel{kind::cancel, 7, ""};
operation_request const retry{kind::retry, 8, ""};
operation_request const accept{kind::accept, UINT64_MAX, "2026.1 β"};

TEST_CASE("A request is given as it was asked, in the order of asking") {
    box_in_a_folder const made;
    request_box asker{made.store()};
    request_box owner{made.store()};
    CHECK(owner.take().value().empty());
    CHECK_FALSE(fs::exists(made.path()));  // looking makes nothing
    for (auto const& each : {cancel, retry, accept}) REQUIRE(asker.put(each));
    CHECK(owner.take().value() == std::vector{cancel, retry, accept});
}

TEST_CASE("A request waits until the owner has done it, which its next look tells") {
    box_in_a_folder const made;
    request_box asker{made.store()};
    request_box owner{made.store()};
    auto const name = asker.put(cancel).value();
    CHECK(asker.waiting(name).value());
    REQUIRE(owner.take().value().size() == 1);
    CHECK(asker.waiting(name).value());
    CHECK(owner.take().value().empty());
    CHECK_FALSE(asker.waiting(name).value());
}

TEST_CASE("An owner that ends in order removes what it was given; one that crashes gets it again") {
    box_in_a_folder const made;
    request_box asker{made.store()};
    REQUIRE(asker.put(cancel));
    {
        request_box crashed{made.store()};
        REQUIRE(crashed.take().value().size() == 1);
    }
    request_box next{made.store()};
    CHECK(next.take().value() == std::vector{cancel});
    next.finish();
    CHECK(made.files() == 0);
    CHECK(request_box{made.store()}.take().value().empty());
}

TEST_CASE("The box and what is in it are for their owner alone") {
    box_in_a_folder const made;
    request_box asker{made.store()};
    auto const old = ::umask(0);
    auto const name = asker.put(cancel);
    ::umask(old);
    REQUIRE(name);
    struct ::stat seen{};
    REQUIRE(::stat(made.path().c_str(), &seen) == 0);
    CHECK((seen.st_mode & 07777U) == 0700U);
    REQUIRE(::stat((made.path() / name.value()).c_str(), &seen) == 0);
    CHECK((seen.st_mode & 07777U) == 0600U);
}

TEST_CASE("A box that is a link, a file or open to others is used by nobody") {
    box_in_a_folder const made;
    auto const elsewhere = made.folder / "elsewhere";
    SECTION("a link to a folder") {
        fs::create_directory(elsewhere);
        REQUIRE(::chmod(elsewhere.c_str(), 0700) == 0);
        fs::create_directory_symlink(elsewhere, made.path());
    }
    SECTION("a link to nothing") { fs::create_directory_symlink(elsewhere, made.path()); }
    SECTION("a file") { std::ofstream{made.path()} << "x"; }
    SECTION("a folder that others may read") {
        fs::create_directory(made.path());
        REQUIRE(::chmod(made.path().c_str(), 0750) == 0);
    }
    SECTION("a folder that others may write to") {
        fs::create_directory(made.path());
        REQUIRE(::chmod(made.path().c_str(), 01777) == 0);
    }
    SECTION("a folder of another user") {
        if (::geteuid() != 0) return;  // only the superuser can give a folder away
        fs::create_directory(made.path());
        REQUIRE(::chmod(made.path().c_str(), 0700) == 0);
        REQUIRE(::chown(made.path().c_str(), 65534, 65534) == 0);
    }
    request_box box{made.store()};
    auto const put = box.put(cancel);
    REQUIRE_FALSE(put);
    CHECK(put.error().code() == store_errc::unsafe_location);
    // A link to nothing is no folder that is merely missing.
    auto const taken = box.take();
    if (taken) {
        CHECK(taken.value().empty());
        CHECK_FALSE(fs::exists(made.path()));
    } else {
        CHECK(taken.error().code() == store_errc::unsafe_location);
    }
    CHECK((!fs::exists(elsewhere) || fs::is_empty(elsewhere)));
}

TEST_CASE("What is no request is removed, counted, and never done") {
    box_in_a_folder const made;
    request_box asker{made.store()};
    REQUIRE(asker.put(cancel));
    auto const whole = recoup::detail::encode_request(accept);
    SECTION("garbage") { made.plant("0.request", std::string(40, '\xA5')); }
    SECTION("nothing at all") { made.plant("0.request", ""); }
    SECTION("a request that is cut") { made.plant("0.request", whole.substr(0, whole.size() - 1)); }
    SECTION("a request with more behind it") { made.plant("0.request", whole + "x"); }
    SECTION("a request with one bit flipped") {
        auto bytes = whole;
        bytes[8] = static_cast<char>(bytes[8] ^ 1);
        made.plant("0.request", bytes);
    }
    SECTION("a file larger than any request") {
        made.plant("0.request", std::string(std::size_t{1} << 20U, 'x'));
    }
    SECTION("a file that others may read") { made.plant("0.request", whole, 0644); }
    SECTION("a file of another name") { made.plant("0.txt", whole); }
    SECTION("a link") {
        std::ofstream{made.folder / "target", std::ios::binary} << whole;
        REQUIRE(::chmod((made.folder / "target").c_str(), 0600) == 0);
        fs::create_symlink(made.folder / "target", made.path() / "0.request");
    }
    SECTION("a second name of a file that is elsewhere") {
        std::ofstream{made.folder / "target", std::ios::binary} << whole;
        REQUIRE(::chmod((made.folder / "target").c_str(), 0600) == 0);
        fs::create_hard_link(made.folder / "target", made.path() / "0.request");
    }
    SECTION("a pipe that would keep a reader waiting") {
        REQUIRE(::mkfifo((made.path() / "0.request").c_str(), 0600) == 0);
    }
    SECTION("a file of another user") {
        if (::geteuid() != 0) return;
        made.plant("0.request", whole);
        REQUIRE(::chown((made.path() / "0.request").c_str(), 65534, 65534) == 0);
    }
    request_box owner{made.store()};
    CHECK(owner.take().value() == std::vector{cancel});
    CHECK(owner.refused() == 1);
    CHECK(made.files() == 1);
    if (fs::exists(made.folder / "target"))
        CHECK(fs::file_size(made.folder / "target") == whole.size());
}

TEST_CASE("Bytes of a request that ask for what is not known are none") {
    auto const sealed = [](std::string bytes) {
        recoup::detail::put_number(bytes, recoup::detail::crc32c(bytes));
        return bytes;
    };
    auto const bytes = recoup::detail::encode_request(cancel);
    auto const body = bytes.substr(0, bytes.size() - 4);
    REQUIRE(recoup::detail::decode_request(sealed(body)) == cancel);
    auto newer = body;
    newer[4] = 2;
    CHECK_FALSE(recoup::detail::decode_request(sealed(newer)));
    for (auto const what : {'\0', '\4', '\177'}) {
        auto other = body;
        other[5] = what;
        CHECK_FALSE(recoup::detail::decode_request(sealed(other)));
    }
    auto control = body;
    control[14] = 1;  // the length of the text
    CHECK_FALSE(recoup::detail::decode_request(sealed(control + "\n")));
    CHECK_FALSE(recoup::detail::decode_request(""));
    CHECK_FALSE(recoup::detail::decode_request("rcrq"));
}

TEST_CASE("Every bit that flips in a request is seen") {
    auto const bytes = recoup::detail::encode_request(accept);
    for (std::size_t bit = 0; bit != bytes.size() * 8; ++bit) {
        auto flipped = bytes;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
        CHECK_FALSE(recoup::detail::decode_request(flipped));
    }
}

TEST_CASE("A box takes a bounded number of requests, and more when they are done") {
    box_in_a_folder const made;
    request_box asker{made.store()};
    for (std::size_t i = 0; i != request_box::requests_max; ++i) REQUIRE(asker.put(cancel));
    auto const refused = asker.put(cancel);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == store_errc::full);
    request_box owner{made.store()};
    CHECK(owner.take().value().size() == request_box::requests_max);
    CHECK(owner.take().value().empty());
    CHECK(asker.put(cancel));
}

TEST_CASE("A text that could not be read again is not asked for") {
    box_in_a_folder const made;
    request_box asker{made.store()};
    for (auto const& text : {std::string(513, 'x'), std::string{"\xff"}, std::string{"a\nb"}}) {
        auto const refused = asker.put({kind::accept, 1, text});
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code() == store_errc::too_large);
    }
    REQUIRE(asker.put({kind::accept, 1, std::string(512, 'x')}));
    CHECK(request_box{made.store()}.take().value().at(0).text.size() == 512);
}

TEST_CASE("What one left who ended while writing goes after an hour, and not before") {
    box_in_a_folder const made;
    request_box asker{made.store()};
    auto const name = asker.put(cancel).value();
    made.plant(std::string(32, '0') + ".new", "half");
    auto const fresh = name.substr(0, name.find('.')) + ".new";
    made.plant(fresh, "half");
    request_box owner{made.store()};
    CHECK(owner.take().value().size() == 1);
    CHECK(made.files() == 2);
    CHECK(fs::exists(made.path() / fresh));
    CHECK(owner.refused() == 0);
}

TEST_CASE("Who makes a store anew voids what was asked of the one before") {
    box_in_a_folder const made;
    request_box asker{made.store()};
    REQUIRE(asker.put(cancel));
    request_box owner{made.store()};
    REQUIRE(owner.clear());
    CHECK(owner.take().value().empty());
    CHECK(made.files() == 0);
}

}  // namespace
