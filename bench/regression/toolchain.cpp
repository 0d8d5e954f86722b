// SPDX-License-Identifier: BSL-1.0
#include "regression/toolchain.hpp"

#include <boost/version.hpp>

namespace bench::regression {

namespace {

std::string compiler() {
#if defined(__clang__)
    return "clang " + std::to_string(__clang_major__);
#elif defined(__GNUC__)
    return "g++ " + std::to_string(__GNUC__);
#else
    return "unknown compiler";
#endif
}

std::string standard_library() {
#if defined(_GLIBCXX_RELEASE)
    return "libstdc++ " + std::to_string(_GLIBCXX_RELEASE);
#elif defined(_LIBCPP_VERSION)
    return "libc++ " + std::to_string(_LIBCPP_VERSION / 10'000);
#else
    return "unknown standard library";
#endif
}

std::string c_library() {
#if defined(__GLIBC__)
    return "glibc " + std::to_string(__GLIBC__) + '.' + std::to_string(__GLIBC_MINOR__);
#else
    return "unknown C library";
#endif
}

std::string architecture() {
#if defined(__x86_64__)
    return "x86_64";
#elif defined(__aarch64__)
    return "aarch64";
#else
    return "unknown architecture";
#endif
}

}  // namespace

std::string toolchain() {
    return compiler() + ", " + standard_library() + ", " + c_library() + ", Boost " +
           std::to_string(BOOST_VERSION / 100'000) + '.' +
           std::to_string(BOOST_VERSION / 100 % 1'000) + ", " + architecture();
}

}  // namespace bench::regression
