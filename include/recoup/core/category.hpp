// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <string_view>

namespace recoup::inline v1 {

/// What kind of failure it is, and so whether trying again can help.
///
/// The numbers are stored in records: never renumber, only append.
enum class category : std::uint8_t {
    unknown = 0,             ///< no rule recognised it; retried within the ordinary budget
    cancelled = 1,           ///< somebody asked to stop
    network_timeout = 2,     ///< no answer in time
    network_connection = 3,  ///< refused, reset, unreachable, cut short
    network_dns = 4,         ///< a name could not be resolved
    network_tls = 5,         ///< the handshake or the secure channel failed
    disk_full = 6,           ///< no space, or the file may not grow
    out_of_memory = 7,       ///< memory, descriptors or another table is full
    cpu_exhausted = 8,       ///< no thread or processor time to be had
    quota_exceeded = 9,      ///< an allowance is used up for a long while
    permission = 10,         ///< the file system or the system call said no
    api_permission = 11,     ///< a service knows who asks, and refuses
    authentication = 12,     ///< a service does not accept who asks
    invalid_input = 13,      ///< the data are wrong
    invalid_schema = 14,     ///< the data have the wrong shape
    invalid_format = 15,     ///< the data cannot be parsed
    service_unavailable = 16,
    rate_limited = 17,
    maintenance = 18,
    missing_dependency = 19,
    configuration = 20,
    corruption = 21,  ///< stored or received data are damaged
    not_found = 22,
    defect = 23,  ///< a mistake in the program: std::logic_error and its kin
};

/// The number of categories; each is below it.
inline constexpr std::size_t category_count = 24;

/// How bad a failure of a category is for the one who asked.
enum class severity : std::uint8_t { low, medium, high, critical };

/// Whether trying again can help.
enum class recoverability : std::uint8_t {
    unknown,    ///< may help: retried within the ordinary budget
    transient,  ///< helps, as a rule soon
    later,      ///< helps after a wait; an answer may say how long
    permanent,  ///< does not help: never retried unless a policy lists the category
};

/// What is known of a category.
struct category_info {
    std::string_view name;
    recoup::severity severity;
    recoup::recoverability recoverability;
};

namespace detail {

using enum severity;

inline constexpr category_info category_table[category_count] = {
    {"unknown", medium, recoverability::unknown},
    {"cancelled", low, recoverability::permanent},
    {"network_timeout", medium, recoverability::transient},
    {"network_connection", medium, recoverability::transient},
    {"network_dns", medium, recoverability::transient},
    {"network_tls", high, recoverability::transient},
    {"disk_full", critical, recoverability::permanent},
    {"out_of_memory", critical, recoverability::later},
    {"cpu_exhausted", high, recoverability::later},
    {"quota_exceeded", high, recoverability::permanent},
    {"permission", high, recoverability::permanent},
    {"api_permission", high, recoverability::permanent},
    {"authentication", high, recoverability::permanent},
    {"invalid_input", medium, recoverability::permanent},
    {"invalid_schema", medium, recoverability::permanent},
    {"invalid_format", medium, recoverability::permanent},
    {"service_unavailable", high, recoverability::transient},
    {"rate_limited", low, recoverability::later},
    {"maintenance", medium, recoverability::later},
    {"missing_dependency", high, recoverability::permanent},
    {"configuration", high, recoverability::permanent},
    {"corruption", critical, recoverability::permanent},
    {"not_found", medium, recoverability::permanent},
    {"defect", critical, recoverability::permanent},
};

}  // namespace detail

/// What is known of `what`; a number outside the enumeration is read as `unknown`.
constexpr category_info const& info(category what) noexcept {
    auto const index = static_cast<std::size_t>(what);
    return detail::category_table[index < category_count ? index : 0];
}

/// The name of `what`, as in the enumeration.
constexpr std::string_view to_string(category what) noexcept { return info(what).name; }

/// Whether a failure of this category is retried where no policy says otherwise.
constexpr bool worth_retrying(category what) noexcept {
    return info(what).recoverability != recoverability::permanent;
}

template <class Char, class Traits>
std::basic_ostream<Char, Traits>& operator<<(std::basic_ostream<Char, Traits>& out, category what) {
    return out << to_string(what);
}

/// A set of categories: plain data, no allocation.
class category_set {
  public:
    constexpr category_set() noexcept = default;
    constexpr category_set(std::initializer_list<category> members) noexcept {
        for (auto const member : members) insert(member);
    }
    constexpr void insert(category member) noexcept { bits_ |= bit(member); }
    constexpr void erase(category member) noexcept { bits_ &= ~bit(member); }
    [[nodiscard]] constexpr bool contains(category member) const noexcept {
        return (bits_ & bit(member)) != 0;
    }
    [[nodiscard]] constexpr bool empty() const noexcept { return bits_ == 0; }
    friend constexpr bool operator==(category_set, category_set) noexcept = default;

  private:
    static constexpr std::uint64_t bit(category member) noexcept {
        return std::uint64_t{1} << (static_cast<unsigned>(member) & 63U);
    }
    std::uint64_t bits_ = 0;
};

}  // namespace recoup::inline v1
