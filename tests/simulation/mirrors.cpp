// SPDX-License-Identifier: BSL-1.0
#include "simulation/mirrors.hpp"

#include <recoup/core/failure.hpp>

#include <algorithm>
#include <chrono>

using namespace std::chrono_literals;

namespace simulation {

using recoup::category;
using recoup::duration;
using recoup::failure;

std::string model_file::bytes(std::size_t from, std::size_t count) const {
    std::string all;
    for (auto at = from; at < std::min(from + count, size()); ++at)
        all += static_cast<char>('a' + (number * 31 + at * 7 + at / 11) % 26);
    return all;
}

mirrors::mirrors(scheduler& by, dice& chance, std::size_t count, recoup::steady_time begin,
                 recoup::steady_time end)
    : by_{by}, dice_{chance}, calm_from_{end}, hosts_(count) {
    auto const some_time = [&](trouble what) {
        auto const from = begin + chance.between(0s, end - begin);
        auto const to = std::min(end, from + chance.between(30s, chance.chance(0.3) ? 3h : 20min));
        return bad_time{what, from, to};
    };
    for (auto& one : hosts_)
        for (auto i = chance.between(2, 9); i != 0; --i)
            one.troubles.push_back(some_time(static_cast<trouble>(chance.below(6))));
    // The line of the house fails: all are down at once.
    for (auto i = chance.below(3); i != 0; --i) {
        auto const all = some_time(chance.chance(0.5) ? trouble::down : trouble::silent);
        for (auto& one : hosts_) one.troubles.insert(one.troubles.begin(), all);
    }
}

std::size_t mirrors::index_of(std::string const& name) const {
    for (std::size_t i = 0; i != hosts_.size(); ++i)
        if (host(i) == name) return i;
    return 0;
}

bool mirrors::has(std::size_t host, model_file what) const noexcept {
    return exists(what) && (what.number + host) % 13 != 0;
}

mirrors::bad_time const* mirrors::trouble_of(std::size_t host) const {
    auto const now = by_.clock().now();
    for (auto const& one : hosts_[host].troubles)
        if (one.from <= now && now < one.to) return &one;
    return nullptr;
}

bool mirrors::is_down(std::size_t host) const {
    auto const* const now = trouble_of(host);
    return now != nullptr && (now->what == trouble::down || now->what == trouble::silent);
}

recoup::result<std::string> mirrors::get(std::size_t host, model_file what, std::size_t from,
                                         duration patience, std::stop_token const& stop) {
    auto const takes = [&](duration span) {
        by_.wait_until(recoup::saturating_add(by_.clock().now(), std::min(span, patience)), stop);
        return !stop.stop_requested() && span <= patience;
    };
    auto const ended = [&]() -> failure {
        if (stop.stop_requested()) return failure{category::cancelled, "told to stop"};
        return failure{category::network_timeout, "no answer in time"};
    };
    auto const* const bad = trouble_of(host);
    auto const how = bad != nullptr ? static_cast<int>(bad->what) : -1;
    if (how == static_cast<int>(trouble::down)) {
        if (!takes(dice_.between(1ms, 50ms))) return ended();
        return failure{category::network_connection, "connection refused"};
    }
    if (how == static_cast<int>(trouble::silent)) {
        static_cast<void>(takes(24h));
        return ended();
    }
    if (how == static_cast<int>(trouble::refusing)) {
        if (!takes(dice_.between(5ms, 100ms))) return ended();
        auto const busy = dice_.chance(0.5);
        auto refused = failure{busy ? category::rate_limited : category::service_unavailable,
                               busy ? "429 Too Many Requests" : "503 Service Unavailable"};
        if (dice_.chance(0.8)) refused.retry_after(std::chrono::seconds{dice_.between(1, 90)});
        return refused;
    }
    if (!takes(how == static_cast<int>(trouble::slow) ? dice_.between(2s, 40s)
                                                      : dice_.between(20ms, 900ms)))
        return ended();
    if (!has(host, what)) return failure{category::not_found, "404 Not Found"};
    auto bytes = what.bytes(from, model_file::chunk);
    if (how == static_cast<int>(trouble::cut) && dice_.chance(0.6))
        bytes.resize(dice_.below(bytes.size()));
    if (how == static_cast<int>(trouble::garbled) && dice_.chance(0.4) && !bytes.empty())
        bytes[dice_.below(bytes.size())] = '#';
    // A fault that nobody planned.
    if (by_.clock().now() < calm_from_ && dice_.chance(0.01))
        return failure{category::network_connection, "connection reset"};
    return bytes;
}

}  // namespace simulation
