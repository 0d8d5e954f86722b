// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/durable/detail/definitions.hpp>
#include <recoup/durable/detail/durable_ports.hpp>
#include <recoup/durable/detail/operation_runner.hpp>
#include <recoup/durable/operations_options.hpp>
#include <recoup/store/durable_store.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// One round of `resume`: claims what is left behind or due, page by page, runs each on some threads, and
/// reports what became of them.
class resume_round {
  public:
    resume_round(durable_ports& ports, operations_options const& options,
                 definitions const& defined, operation_runner& runner,
                 std::atomic<bool> const& closing) noexcept
        : ports_{ports},
          options_{options},
          definitions_{defined},
          runner_{runner},
          closing_{closing} {}

    /// Returns when all of them have run as far as they can.
    resume_report run(std::uint64_t owner) {
        auto report = resume_report{};
        std::mutex mutex;  // of the report and of what was seen
        std::set<std::uint64_t> seen;
        std::vector<operation_record> waiting;
        auto more = true;
        // Gives the next operation, and claims a page more where none is left.
        auto const next = [&]() -> std::optional<operation_record> {
            std::lock_guard const lock{mutex};
            while (waiting.empty() && more && !closing_) {
                auto claimed = runner_.claim_page(owner, claimed_per_thread * threads());
                if (!claimed.has_value()) {
                    report.trouble = std::move(claimed).assume_error();
                    more = false;
                    break;
                }
                auto news = false;
                for (auto& one : claimed.assume_value()) {
                    // What comes back a second time was given back in between: not in this round.
                    if (!seen.insert(one.number).second) {
                        runner_.release(one);
                        continue;
                    }
                    news = true;
                    waiting.push_back(std::move(one));
                }
                more = news;
                std::reverse(waiting.begin(), waiting.end());
            }
            if (waiting.empty()) return std::nullopt;
            auto one = std::move(waiting.back());
            waiting.pop_back();
            return one;
        };
        auto const work = [&] {
            while (auto one = next()) {
                auto const end =
                    closing_ ? runner_.give_up(*one) : runner_.run_claimed(*one, unlimited);
                std::lock_guard const lock{mutex};
                count(report, end.status);
            }
        };
        run_on_threads(work);
        for (auto const& one : waiting) runner_.release(one);
        report_undefined(report);
        return report;
    }

  private:
    static constexpr std::size_t claimed_per_thread = 8;
    static constexpr std::size_t undefined_names_max = 100;
    static constexpr std::size_t undefined_scan_pages_max = 10;

    [[nodiscard]] std::size_t threads() const noexcept {
        return std::max<std::size_t>(options_.threads, 1);
    }

    static void count(resume_report& report, operation_status status) {
        ++report.resumed;
        switch (status) {
            case operation_status::succeeded: ++report.succeeded; break;
            case operation_status::failed: ++report.failed; break;
            case operation_status::cancelled: ++report.cancelled; break;
            case operation_status::blocked: ++report.blocked; break;
            case operation_status::dead: ++report.dead; break;
            case operation_status::pending:
            case operation_status::running: ++report.left; break;
        }
    }

    template <class Work>
    void run_on_threads(Work& work) {
        std::vector<std::jthread> helpers;
        try {
            for (std::size_t i = 1; i < threads(); ++i) helpers.emplace_back([&] { work(); });
        } catch (std::system_error const&) {
            // As many threads as there are to be had; this one is always there.
        }
        work();
    }

    void report_undefined(resume_report& report) {
        auto const names = definitions_.names();
        auto undefined = std::set<std::string>{};
        for (auto const status : {operation_status::pending, operation_status::running}) {
            auto after = std::uint64_t{0};
            for (std::size_t page = 0; page != undefined_scan_pages_max; ++page) {
                auto found = ports_.with_store([&](durable_backend& store) {
                    return store.operations(operation_filter{
                        .status = status, .space = options_.space, .after = after});
                });
                if (!found.has_value() || found.assume_value().empty()) break;
                after = found.assume_value().back().number;
                for (auto const& one : found.assume_value())
                    if (std::find(names.begin(), names.end(), one.id.name) == names.end() &&
                        undefined.size() < undefined_names_max)
                        undefined.insert(one.id.name);
            }
        }
        report.undefined.assign(undefined.begin(), undefined.end());
    }

    durable_ports& ports_;
    operations_options const& options_;
    definitions const& definitions_;
    operation_runner& runner_;
    std::atomic<bool> const& closing_;
};

}  // namespace recoup::inline v1::detail
