// SPDX-License-Identifier: BSL-1.0
// Catch2 2 brings its runner in its header: it is compiled once here, for all test binaries.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
