// SPDX-License-Identifier: BSL-1.0
#include "crash/values.hpp"

#include <algorithm>
#include <utility>

namespace recoup_test {

namespace {

using recoup::operation_id;
using recoup::operation_record;
using recoup::operation_status;
using recoup::record;
using recoup::record_status;
using recoup::step_record;
using recoup::step_status;

std::uint64_t stirred(std::uint64_t number) {
    number += 0x9E3779B97F4A7C15U;
    number = (number ^ (number >> 30U)) * 0xBF58476D1CE4E5B9U;
    number = (number ^ (number >> 27U)) * 0x94D049BB133111EBU;
    return number ^ (number >> 31U);
}

/// Any other one was never written.
std::string value_of(std::uint64_t seed, std::string const& key, std::uint64_t version,
                     std::size_t size) {
    std::string text;
    text.reserve(size);
    auto state = mixed(seed, key, version);
    while (text.size() < size) {
        state = stirred(state);
        text += static_cast<char>(state);
    }
    return text;
}

/// Most are small, some take several pages.
std::string sized_value(std::uint64_t seed, std::string const& key, std::uint64_t version) {
    auto const drawn = mixed(seed ^ 77, key, version);
    auto const most = drawn % 8 == 0 ? 6000U : 120U;
    return value_of(seed, key, version, (drawn >> 8U) % most);
}

}  // namespace

std::uint64_t mixed(std::uint64_t seed, std::string const& text, std::uint64_t number) {
    for (auto const byte : text) seed = stirred(seed ^ static_cast<unsigned char>(byte));
    return stirred(seed + number);
}

std::string key_of(std::size_t lane, std::size_t key) {
    return "lane" + std::to_string(lane) + "-" + std::to_string(key);
}

operation_id record_id(std::size_t lane, std::size_t key) {
    return {workload_space, "rec", key_of(lane, key)};
}

operation_id id_of(std::size_t lane, std::size_t key) {
    return {workload_space, operation_name, key_of(lane, key)};
}

record make_record(std::uint64_t seed, operation_id id, std::uint64_t version, bool expired) {
    record what;
    what.id = std::move(id);
    what.fingerprint = version;
    what.attempts = static_cast<std::uint32_t>(version % 9);
    what.checkpoint = sized_value(seed, what.id.key, version);
    what.updated = what.created = a_day;
    if (expired) {
        what.status = record_status::failed;
        what.expires = a_day;
    }
    return what;
}

operation_record make_head(std::uint64_t seed, operation_id id, std::uint64_t version,
                           operation_status status) {
    operation_record head;
    head.id = std::move(id);
    head.status = status;
    head.fingerprint = version;
    head.input = sized_value(seed, head.id.key + "i", version);
    head.progress = sized_value(seed, head.id.key + "p", version);
    head.created = head.updated = a_day;
    if (status == operation_status::succeeded) head.result = std::to_string(version);
    return head;
}

step_record make_step(std::uint64_t seed, std::string const& key, std::uint32_t index,
                      std::uint64_t version, step_status status) {
    step_record step;
    step.index = index;
    step.name = "step" + std::to_string(index);
    step.status = status;
    step.fingerprint = version;
    step.updated = a_day;
    auto text = sized_value(seed, key + "s" + std::to_string(index), version);
    (status == step_status::done ? step.value : step.state) = std::move(text);
    return step;
}

bool was_made(std::uint64_t seed, record const& found) {
    auto made = make_record(seed, found.id, found.fingerprint, found.expires == a_day);
    made.revision = found.revision;
    return made == found;
}

bool was_made(std::uint64_t seed, operation_content const& found) {
    auto const& head = found.head;
    auto made = make_head(seed, head.id, head.fingerprint, head.status);
    if (made.progress != head.progress || made.input != head.input || made.result != head.result)
        return false;
    return std::all_of(found.steps.begin(), found.steps.end(), [&](step_record const& step) {
        return step == make_step(seed, head.id.key, step.index, step.fingerprint, step.status);
    });
}

operation_record plain(operation_record head) {
    head.number = head.epoch = head.owner = 0;
    return head;
}

bool same(operation_content const& left, operation_content const& right) {
    return plain(left.head) == plain(right.head) && left.steps == right.steps;
}

bool same(record const& expected, record const& found) {
    if (expected.revision != 0) return expected == found;
    auto copy = expected;
    copy.revision = found.revision;
    return copy == found;
}

bool is_running(operation_content const& what) {
    return what.head.status == operation_status::running ||
           what.head.status == operation_status::pending;
}

}  // namespace recoup_test
