// SPDX-License-Identifier: BSL-1.0
#include "launcher/mirrors.hpp"

#include <algorithm>
#include <tuple>

namespace launcher {

namespace {

using namespace std::chrono_literals;

std::uint32_t count_of(std::map<std::string, std::uint32_t> const& counts, std::string const& key) {
    auto const found = counts.find(key);
    return found == counts.end() ? 0 : found->second;
}

recoup::circuit_breaker_options options_for(std::string const& host) {
    // A full disk on this side says nothing of the host's health.
    recoup::category_set neutral = recoup::says_nothing_of_health;
    neutral.insert(recoup::category::disk_full);
    return {.failure_rate = 0.8,
            .window = recoup::last_calls(10),
            .open_for = 5s,
            .neutral = neutral,
            .name = host};
}

}  // namespace

recoup::circuit_breaker& host_breakers::of(std::string const& host) {
    std::lock_guard const lock{mutex_};
    auto& breaker = by_host_[host];
    if (!breaker) breaker = std::make_unique<recoup::circuit_breaker>(options_for(host));
    return *breaker;
}

std::vector<std::string> mirrors_to_try(model const& what, download_record const& record,
                                        std::map<std::string, std::uint32_t> const& failures) {
    std::vector<std::tuple<std::uint32_t, std::uint32_t, std::size_t>> ranks;
    for (std::size_t i = 0; i < what.mirrors.size(); ++i)
        ranks.emplace_back(count_of(record.strikes, what.mirrors[i]),
                           count_of(failures, what.mirrors[i]), i);
    std::sort(ranks.begin(), ranks.end());
    std::vector<std::string> order;
    for (auto const& rank : ranks) order.push_back(what.mirrors[std::get<2>(rank)]);
    return order;
}

void strike_sources(download_record& record) {
    for (auto const& [mirror, bytes] : record.sources)
        if (bytes > 0) ++record.strikes[mirror];
}

}  // namespace launcher
