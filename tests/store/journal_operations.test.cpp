// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/detail/journal_operations.hpp>

#include "support/catch.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace {

/// What a journal appends to, in memory: it is full when that is said.
struct small_log {
    std::string bytes{};
    std::uint64_t numbers = 0;
    bool full = false;

    [[nodiscard]] char const* data() const noexcept { return bytes.data(); }
    [[nodiscard]] std::size_t side() const noexcept { return 0; }
    std::uint64_t next() noexcept { return ++numbers; }
    recoup::result<recoup::detail::appended_frame> append(recoup::detail::frame_kind /*kind*/,
                                                          std::uint64_t /*subject*/,
                                                          std::string const& payload) {
        if (full) return recoup::detail::store_failure(recoup::store_errc::full, "no more");
        auto const at = bytes.size();
        bytes += payload;
        return recoup::detail::appended_frame{at, 1, payload.size()};
    }
};

}  // namespace

TEST_CASE("A wish to cancel in a head that could not be written is none") {
    small_log log;
    auto kept = recoup::detail::journal_operations{10, recoup::detail::record_bytes_limit};
    auto const owner = kept.enter(1);
    auto head = recoup::operation_record{};
    head.id = {"", "job", "k"};
    auto const started = kept.start(log, head, owner);
    REQUIRE(started.has_value());
    head = started.assume_value().record;
    head.cancel_requested = true;
    auto const write = recoup::operation_write{.number = head.number, .epoch = 1, .head = &head};
    log.full = true;
    CHECK_FALSE(kept.write(log, write).has_value());
    CHECK(kept.renew(owner).value().empty());
    auto other = recoup::operation_record{};
    other.id = {"", "job", "other"};
    other.cancel_requested = true;
    CHECK_FALSE(kept.start(log, other, owner).has_value());
    CHECK(kept.renew(owner).value().empty());
    log.full = false;
    CHECK(kept.write(log, write).has_value());
    CHECK(kept.renew(owner).value() == std::vector{head.number});
    // A wish that was there before stays.
    log.full = true;
    CHECK_FALSE(kept.write(log, write).has_value());
    CHECK(kept.renew(owner).value() == std::vector{head.number});
}

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
