// SPDX-License-Identifier: BSL-1.0
#include "launcher/safe_path.hpp"

#include "launcher/errc.hpp"
#include "support/catch.hpp"

#include <string>

using launcher::errc;
using launcher::printable;
using launcher::safe_relative_path;

TEST_CASE("names below their folder are taken, with either separator", "[launcher]") {
    CHECK(safe_relative_path("a.safetensors", "m") == "a.safetensors");
    CHECK(safe_relative_path("SD1.5\\model.safetensors", "m") == "SD1.5/model.safetensors");
    CHECK(safe_relative_path("a/b/c.ckpt", "m") == "a/b/c.ckpt");
    CHECK(safe_relative_path("..a..b.ckpt", "m") == "..a..b.ckpt");
    CHECK(safe_relative_path("模型 (2).safetensors", "m") == "模型 (2).safetensors");
}

TEST_CASE("names that would leave their folder are refused", "[launcher]") {
    std::string const many = [] {
        std::string path = "a";
        for (int i = 0; i < 16; ++i) path += "/a";
        return path;
    }();
    for (std::string const& name :
         {std::string{""}, std::string{".."}, std::string{"."}, std::string{"../a.bin"},
          std::string{"a/../../b.bin"}, std::string{"a\\..\\..\\b.bin"}, std::string{"/etc/a.bin"},
          std::string{"\\\\server\\a.bin"}, std::string{"C:\\a.bin"}, std::string{"a//b.bin"},
          std::string{"a/"}, std::string{"a/./b.bin"}, std::string{"a\nb.bin"},
          std::string{"a\0b.bin", 7}, std::string{"a.bin.part"}, std::string(201, 'a'), many}) {
        INFO(printable(name));
        try {
            auto const taken = safe_relative_path(name, "the model");
            FAIL_CHECK("taken as " << taken);
        } catch (launcher::problem const& problem) {
            CHECK(problem.code() == errc::unsafe_path);
            CHECK_THAT(problem.what(), Catch::Matchers::StartsWith("the model '"));
        }
    }
}

TEST_CASE("what is printed of foreign text cannot steer a terminal", "[launcher]") {
    CHECK(printable("a\x1b[2Jb\n") == "a\\x1b[2Jb\\x0a");
    CHECK(printable(std::string(500, 'x')).size() == 123);
}
