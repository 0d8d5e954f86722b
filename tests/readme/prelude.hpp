// SPDX-License-Identifier: BSL-1.0
#pragma once

// What the fragments in the README take for granted: the headers, and functions of a user's program.

#include <recoup/durable.hpp>
#include <recoup/json.hpp>
#include <recoup/recoup.hpp>
#include <recoup/store/memory_store.hpp>
#include <recoup/store/sqlite_store.hpp>
#include <recoup/testing.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

std::string fetch_page(std::string const& url);
int parse_and_import(std::string const& file);
std::string call_api(std::string const& request);
std::vector<std::string> read_plan(std::string const& file);
std::string fetch_model(std::string const& model);

enum class my_errc { quota = 1, moved };
std::error_code make_error_code(my_errc code);
template <>
struct std::is_error_code_enum<my_errc> : std::true_type {};

struct bad_manifest : std::runtime_error {
    using std::runtime_error::runtime_error;
};
