// SPDX-License-Identifier: BSL-1.0
#include "launcher/model_index.hpp"

#include "launcher/bounded_json.hpp"
#include "launcher/safe_path.hpp"
#include "launcher/workflow.hpp"

#include <algorithm>
#include <set>

namespace launcher {

namespace {

using nlohmann::json;

constexpr std::size_t models_max = 100'000;
constexpr std::size_t mirrors_max = 16;
constexpr std::size_t url_bytes_max = 2048;
constexpr std::uint64_t size_max = std::uint64_t{1} << 50U;  // a pebibyte

json_source const source{.what = "index",
                         .unreadable = errc::index_unreadable,
                         .malformed = errc::index_malformed,
                         .bytes_max = std::size_t{64} * 1024 * 1024};

/// Reads the members of one entry; sentences name the index and the entry's number.
class entry_reader {
  public:
    entry_reader(json const& entry, std::string where) : entry_(entry), where_(std::move(where)) {
        if (!entry.is_object()) malformed("is no object");
    }

    [[nodiscard]] std::string text(char const* member) const {
        json const& value = required(member);
        if (!value.is_string()) malformed(std::string("has a '") + member + "' that is no text");
        return value.get<std::string>();
    }

    [[nodiscard]] std::uint64_t size() const {
        json const& value = required("size");
        if (!value.is_number_unsigned() || value.get<std::uint64_t>() > size_max)
            malformed("has a 'size' that is no number of bytes");
        return value.get<std::uint64_t>();
    }

    [[nodiscard]] std::string sha256() const {
        std::string digest = text("sha256");
        for (char& c : digest)
            if (c >= 'A' && c <= 'F') c = static_cast<char>(c + 32);
        bool const hex = std::all_of(digest.begin(), digest.end(), [](char c) {
            return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
        });
        if (digest.size() != 64 || !hex)
            malformed("has a 'sha256' that is not 64 hexadecimal digits");
        return digest;
    }

    [[nodiscard]] std::vector<std::string> mirrors() const {
        json const& value = required("mirrors");
        if (!value.is_array() || value.empty() || value.size() > mirrors_max)
            malformed("has no array 'mirrors' of 1 to " + std::to_string(mirrors_max) + " URLs");
        std::vector<std::string> urls;
        for (json const& mirror : value) {
            if (!mirror.is_string() || !is_url(mirror.get_ref<std::string const&>()))
                malformed("has a mirror that is no http or https URL");
            urls.push_back(mirror.get<std::string>());
        }
        return urls;
    }

    [[nodiscard]] std::string const& where() const noexcept { return where_; }

  private:
    [[noreturn]] void malformed(std::string const& why) const {
        throw problem(errc::index_malformed, where_ + " " + why);
    }

    [[nodiscard]] json const& required(char const* member) const {
        auto const found = entry_.find(member);
        if (found == entry_.end()) malformed(std::string("has no '") + member + "'");
        return *found;
    }

    static bool is_url(std::string const& url) {
        bool const plain = std::none_of(url.begin(), url.end(), [](char c) {
            return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f;
        });
        return plain && url.size() <= url_bytes_max &&
               (url.starts_with("http://") || url.starts_with("https://"));
    }

    json const& entry_;
    std::string where_;
};

model read_model(json const& value, std::string where) {
    entry_reader const entry{value, std::move(where)};
    std::filesystem::path const name = safe_relative_path(entry.text("name"), entry.where() + ":");
    std::filesystem::path target = name;
    if (value.contains("folder") && value.at("folder") != "")
        target = safe_relative_path(entry.text("folder"), entry.where() + ": the folder") / name;
    return {.name = name.generic_string(),
            .target = std::move(target),
            .size = entry.size(),
            .sha256 = entry.sha256(),
            .mirrors = entry.mirrors()};
}

}  // namespace

void to_json(nlohmann::json& json, model const& what) {
    json = {{"name", what.name},
            {"target", what.target.string()},
            {"size", what.size},
            {"sha256", what.sha256},
            {"mirrors", what.mirrors}};
}

void from_json(nlohmann::json const& json, model& what) {
    json.at("name").get_to(what.name);
    what.target = json.at("target").get<std::string>();
    json.at("size").get_to(what.size);
    json.at("sha256").get_to(what.sha256);
    json.at("mirrors").get_to(what.mirrors);
}

model_index read_index(json const& index, std::string const& name) {
    std::string const named = "the index '" + name + "'";
    auto const malformed = [&](std::string const& why) {
        throw problem(errc::index_malformed, named + " " + why);
    };
    if (!index.is_object() || !index.contains("models") || !index.at("models").is_array())
        malformed("has no array 'models'");
    if (index.contains("version") && index.at("version") != 1)
        malformed("has a version that is not 1");
    if (index.at("models").size() > models_max) malformed("has too many models");

    model_index models;
    std::size_t number = 0;
    for (json const& entry : index.at("models")) {
        model read = read_model(entry, named + ", model " + std::to_string(++number));
        std::string key = read.name;
        if (!models.emplace(std::move(key), std::move(read)).second)
            malformed("lists a model twice, the second time as number " + std::to_string(number));
    }
    return models;
}

model_index read_index(std::filesystem::path const& path) {
    return read_index(read_json(path, source), path.string());
}

std::vector<model> plan_installation(std::vector<std::string> const& names,
                                     model_index const& index) {
    std::vector<model> plan;
    std::set<std::filesystem::path> targets;
    for (std::string const& name : names) {
        // The same model may be named with '\' by one node and with '/' by another.
        auto const path = safe_relative_path(name, "the workflow's model").generic_string();
        auto const known = index.find(path);
        if (known == index.end())
            throw problem(errc::model_not_in_index, "the workflow names the model '" +
                                                        printable(name) +
                                                        "', which the index does not have");
        bool const repeated = std::any_of(plan.begin(), plan.end(),
                                          [&](model const& had) { return had.name == path; });
        if (repeated) continue;
        if (!targets.insert(known->second.target).second)
            throw problem(errc::index_malformed,
                          "the index puts two models at '" + known->second.target.string() + "'");
        plan.push_back(known->second);
    }
    return plan;
}

std::vector<model> plan_installation(std::filesystem::path const& workflow,
                                     std::filesystem::path const& index) {
    return plan_installation(models_named_in(workflow), read_index(index));
}

}  // namespace launcher
