// SPDX-License-Identifier: BSL-1.0
// What the decorator adds to an operation of 1 ms: the same fixed work on all sides, interleaved.
#include "sections.hpp"
#include "support/work.hpp"

#include <recoup/core/result.hpp>
#include <recoup/guard/circuit_breaker.hpp>
#include <recoup/guard/deadline.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/store/memory_store.hpp>
#include <recoup/store/persist.hpp>
#include <recoup/store/sqlite_store.hpp>
#include <recoup/with_recovery.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

using namespace std::chrono_literals;

namespace bench {

namespace {

using number = std::uint64_t;

/// One way of doing the operation, and how long each time took.
struct contender {
    std::string name{};
    std::string store{};
    std::string durability{};
    std::string when{};
    bool gated = false;
    std::function<void(number)> run{};
    std::vector<double> microseconds{};
    std::vector<double> percent{};
};

/// Fails the first of two attempts where it is told to: then there is something to record.
struct operation {
    fixed_work const* work;
    bool fails_once = false;
    std::uint32_t calls = 0;

    recoup::result<number> operator()(number) {
        if (fails_once && ++calls % 2 == 1)
            return std::make_error_code(std::errc::connection_reset);
        return (*work)();
    }
};

template <class Result>
void expect_value(Result const& outcome) {
    if (outcome.has_value()) return;
    std::fprintf(stderr, "bench: an operation failed: %s\n", outcome.error().describe().c_str());
    std::abort();
}

constexpr auto bare = "bare";
constexpr auto again = "bare, a second time";
constexpr auto no_wait = recoup::constant(0ms);

template <class Store>
std::function<void(number)> persisted(fixed_work const& work, Store& store,
                                      recoup::persist_when when, bool fails_once) {
    return [call = recoup::with_recovery(
                operation{&work, fails_once}, recoup::retry{.backoff = no_wait},
                recoup::persist(store, recoup::persist_options{.name = "overhead", .when = when},
                                [](number key) { return key; }))](number key) {
        expect_value(call(key));
    };
}

char const* name_of(recoup::persist_when when) {
    return when == recoup::persist_when::start ? "start" : "failure";
}

class contest {
  public:
    contest(plan const& chosen, fixed_work const& work) : work_{work} {
        // A folder that a killed run left behind must not be measured.
        auto const folder = chosen.scratch + "/overhead";
        std::filesystem::remove_all(folder);
        std::filesystem::create_directories(folder);
        using recoup::persist_when;
        add({.name = bare, .run = [this](number key) { expect_value(bare_(key)); }});
        // What the method itself makes of no difference at all.
        add({.name = again, .run = [this](number key) { expect_value(bare_(key)); }});
        add({.name = "decorated",
             .gated = true,
             .run = [call = recoup::with_recovery(operation{&work}, recoup::retry{}, breaker_,
                                                  recoup::deadline{1min})](number key) {
                 expect_value(call(key));
             }});
        add_store("memory", memory_, "none", false);
        for (auto const durability :
             {recoup::durability::process_crash, recoup::durability::power_loss}) {
            auto const text = std::string{to_string(durability)};
            auto store = std::make_unique<recoup::sqlite_store>(
                folder + '/' + text + ".db",
                recoup::sqlite_store_options{.durability = durability});
            add_store("sqlite", *store, text, true);
            files_.push_back(std::move(store));
        }
    }

    /// Each round runs all, in another order, and compares each with the bare operation beside it.
    void run(int rounds) {
        using clock = std::chrono::steady_clock;
        auto key = number{0};
        auto const count = contenders_.size();
        for (auto round = 0; round != rounds; ++round) {
            std::vector<double> took(count);
            for (std::size_t i = 0; i != count; ++i) {
                auto const at = (i * 5 + static_cast<std::size_t>(round)) % count;
                auto const begin = clock::now();
                contenders_[at].run(++key);
                took[at] = std::chrono::duration<double, std::micro>{clock::now() - begin}.count();
            }
            for (std::size_t i = 0; i != count; ++i) {
                contenders_[i].microseconds.push_back(took[i]);
                contenders_[i].percent.push_back((took[i] / took[0] - 1) * 100);
            }
        }
    }

    [[nodiscard]] std::vector<contender> const& contenders() const { return contenders_; }

  private:
    void add(contender one) { contenders_.push_back(std::move(one)); }

    template <class Store>
    void add_store(std::string const& kind, Store& store, std::string const& durability,
                   bool commits) {
        using recoup::persist_when;
        for (auto const when : {persist_when::failure, persist_when::start}) {
            auto const name = kind + (commits ? ", " + durability : "") + ", " + name_of(when);
            auto const gated = when == persist_when::failure || !commits;
            add({.name = name,
                 .store = kind,
                 .durability = durability,
                 .when = name_of(when),
                 .gated = gated,
                 .run = persisted(work_, store, when, false)});
        }
        add({.name = kind + (commits ? ", " + durability : "") + ", failure, one attempt failed",
             .store = kind,
             .durability = durability,
             .when = "failure",
             .gated = false,
             .run = persisted(work_, store, persist_when::failure, true)});
    }

    fixed_work const& work_;
    operation bare_{&work_};
    recoup::circuit_breaker breaker_;
    recoup::memory_store memory_;
    std::vector<std::unique_ptr<recoup::sqlite_store>> files_;
    std::vector<contender> contenders_;
};

}  // namespace

void measure_overhead(plan const& chosen, report& into) {
    auto const work = fixed_work{1ms};
    auto compared = contest{chosen, work};
    auto const rounds = chosen.quick ? 300 : 2'000;
    compared.run(20);  // warm: its samples are few and in the figures, too
    compared.run(rounds);

    auto& details = into.details.at("decorator_overhead");
    details.set("work", "fixed: the same steps of an arithmetic chain on all sides, about 1 ms")
        .set("work_steps", static_cast<std::int64_t>(work.steps()))
        .set("rounds", std::int64_t{rounds})
        .set("method", "interleaved; each overhead is against the bare operation of its round");
    auto& rows = details.at("contenders");
    auto const noise = noise_of(compared.contenders().at(1).percent);
    for (auto const& one : compared.contenders()) {
        auto const percent = spread_of(one.percent);
        auto& row = rows.at(one.name);
        row.set("time_us", spread_of(one.microseconds));
        if (one.name == bare) continue;
        row.set("overhead_percent", percent)
            .set("overhead_percent_quarter_below", quantile(one.percent, 0.25))
            .set("overhead_percent_quarter_above", quantile(one.percent, 0.75))
            .set("gated", one.gated);
        if (!one.store.empty())
            row.set("store", one.store)
                .set("durability", one.durability)
                .set("persist_when", one.when);
        char shown[96];
        std::snprintf(shown, sizeof shown, "%+.2f %% (half between %+.2f and %+.2f)",
                      percent.median, quantile(one.percent, 0.25), quantile(one.percent, 0.75));
        if (one.gated) {
            into.overheads_percent.push_back(percent.median);
            into.judge("overhead on 1 ms: " + one.name, judged(percent.median, 5, noise), shown,
                       "≤ 5 %", requirement::overhead)
                .figure = percent.median;
        } else {
            into.judge("overhead on 1 ms: " + one.name, true, shown, "reported");
        }
    }
}

}  // namespace bench
