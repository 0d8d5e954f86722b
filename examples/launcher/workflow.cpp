// SPDX-License-Identifier: BSL-1.0
#include "launcher/workflow.hpp"

#include "launcher/bounded_json.hpp"

#include <algorithm>
#include <array>

namespace launcher {

namespace {

using nlohmann::json;

constexpr std::size_t name_bytes_max = 512;
constexpr std::size_t models_max = 1000;
constexpr std::array<std::string_view, 9> endings{".safetensors", ".sft",  ".ckpt", ".pt", ".pth",
                                                  ".bin",         ".gguf", ".onnx", ".pkl"};

json_source const source{.what = "workflow",
                         .unreadable = errc::workflow_unreadable,
                         .malformed = errc::workflow_malformed};

bool same_letter(char a, char b) noexcept {
    auto const lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return lower(a) == lower(b);
}

bool ends_with(std::string_view text, std::string_view ending) noexcept {
    return text.size() > ending.size() &&
           std::equal(ending.begin(), ending.end(), text.end() - std::ssize(ending), same_letter);
}

[[noreturn]] void malformed(std::string const& name, std::string const& why) {
    throw problem(errc::workflow_malformed, "the workflow '" + name + "' " + why);
}

class collector {
  public:
    explicit collector(std::string const& name) : name_(name) {}

    void nodes_of(json const& graph) {
        auto const nodes = graph.find("nodes");
        if (nodes == graph.end() || !nodes->is_array())
            malformed(name_, "has no array 'nodes'; expected a file as ComfyUI exports it");
        for (json const& node : *nodes) {
            if (!node.is_object()) malformed(name_, "has a node that is no object");
            if (auto const values = node.find("widgets_values"); values != node.end())
                collect(*values);
        }
    }
    [[nodiscard]] std::vector<std::string> take() && { return std::move(found_); }

  private:
    // Depth is bounded by the parser.
    void collect(json const& value) {
        if (value.is_structured()) {
            for (json const& member : value) collect(member);
        } else if (value.is_string()) {
            auto const& text = value.get_ref<std::string const&>();
            if (names_a_model(text) &&
                std::find(found_.begin(), found_.end(), text) == found_.end())
                found_.push_back(text);
            if (found_.size() > models_max)
                malformed(name_, "names more than " + std::to_string(models_max) + " models");
        }
    }

    std::string const& name_;
    std::vector<std::string> found_;
};

}  // namespace

bool names_a_model(std::string_view text) noexcept {
    return text.size() <= name_bytes_max && text.find('\n') == std::string_view::npos &&
           std::any_of(endings.begin(), endings.end(),
                       [&](std::string_view ending) { return ends_with(text, ending); });
}

std::vector<std::string> models_named_in(json const& workflow, std::string const& name) {
    if (!workflow.is_object()) malformed(name, "is no JSON object");
    collector found{name};
    found.nodes_of(workflow);
    auto const subgraphs = json::json_pointer{"/definitions/subgraphs"};
    if (workflow.contains(subgraphs) && workflow.at(subgraphs).is_array()) {
        for (json const& graph : workflow.at(subgraphs))
            if (graph.is_object()) found.nodes_of(graph);
    }
    return std::move(found).take();
}

std::vector<std::string> models_named_in(std::filesystem::path const& workflow) {
    return models_named_in(read_json(workflow, source), workflow.string());
}

}  // namespace launcher
