// SPDX-License-Identifier: BSL-1.0
#include <recoup/classify/category_of.hpp>

#include <cerrno>
#include <future>
#include <ios>
#include <map>
#include <set>
#include <string>
#include <system_error>

#include "support/catch.hpp"

using recoup::category;
using recoup::category_of;
using recoup::errc;
using recoup::store_errc;

namespace {

category of_generic(int value) { return category_of({value, std::generic_category()}); }
category of_system(int value) { return category_of({value, std::system_category()}); }

/// An error category of a user's, or of a library that is known by its name.
class named_category final : public std::error_category {
  public:
    explicit named_category(char const* name) : name_{name} {}
    char const* name() const noexcept override { return name_; }
    std::string message(int) const override { return "?"; }

  private:
    char const* name_;
};

/// What its codes mean is what `meaning` says.
class meaning_category final : public std::error_category {
  public:
    explicit meaning_category(std::error_condition meaning) : meaning_{meaning} {}
    char const* name() const noexcept override { return "meaning"; }
    std::string message(int) const override { return "?"; }
    std::error_condition default_error_condition(int) const noexcept override { return meaning_; }

  private:
    std::error_condition meaning_;
};

#ifdef __linux__
// Every errno of Linux; what is in neither list does not exist.
std::map<category, std::set<int>> const by_category{
    {category::network_timeout, {ETIMEDOUT, ETIME}},
    {category::network_connection,
     {ECONNREFUSED, ECONNRESET, ECONNABORTED, ENETDOWN, ENETUNREACH, ENETRESET, EHOSTUNREACH,
      EHOSTDOWN, ENOTCONN, ESHUTDOWN, EPIPE, EPROTO, EADDRNOTAVAIL, ENOLINK, ECOMM, ENONET}},
    {category::disk_full, {ENOSPC, EFBIG}},
    {category::out_of_memory, {ENOMEM, EMFILE, ENFILE, ENOBUFS, ENOLCK, ENOSR, ETOOMANYREFS}},
    {category::quota_exceeded, {EDQUOT, EMLINK, EUSERS}},
    {category::permission, {EPERM, EACCES, EROFS}},
    {category::authentication, {ENOKEY, EKEYEXPIRED, EKEYREVOKED, EKEYREJECTED}},
    {category::invalid_input,
     {EINVAL, EDOM, ERANGE, E2BIG, ENAMETOOLONG, ELOOP, ENOTDIR, EISDIR, ENOTEMPTY, EEXIST, EXDEV,
      EMSGSIZE, EOVERFLOW, ESPIPE, ENOTTY, EDESTADDRREQ, ENOTBLK}},
    {category::invalid_format, {EILSEQ}},
    {category::service_unavailable,
     {EAGAIN, EBUSY, ETXTBSY, EINTR, EINPROGRESS, EALREADY, EADDRINUSE, EDEADLK, ESTALE, ERESTART}},
    {category::missing_dependency,
     {ENOSYS, ENOEXEC, ENOPKG, ELIBACC, ELIBBAD, ELIBSCN, ELIBMAX, ELIBEXEC}},
    {category::configuration,
     {EOPNOTSUPP, EPROTONOSUPPORT, ESOCKTNOSUPPORT, EPFNOSUPPORT, EAFNOSUPPORT, ENOPROTOOPT,
      EMEDIUMTYPE, ERFKILL}},
    {category::corruption, {EBADMSG, EUCLEAN, EHWPOISON, ENOTRECOVERABLE, EOWNERDEAD}},
    {category::not_found, {ENOENT, ENXIO, ENODEV, ESRCH, EIDRM, ENOMSG, ENODATA, ENOMEDIUM}},
    {category::cancelled, {ECANCELED}},
    {category::defect, {EBADF, EFAULT, ECHILD, EISCONN, ENOTSOCK, EPROTOTYPE, EBADFD}},
    // On purpose: an I/O error may be a cable or a dying disk, the rest nobody meets.
    {category::unknown,
     {EIO,       ECHRNG,  EL2NSYNC, EL3HLT,  EL3RST,   ELNRNG,  EUNATCH, ENOCSI,  EL2HLT,   EBADE,
      EBADR,     EXFULL,  ENOANO,   EBADRQC, EBADSLT,  EBFONT,  ENOSTR,  EREMOTE, EADV,     ESRMNT,
      EMULTIHOP, EDOTDOT, ENOTUNIQ, EREMCHG, ESTRPIPE, ENOTNAM, ENAVAIL, EISNAM,  EREMOTEIO}},
};
#endif

}  // namespace

