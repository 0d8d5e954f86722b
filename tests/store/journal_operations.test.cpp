// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/detail/journal_operations.hpp>

#include "support/catch.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

TEST_CASE("A frame of a write that is cut anywhere damages its operation, whatever it says") {
    using namespace recoup::detail;
    auto head = std::optional{recoup::operation_record{}};
    head->number = 7;
    auto const steps = std::array{recoup::step_record{.name = "one"}};
    auto const what = recoup::operation_write{
        .number = 7, .epoch = 1, .steps = steps, .drop_steps = true, .release = true};
    auto const whole = encode_written(what, head, written_size(what, head));
    auto const wrong_with = [](std::string const& payload) {
        auto read = journal_operations{10, record_bytes_limit};
        auto const bytes = std::vector<char>{payload.begin(), payload.end()};  // no byte behind it
        auto const* const wrong = read.replay(
            {.kind = frame_kind::written, .subject = 7, .payload = {bytes.data(), bytes.size()}},
            0);
        return std::string{wrong != nullptr ? wrong : ""};
    };
    CHECK(wrong_with(whole).empty());
    for (std::size_t size = 0; size != whole.size(); ++size) {
        INFO(size);
        CHECK_FALSE(wrong_with(whole.substr(0, size)).empty());
    }
    CHECK(wrong_with(whole + '\0') == "it goes on after its end");
    auto longer = whole;
    place_number(longer.data() + written_front_bytes, std::uint32_t{0xFFFFFFFF});
    CHECK(wrong_with(longer) == "its head is cut");
}
