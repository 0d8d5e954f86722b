// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stop_token>
#include <string>

#include <recoup/core/result.hpp>

namespace launcher {

/// The part of a file to fetch from one mirror: the bytes from `from` to the end.
struct transfer_request {
    std::string url;
    std::uint64_t from = 0;
    std::uint64_t size = 0;  ///< of the whole file, as the index says
    std::string etag{};      ///< of this mirror, from an earlier transfer; for If-Range
    std::chrono::milliseconds connect_timeout{10'000};
    std::chrono::milliseconds stall_timeout{15'000};  ///< the longest silence
};

/// Takes the bytes of a transfer in their order.
class byte_sink {
  public:
    byte_sink() = default;
    byte_sink(byte_sink const&) = delete;
    byte_sink& operator=(byte_sink const&) = delete;
    virtual ~byte_sink() = default;

    /// Called once before the first byte, when the answer has been found to fit the request: bytes
    /// from `offset` follow. That is 0 instead of `from` where the mirror sends the whole file,
    /// because it knows no ranges or its file is another one than that of `etag`.
    virtual recoup::result<void> begin(std::uint64_t offset, std::string const& etag) = 0;

    virtual recoup::result<void> write(std::span<std::byte const> bytes) = 0;
};

/// Fetches with libcurl and verifies the answer before a byte of it reaches the sink: the status,
/// `Content-Range` and `Content-Length` must agree with what was asked for and with the size.
///
/// Returns: nothing once the byte `size - 1` has been written; else a failure, whose code is the
/// sink's own, a launcher::errc where the mirror lied, or what recoup knows for CURLcode and HTTP
/// status. A `Retry-After` is in the failure.
/// Pre: request.from < request.size.
[[nodiscard]] recoup::result<void> transfer(transfer_request const& request, byte_sink& sink,
                                            std::stop_token const& stop);

/// The host and port that `url` names, for breakers and display; empty where it is no URL.
[[nodiscard]] std::string host_of(std::string const& url);

}  // namespace launcher
