// SPDX-License-Identifier: BSL-1.0
#include "support/model_files.hpp"

#include "support/sha256.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <fstream>
#include <span>
#include <system_error>

#include <nlohmann/json.hpp>

namespace support {

namespace {

/// SplitMix64 (Steele, Lea, Flood 2014): eight good bytes a step from a counter.
class split_mix {
  public:
    explicit split_mix(std::uint64_t seed) noexcept : state_(seed) {}
    std::uint64_t operator()() noexcept {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
        z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
        z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
        return z ^ (z >> 31U);
    }

  private:
    std::uint64_t state_;
};

nlohmann::json loader_node(int id, model_file const& model) {
    return {
        {"id", id},
        {"type", "CheckpointLoaderSimple"},
        {"pos", {26 + 40 * id, 474}},
        {"size", {{"0", 315}, {"1", 98}}},
        {"flags", nlohmann::json::object()},
        {"order", id},
        {"mode", 0},
        {"outputs", {{{"name", "MODEL"}, {"type", "MODEL"}, {"links", nlohmann::json::array()}}}},
        {"properties", {{"Node name for S&R", "CheckpointLoaderSimple"}}},
        {"widgets_values", {model.name}}};
}

}  // namespace

model_file make_model(model_file model, std::filesystem::path const& to, std::uint64_t seed) {
    std::filesystem::create_directories(to.parent_path());
    std::ofstream file(to, std::ios::binary | std::ios::trunc);
    sha256 hash;
    split_mix next{seed};
    std::vector<std::uint64_t> block(32 * 1024);
    for (std::uint64_t left = model.size; left > 0 && file;) {
        std::generate(block.begin(), block.end(), next);
        auto const all = std::as_bytes(std::span{block});
        auto const piece =
            all.first(static_cast<std::size_t>(std::min<std::uint64_t>(left, all.size())));
        hash.update(piece);
        file.write(reinterpret_cast<char const*>(piece.data()),
                   static_cast<std::streamsize>(piece.size()));
        left -= piece.size();
    }
    file.close();
    if (!file) throw std::system_error(EIO, std::generic_category(), "writing " + to.string());
    model.sha256 = hash.hex_digest();
    return model;
}

std::string workflow_naming(std::vector<model_file> const& models) {
    nlohmann::json nodes = nlohmann::json::array();
    int id = 1;
    for (model_file const& model : models) nodes.push_back(loader_node(id++, model));
    return nlohmann::json{{"last_node_id", id - 1},
                          {"last_link_id", 0},
                          {"nodes", nodes},
                          {"links", nlohmann::json::array()},
                          {"groups", nlohmann::json::array()},
                          {"config", nlohmann::json::object()},
                          {"extra", nlohmann::json::object()},
                          {"version", 0.4}}
        .dump(2);
}

std::string index_of(std::vector<model_file> const& models,
                     std::vector<std::string> const& mirrors) {
    nlohmann::json entries = nlohmann::json::array();
    for (model_file const& model : models) {
        nlohmann::json urls = nlohmann::json::array();
        for (std::string const& mirror : mirrors) urls.push_back(mirror + "/" + model.name);
        entries.push_back({{"name", model.name},
                           {"folder", model.folder},
                           {"size", model.size},
                           {"sha256", model.sha256},
                           {"mirrors", urls}});
    }
    return nlohmann::json{{"version", 1}, {"models", entries}}.dump(2);
}

}  // namespace support
