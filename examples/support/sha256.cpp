// SPDX-License-Identifier: BSL-1.0
#include "support/sha256.hpp"

#include "support/unique_fd.hpp"

#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <openssl/evp.h>

namespace support {

void sha256::context_deleter::operator()(evp_md_ctx_st* context) const noexcept {
    EVP_MD_CTX_free(context);
}

sha256::sha256() : context_(EVP_MD_CTX_new()) {
    if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1)
        throw std::runtime_error("OpenSSL offers no SHA-256");
}

void sha256::update(std::span<std::byte const> bytes) {
    if (EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) != 1)
        throw std::runtime_error("OpenSSL failed to hash");
}

std::string sha256::hex_digest() {
    std::array<unsigned char, 32> digest{};
    unsigned int length = 0;
    if (EVP_DigestFinal_ex(context_.get(), digest.data(), &length) != 1 || length != digest.size())
        throw std::runtime_error("OpenSSL failed to finish a hash");
    constexpr char digits[] = "0123456789abcdef";
    std::string hex;
    hex.reserve(2 * digest.size());
    for (unsigned char byte : digest) {
        hex += digits[byte >> 4U];
        hex += digits[byte & 15U];
    }
    return hex;
}

std::optional<std::string> sha256_of_file(int fd, std::stop_token const& stop) {
    sha256 hash;
    std::vector<std::byte> buffer(256 * 1024);
    off_t offset = 0;
    while (!stop.stop_requested()) {
        ssize_t const got = ::pread(fd, buffer.data(), buffer.size(), offset);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) throw std::system_error(errno, std::generic_category(), "reading a file");
        if (got == 0) return hash.hex_digest();
        hash.update(std::span{buffer}.first(static_cast<std::size_t>(got)));
        offset += got;
    }
    return std::nullopt;
}

std::optional<std::string> sha256_of_file(std::filesystem::path const& path,
                                          std::stop_token const& stop) {
    unique_fd const file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!file) throw std::system_error(errno, std::generic_category(), path.string());
    return sha256_of_file(file.get(), stop);
}

}  // namespace support
