// SPDX-License-Identifier: BSL-1.0
#include "durable/order.hpp"

#include <csignal>
#include <cstdio>

#include <unistd.h>

namespace orders {

namespace {

std::string ordered(std::string const& item, int pieces) {
    return item + " x " + std::to_string(pieces);
}

/// The steps of one order that runs.
class order_in_work {
  public:
    order_in_work(recoup::operation& op, diary const& seen, std::optional<kill_point> kill)
        : op_{op}, seen_{seen}, kill_{kill} {}

    std::string operator()(std::string_view step, std::string const& before) {
        auto options = recoup::step_options{.name = std::string{step}};
        if (step == probed_step) {
            options.in_doubt = recoup::in_doubt::probe;
            options.probe = [this, step, before] {
                auto const happened = seen_.count("run", step) != 0;
                return happened ? std::optional{receipt_of(step, before)} : std::nullopt;
            };
        }
        auto const receipt = op_.step(
            options,
            [&](std::string const& from) {
                seen_.add("run", step);
                die_at({step, moment::before_record});
                return receipt_of(step, from);
            },
            before);
        die_at({step, moment::after_record});
        return receipt.value();
    }

  private:
    void die_at(kill_point here) const {
        if (kill_ == here) ::kill(::getpid(), SIGKILL);
    }

    recoup::operation& op_;
    diary const& seen_;
    std::optional<kill_point> kill_;
};

}  // namespace

std::string receipt_of(std::string_view step, std::string_view before) {
    auto hash = std::uint32_t{2166136261};
    for (auto const text : {step, before})
        for (auto const character : text)
            hash = (hash ^ static_cast<unsigned char>(character)) * 16777619U;
    std::array<char, 16> digits{};
    std::snprintf(digits.data(), digits.size(), "-%08x", static_cast<unsigned>(hash));
    return std::string{step} + digits.data();
}

std::string expected_result(std::string const& item, int pieces) {
    auto receipt = ordered(item, pieces);
    for (auto const step : steps) receipt = receipt_of(step, receipt);
    return receipt;
}

recoup::defined_operation<std::string(std::string, int)> define_order(
    recoup::operations& ops, diary const& seen, std::optional<kill_point> kill) {
    return ops.define(std::string{operation_name},
                      [&seen, kill](recoup::operation& op, std::string item,
                                    int pieces) -> recoup::result<std::string> {
                          auto step = order_in_work{op, seen, kill};
                          auto const reserved = step("reserve", ordered(item, pieces));
                          auto const priced = step("price", reserved);
                          auto const charged = step("charge", priced);
                          auto const invoiced = step("invoice", charged);
                          auto const picked = step("pick", invoiced);
                          auto const packed = step("pack", picked);
                          auto const labelled = step("label", packed);
                          auto const shipped = step("ship", labelled);
                          auto const notified = step("notify", shipped);
                          return step("close", notified);
                      });
}

}  // namespace orders
