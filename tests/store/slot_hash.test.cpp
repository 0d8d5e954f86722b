// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/detail/slot_hash.hpp>

#include "support/catch.hpp"

#include <cstdint>
#include <set>
#include <string>

namespace {

using recoup::detail::slot_hash;
using recoup::detail::slot_hash_of_name;

}  // namespace

TEST_CASE("An identity's slot is the same whether its name is hashed beforehand or with its key") {
    auto const of_name = slot_hash_of_name("space", "name");
    CHECK(slot_hash(of_name, "key") == slot_hash({"space", "name", "key"}));
    CHECK(slot_hash(of_name, "") == slot_hash({"space", "name", ""}));
}

TEST_CASE("Each byte of a key, and its length, changes the hash by which it finds its slot") {
    std::set<std::uint64_t> seen;
    std::size_t made = 0;
    for (std::size_t size = 0; size != 70; ++size) {
        auto const key = std::string(size, 'a');
        seen.insert(slot_hash({"", "n", key}));
        ++made;
        for (std::size_t i = 0; i != size; ++i)
            for (auto bit = 0; bit != 8; ++bit) {
                auto other = key;
                other[i] = static_cast<char>(other[i] ^ (1 << bit));
                seen.insert(slot_hash({"", "n", other}));
                ++made;
            }
    }
    CHECK(seen.size() == made);
    CHECK(slot_hash({"a", "bc", "k"}) != slot_hash({"ab", "c", "k"}));
}
