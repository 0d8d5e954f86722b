// SPDX-License-Identifier: BSL-1.0
#pragma once

// Catch2 2 and 3 behind one include. The build supplies main().

#if __has_include(<catch2/catch_all.hpp>)

#include <catch2/catch_approx.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/catch_tostring.hpp>
#include <catch2/generators/catch_generators_all.hpp>
#include <catch2/matchers/catch_matchers_all.hpp>

using Catch::Approx;

#elif __has_include(<catch2/catch.hpp>)

#include <catch2/catch.hpp>

namespace Catch::Matchers {

/// The name that version 3 gave to what version 2 calls Contains.
inline StdString::ContainsMatcher ContainsSubstring(
    std::string const& text, CaseSensitive::Choice which = CaseSensitive::Yes) {
    return Contains(text, which);
}

}  // namespace Catch::Matchers

#else

#error "The tests need Catch2, version 2 or 3 (Debian and Ubuntu: the package catch2)."

#endif