#ifdef __linux__
TEST_CASE("Every errno of Linux means what the table says, generic or system") {
    std::set<int> listed;
    for (auto const& [expected, values] : by_category) {
        for (auto const value : values) {
            INFO(value << ' ' << std::generic_category().message(value));
            CHECK(listed.insert(value).second);
            CHECK(of_generic(value) == expected);
            CHECK(of_system(value) == expected);
        }
    }
    // 41 and 58 are gaps in the numbering.
    for (auto value = 1; value <= EHWPOISON; ++value) {
        INFO(value << ' ' << std::generic_category().message(value));
        CHECK((listed.contains(value) || value == 41 || value == 58));
    }
}
#endif

TEST_CASE("Values that are no errno are unknown") {
    for (auto const value : {0, -1, -110, 134, 4096, 2147483647, -2147483647 - 1}) {
        CHECK(of_generic(value) == category::unknown);
        CHECK(of_system(value) == category::unknown);
    }
    CHECK(category_of({}) == category::unknown);
}

TEST_CASE("The library's own codes have a category") {
    using expected = std::map<errc, category>;
    for (auto const& [code, what] : expected{
             {errc::breaker_open, category::service_unavailable},
             {errc::deadline_exceeded, category::network_timeout},
             {errc::cancelled, category::cancelled},
             {errc::no_value, category::unknown},
             {errc::value_rejected, category::unknown},
             {errc::crash_budget_spent, category::defect},
             {errc::input_mismatch, category::invalid_input},
             {errc::already_running, category::service_unavailable},
             {errc::joins_itself, category::defect},
             {errc::key_invalid, category::invalid_input},
             {errc::value_unreadable, category::invalid_schema},
             {errc::process_ended, category::unknown},
             {errc::result_unstorable, category::defect},
         })
        CHECK(category_of(std::error_code{code}) == what);
    CHECK(category_of(std::error_code{static_cast<errc>(999)}) == category::unknown);
    CHECK(category_of(std::error_code{store_errc::full}) == category::disk_full);
    CHECK(category_of(std::error_code{store_errc::corrupt}) == category::corruption);
    CHECK(category_of(std::error_code{static_cast<store_errc>(999)}) == category::unknown);
}

TEST_CASE("A broken promise is a defect, and a broken stream says nothing") {
    CHECK(category_of(std::make_error_code(std::future_errc::broken_promise)) == category::defect);
    CHECK(category_of(std::make_error_code(std::io_errc::stream)) == category::unknown);
}

TEST_CASE("The codes of Asio and Beast are known by name") {
    struct sample {
        char const* name;
        int code;
        category expected;
    };
    auto const [name, code, expected] = GENERATE(values<sample>({
        {"asio.netdb", 1, category::network_dns},  // host not found
        {"asio.netdb", 2, category::network_dns},  // try again
        {"asio.addrinfo", -8, category::configuration},
        {"asio.misc", 1, category::defect},
        {"asio.misc", 2, category::network_connection},
        {"asio.misc", 3, category::not_found},
        {"asio.misc", 4, category::out_of_memory},
        {"asio.misc", 5, category::unknown},
        {"asio.ssl", 0x0A000086, category::configuration},  // OpenSSL 3: certificate verify failed
        {"asio.ssl", 0x14090086, category::configuration},  // OpenSSL 1.1: the same
        {"asio.ssl", 0x0A00010B, category::network_tls},    // wrong version number
        {"asio.ssl.stream", 1, category::network_connection},
        {"asio.ssl.stream", 2, category::network_tls},
        {"boost.beast", 1, category::network_timeout},
        {"boost.beast", 2, category::unknown},
        {"beast.http", 1, category::network_connection},
        {"beast.http", 2, category::network_connection},
        {"beast.http", 20, category::invalid_format},
        {"somebody.else", 1, category::unknown},
        {"", 1, category::unknown},
    }));
    named_category const domain{name};
    INFO(name << ' ' << code);
    CHECK(category_of({code, domain}) == expected);
}

TEST_CASE("A foreign code means what its default condition means") {
    auto const meaning = [](std::error_condition condition) {
        meaning_category const domain{condition};
        return category_of({7, domain});
    };
    CHECK(meaning(std::errc::timed_out) == category::network_timeout);
    CHECK(meaning(std::errc::io_error) == category::unknown);
    CHECK(meaning(recoup::make_error_condition(category::rate_limited)) == category::rate_limited);
    CHECK(meaning({24, recoup::condition_category()}) == category::unknown);
    CHECK(meaning({-1, recoup::condition_category()}) == category::unknown);
    CHECK(meaning({110, std::system_category()}) == category::unknown);
}

TEST_CASE("OpenSSL's and Asio's numbers are only read under their names") {
    named_category const domain{"asio.sslx"};
    CHECK(category_of({0x0A000086, domain}) == category::unknown);
}
