// SPDX-License-Identifier: BSL-1.0
#include "launcher/download_record.hpp"

#include <nlohmann/json.hpp>

namespace launcher {

void to_json(nlohmann::json& json, download_record const& record) {
    json = {{"bytes", record.bytes},       {"attempts", record.attempts},
            {"resumed_at", nullptr},       {"mismatches", record.mismatches},
            {"failures", record.failures}, {"etags", record.etags},
            {"sources", record.sources},   {"strikes", record.strikes}};
    if (record.resumed_at) json["resumed_at"] = *record.resumed_at;
}

void from_json(nlohmann::json const& json, download_record& record) {
    json.at("bytes").get_to(record.bytes);
    json.at("attempts").get_to(record.attempts);
    record.resumed_at.reset();
    if (auto const& offset = json.at("resumed_at"); !offset.is_null())
        record.resumed_at = offset.get<std::uint64_t>();
    json.at("mismatches").get_to(record.mismatches);
    json.at("failures").get_to(record.failures);
    json.at("etags").get_to(record.etags);
    json.at("sources").get_to(record.sources);
    json.at("strikes").get_to(record.strikes);
}

}  // namespace launcher
