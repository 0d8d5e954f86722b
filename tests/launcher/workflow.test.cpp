// SPDX-License-Identifier: BSL-1.0
#include "launcher/workflow.hpp"

#include "launcher/errc.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"
#include "support/text_file.hpp"

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

using launcher::errc;
using launcher::models_named_in;
using names = std::vector<std::string>;

namespace {

names named_in(char const* text) { return models_named_in(nlohmann::json::parse(text), "test"); }

std::error_code problem_of_workflow(std::string const& text) {
    support::temporary_folder const folder{"workflow"};
    support::write_text(folder.path() / "w.json", text);
    try {
        static_cast<void>(models_named_in(folder.path() / "w.json"));
    } catch (launcher::problem const& problem) {
        return problem.code();
    }
    return {};
}

}  // namespace

TEST_CASE("the models of real workflows are found", "[launcher]") {
    std::filesystem::path const data = LAUNCHER_DATA;
    CHECK(models_named_in(data / "default.json") == names{"v1-5-pruned-emaonly.ckpt"});
    CHECK(models_named_in(data / "stable-cascade.json") ==
          names{"stage_b_bf16.safetensors", "stage_c_bf16.safetensors", "model.safetensors",
                "stage_a.safetensors"});
    CHECK(models_named_in(data / "instant-id.json") ==
          names{"instantid.safetensors", "sd_xl_base_1.0_0.9vae.safetensors", "ip-adapter.bin",
                "diffusers_xl_canny_full.safetensors", "SD1.5\\model.safetensors",
                "ip-adapter-plus_sdxl_vit-h.bin"});
}

TEST_CASE("models are found in values of any shape, and in sub-graphs, each once", "[launcher]") {
    CHECK(named_in(R"({"nodes": [
        {"id": 1}, {"widgets_values": null}, {"widgets_values": ["B.GGUF", 3, null, "a prompt"]},
        {"widgets_values": {"lora": {"on": true, "file": "l.pt"}, "again": "B.GGUF"}}],
        "definitions": {"subgraphs": [{"nodes": [{"widgets_values": ["s.onnx"]}]}]}})") ==
          names{"B.GGUF", "l.pt", "s.onnx"});
    CHECK(named_in(R"({"nodes": []})").empty());
}

TEST_CASE("a text is a model's name only if it ends like one", "[launcher]") {
    using launcher::names_a_model;
    CHECK(names_a_model("a.safetensors"));
    CHECK(names_a_model("A.CKPT"));
    CHECK(!names_a_model(".ckpt"));
    CHECK(!names_a_model("a.png"));
    CHECK(!names_a_model("first line\nsecond.bin"));
    CHECK(!names_a_model(std::string(600, 'a') + ".bin"));
}

TEST_CASE("what is no workflow is refused", "[launcher]") {
    CHECK(problem_of_workflow("{\"nodes\": [") == errc::workflow_malformed);
    CHECK(problem_of_workflow("") == errc::workflow_malformed);
    CHECK(problem_of_workflow("[]") == errc::workflow_malformed);
    CHECK(problem_of_workflow("{}") == errc::workflow_malformed);
    CHECK(problem_of_workflow("{\"nodes\": 3}") == errc::workflow_malformed);
    CHECK(problem_of_workflow("{\"nodes\": [3]}") == errc::workflow_malformed);
    CHECK(problem_of_workflow("{\"nodes\": [\"\xff\"]}") == errc::workflow_malformed);
    CHECK_THROWS_AS(models_named_in("/nowhere/w.json"), launcher::problem);
}

TEST_CASE("a workflow that is too deep or too large is refused before it is built", "[launcher]") {
    CHECK(problem_of_workflow(std::string(100'000, '[')) == errc::workflow_malformed);
    std::string const deep = std::string(100'000, '[') + std::string(100'000, ']');
    CHECK(problem_of_workflow("{\"nodes\": " + deep + "}") == errc::workflow_malformed);
    CHECK(problem_of_workflow("{\"nodes\": []" + std::string(17 * 1024 * 1024, ' ') + "}") ==
          errc::workflow_malformed);
    std::string many = "{\"nodes\": [{\"widgets_values\": [";
    for (int i = 0; i < 1001; ++i) many += "\"" + std::to_string(i) + ".pt\",";
    many.back() = ']';
    CHECK(problem_of_workflow(many + "}]}") == errc::workflow_malformed);
}

TEST_CASE("sixty-four levels are not too deep, one more is", "[launcher]") {
    auto const nested = [](int levels) {  // the object, "nodes", the node and the values are four
        std::string text = "{\"nodes\": [{\"widgets_values\": ";
        text += std::string(static_cast<std::size_t>(levels - 3), '[');
        text += std::string(static_cast<std::size_t>(levels - 3), ']');
        return text + "}]}";
    };
    CHECK(problem_of_workflow(nested(64)) == std::error_code{});
    CHECK(problem_of_workflow(nested(66)) == errc::workflow_malformed);
}

TEST_CASE("a folder, a missing file and a pipe are no workflow", "[launcher]") {
    for (char const* path : {"/tmp", "/nowhere/w.json", "/dev/null"}) {
        try {
            static_cast<void>(models_named_in(std::filesystem::path{path}));
            FAIL(path);
        } catch (launcher::problem const& problem) {
            CHECK(problem.code() == errc::workflow_unreadable);
        }
    }
}
