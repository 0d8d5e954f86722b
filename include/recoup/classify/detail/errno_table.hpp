// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/category.hpp>

#include <array>
#include <cerrno>
#include <cstddef>

namespace recoup::inline v1::detail {

struct errno_row {
    int value;
    recoup::category category;
};

// What is missing here is `unknown` on purpose: EIO, since nothing tells a loose cable from a dying
// disk, and the codes of STREAMS, XENIX and other systems that nobody meets.
inline constexpr errno_row errno_rows[] = {
    {ETIMEDOUT, category::network_timeout},
    {ECONNREFUSED, category::network_connection},
    {ECONNRESET, category::network_connection},
    {ECONNABORTED, category::network_connection},
    {ENETDOWN, category::network_connection},
    {ENETUNREACH, category::network_connection},
    {ENETRESET, category::network_connection},
    {EHOSTUNREACH, category::network_connection},
    {ENOTCONN, category::network_connection},
    {EPIPE, category::network_connection},
    {EPROTO, category::network_connection},
    // At a connect it means that the local ports are used up for now, which passes.
    {EADDRNOTAVAIL, category::network_connection},
    {ENOSPC, category::disk_full},
    {EFBIG, category::disk_full},
    {ENOMEM, category::out_of_memory},
    {EMFILE, category::out_of_memory},
    {ENFILE, category::out_of_memory},
    {ENOBUFS, category::out_of_memory},
    {ENOLCK, category::out_of_memory},
    {EMLINK, category::quota_exceeded},
    {EPERM, category::permission},
    {EACCES, category::permission},
    {EROFS, category::permission},
    {EINVAL, category::invalid_input},
    {EDOM, category::invalid_input},
    {ERANGE, category::invalid_input},
    {E2BIG, category::invalid_input},
    {ENAMETOOLONG, category::invalid_input},
    {ELOOP, category::invalid_input},
    {ENOTDIR, category::invalid_input},
    {EISDIR, category::invalid_input},
    {ENOTEMPTY, category::invalid_input},
    {EEXIST, category::invalid_input},
    {EXDEV, category::invalid_input},
    {EMSGSIZE, category::invalid_input},
    {EOVERFLOW, category::invalid_input},
    {ESPIPE, category::invalid_input},
    {ENOTTY, category::invalid_input},
    {EDESTADDRREQ, category::invalid_input},
    {EILSEQ, category::invalid_format},
    // Busy, interrupted or under way: the same call works a little later.
    {EAGAIN, category::service_unavailable},
    {EWOULDBLOCK, category::service_unavailable},
    {EBUSY, category::service_unavailable},
    {ETXTBSY, category::service_unavailable},
    {EINTR, category::service_unavailable},
    {EINPROGRESS, category::service_unavailable},
    {EALREADY, category::service_unavailable},
    {EADDRINUSE, category::service_unavailable},
    {EDEADLK, category::service_unavailable},
    {ENOSYS, category::missing_dependency},
    {ENOEXEC, category::missing_dependency},
    {ENOTSUP, category::configuration},
    {EOPNOTSUPP, category::configuration},
    {EPROTONOSUPPORT, category::configuration},
    {EAFNOSUPPORT, category::configuration},
    {ENOPROTOOPT, category::configuration},
    // ext4 and XFS report a wrong checksum of their own as EBADMSG.
    {EBADMSG, category::corruption},
    {ENOTRECOVERABLE, category::corruption},
    {EOWNERDEAD, category::corruption},
    {ENOENT, category::not_found},
    {ENXIO, category::not_found},
    {ENODEV, category::not_found},
    {ESRCH, category::not_found},
    {EIDRM, category::not_found},
    {ENOMSG, category::not_found},
    {ECANCELED, category::cancelled},
    {EBADF, category::defect},
    {EFAULT, category::defect},
    {ECHILD, category::defect},
    {EISCONN, category::defect},
    {ENOTSOCK, category::defect},
    {EPROTOTYPE, category::defect},
#ifdef ETIME
    {ETIME, category::network_timeout},
#endif
#ifdef ENOLINK
    {ENOLINK, category::network_connection},
#endif
#ifdef ENODATA
    {ENODATA, category::not_found},
#endif
#ifdef ENOSR
    {ENOSR, category::out_of_memory},
#endif
#ifdef ESHUTDOWN
    {ESHUTDOWN, category::network_connection},
#endif
#ifdef EHOSTDOWN
    {EHOSTDOWN, category::network_connection},
#endif
#ifdef EDQUOT
    {EDQUOT, category::quota_exceeded},
#endif
#ifdef EUSERS
    {EUSERS, category::quota_exceeded},
#endif
#ifdef EPROCLIM
    {EPROCLIM, category::cpu_exhausted},
#endif
#ifdef ETOOMANYREFS
    {ETOOMANYREFS, category::out_of_memory},
#endif
#ifdef ESOCKTNOSUPPORT
    {ESOCKTNOSUPPORT, category::configuration},
#endif
#ifdef EPFNOSUPPORT
    {EPFNOSUPPORT, category::configuration},
#endif
#ifdef ENOTBLK
    {ENOTBLK, category::invalid_input},
#endif
#ifdef ESTALE
    // A file that a server replaced: opening it anew by its name finds the new one.
    {ESTALE, category::service_unavailable},
#endif
#ifdef __linux__
    {ECOMM, category::network_connection},
    {ENONET, category::network_connection},
    {ERESTART, category::service_unavailable},
    {ENOPKG, category::missing_dependency},
    {ELIBACC, category::missing_dependency},
    {ELIBBAD, category::missing_dependency},
    {ELIBSCN, category::missing_dependency},
    {ELIBMAX, category::missing_dependency},
    {ELIBEXEC, category::missing_dependency},
    {ENOMEDIUM, category::not_found},
    {EMEDIUMTYPE, category::configuration},
    {ERFKILL, category::configuration},
    {ENOKEY, category::authentication},
    {EKEYEXPIRED, category::authentication},
    {EKEYREVOKED, category::authentication},
    {EKEYREJECTED, category::authentication},
    {EUCLEAN, category::corruption},
    {EHWPOISON, category::corruption},
    {EBADFD, category::defect},
#endif
};

consteval std::size_t errno_count() {
    auto largest = 0;
    for (auto const& row : errno_rows) largest = row.value > largest ? row.value : largest;
    return static_cast<std::size_t>(largest) + 1;
}

consteval std::array<category, errno_count()> errno_table_by_value() {
    std::array<category, errno_count()> table{};
    for (auto const& row : errno_rows) table[static_cast<std::size_t>(row.value)] = row.category;
    return table;
}

inline constexpr auto errno_table = errno_table_by_value();

/// What an errno value means.
constexpr category category_of_errno(int value) noexcept {
    // A negative value becomes a large index.
    auto const index = static_cast<std::size_t>(static_cast<unsigned>(value));
    return index < errno_table.size() ? errno_table[index] : category::unknown;
}

}  // namespace recoup::inline v1::detail
