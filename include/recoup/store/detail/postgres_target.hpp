// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/result.hpp>
#include <recoup/store/detail/postgres_error.hpp>

#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <string_view>

#include <libpq-fe.h>

namespace recoup::inline v1::detail {

/// Where a store connects to, and how that is told to people.
struct postgres_target {
    std::string conninfo{};
    std::string password{};  ///< as far as it is known, to be kept out of texts
    std::string shown{};     ///< without it
};

/// What a connection string says. Its own text is in no failure: anything in it may be a password.
inline result<postgres_target> read_conninfo(std::string const& conninfo,
                                             std::string const& schema) {
    if (conninfo.find('\0') != std::string::npos)
        return store_failure(store_errc::unavailable, "the connection string has a NUL in it");
    char* error = nullptr;
    std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> const given{
        PQconninfoParse(conninfo.c_str(), &error), &PQconninfoFree};
    PQfreemem(error);
    if (given == nullptr)
        return failure{category::configuration, make_error_code(store_errc::unavailable),
                       "the connection string cannot be read; expected words such as host=… "
                       "dbname=…, or postgresql://…"};
    std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> const fallback{PQconndefaults(),
                                                                                &PQconninfoFree};
    if (fallback == nullptr) throw std::bad_alloc{};
    auto const in = [](PQconninfoOption const* all, std::string_view name) -> std::string {
        for (auto const* one = all; one->keyword != nullptr; ++one)
            if (one->keyword == name) return one->val != nullptr ? one->val : "";
        return {};
    };
    auto const value = [&](std::string_view name) {
        auto const here = in(given.get(), name);
        return here.empty() ? in(fallback.get(), name) : here;
    };
    postgres_target target;
    target.conninfo = conninfo;
    target.password = value("password");
    auto host = value("host");
    if (host.empty()) host = value("hostaddr");
    auto const clean = [&](std::string_view text) {
        return without_password(text, target.password);
    };
    target.shown = "postgresql://" + clean(host.empty() ? "local" : host) + ':' +
                   clean(value("port")) + '/' + clean(value("dbname")) + " (as " +
                   clean(value("user")) + ", schema " + schema + ')';
    return target;
}

}  // namespace recoup::inline v1::detail
