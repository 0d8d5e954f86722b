// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <memory>
#include <string>

#include <sys/types.h>

namespace support {

/// A PostgreSQL server of one's own: made anew in a folder of its own on a disk, reached on loopback with
/// a password, as durable as it comes (fsync on). It ends with this object, or with this process.
///
/// It refuses to run as root: then it runs as user `postgres`.
class postgres_server {
  public:
    /// Returns: null where none can be had here, and then says in `why_not` what is missing.
    static std::unique_ptr<postgres_server> start(std::string& why_not);

    postgres_server(postgres_server const&) = delete;
    postgres_server& operator=(postgres_server const&) = delete;
    ~postgres_server();

    /// What libpq connects with.
    [[nodiscard]] std::string connection_string() const;

    /// Ends it: `abruptly` as a crash would, and so that the next start recovers.
    void stop(bool abruptly = false);

    /// Starts it again, on the same data and the same port. Pre: it was stopped.
    /// Returns: false where it did not come up.
    bool start_again();

    /// What it has logged.
    [[nodiscard]] std::string log() const;

  private:
    postgres_server() = default;

    std::string folder_{};
    std::string binaries_{};
    std::string password_{};
    int port_ = 0;
    pid_t child_ = -1;
};

}  // namespace support
