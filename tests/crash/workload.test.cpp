// SPDX-License-Identifier: BSL-1.0
#include "crash/workload.hpp"

#include "crash/forwarding_store.hpp"
#include "crash/harness.hpp"

#include <string>
#include <utility>
#include <vector>

// The judge judged: what is right passes, and each way to be wrong is seen.

namespace {

using namespace recoup_test;
using recoup::result;

struct judged {
    findings found{};
    std::uint64_t acknowledged = 0;
    std::string complaint{};
};

/// Works through `by`, which hands on to `store`, and judges what is seen through it.
judged work_and_judge(any_store& by, std::uint64_t seed, std::uint32_t steps) {
    shared_log log;
    auto models = make_models(1, seed);
    run_work(by, models, *log, {.steps = steps, .refusals_max = 1});
    take_log(models, *log, by.keeps_operations());
    return {judge(by, models), log->acknowledged(), log->words.data()};
}

class forgets_a_step final : public forwarding_store {
  public:
    using forwarding_store::forwarding_store;
    result<recoup::write_receipt> write(recoup::operation_write const& what) override {
        auto less = what;
        if (less.steps.size() > 1) less.steps = less.steps.first(1);
        return forwarding_store::write(less);
    }
};

class forgets_a_head final : public forwarding_store {
  public:
    using forwarding_store::forwarding_store;
    result<recoup::write_receipt> write(recoup::operation_write const& what) override {
        auto less = what;
        if (less.head != nullptr && ++count_ > 2) less.head = nullptr;
        return forwarding_store::write(less);
    }

  private:
    int count_ = 0;
};

class shows_steps_twice final : public forwarding_store {
  public:
    using forwarding_store::forwarding_store;
    result<std::vector<recoup::step_record>> steps(std::uint64_t number) override {
        auto all = forwarding_store::steps(number);
        if (!all.value().empty()) all.value().push_back(all.value().back());
        return all;
    }
};

class lists_operations_twice final : public forwarding_store {
  public:
    using forwarding_store::forwarding_store;
    result<std::vector<recoup::operation_record>> operations(
        recoup::operation_filter const& which) override {
        auto all = forwarding_store::operations(which);
        if (!all.value().empty()) all.value().push_back(all.value().back());
        return all;
    }
};

class changes_a_byte final : public forwarding_store {
  public:
    using forwarding_store::forwarding_store;
    result<std::vector<recoup::step_record>> steps(std::uint64_t number) override {
        auto all = forwarding_store::steps(number);
        for (auto& step : all.value())
            if (!step.value.empty()) step.value.back() ^= 1;
        return all;
    }
};

class keeps_the_old_record final : public forwarding_store {
  public:
    using forwarding_store::forwarding_store;
    result<std::uint64_t> save(recoup::record const& what) override {
        if (what.revision != 0 && ++count_ > 2) return what.revision + 1;
        return forwarding_store::save(what);
    }

  private:
    int count_ = 0;
};

class starts_what_is_there final : public forwarding_store {
  public:
    using forwarding_store::forwarding_store;
    result<recoup::started_operation> start(recoup::operation_record const& head,
                                            std::uint64_t owner) override {
        auto made = forwarding_store::start(head, owner);
        made.value().made = false;
        return made;
    }
};

template <class Mistaken>
judged with() {
    auto const kind = memory_kind();
    auto const store = kind.open("").value();
    Mistaken mistaken{*store};
    return work_and_judge(mistaken, crash_seed(), 200);
}

}  // namespace

TEST_CASE("an undisturbed run is judged right, whatever the seed") {
    for (std::uint64_t seed = crash_seed(); seed != crash_seed() + 40; ++seed) {
        auto const store = memory_kind().open("").value();
        auto const seen = work_and_judge(*store, seed, 200);
        INFO("seed " << seed << ": " << seen.found.words << seen.complaint);
        REQUIRE(seen.found.ok());
        REQUIRE(seen.complaint.empty());
        REQUIRE(seen.acknowledged == 200);
    }
}

TEST_CASE("each way to be wrong is seen by the judge") {
    CHECK(with<forgets_a_step>().found.lost > 0);
    CHECK(with<forgets_a_head>().found.lost > 0);
    CHECK(with<shows_steps_twice>().found.duplicates > 0);
    CHECK(with<lists_operations_twice>().found.duplicates > 0);
    CHECK(with<changes_a_byte>().found.wrong > 0);
    CHECK(with<keeps_the_old_record>().found.lost > 0);
    CHECK_FALSE(with<starts_what_is_there>().complaint.empty());
}
