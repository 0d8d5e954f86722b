// SPDX-License-Identifier: BSL-1.0
#pragma once

// Processes that work on a store and end badly, one after the other.

#include "crash/disk.hpp"
#include "crash/settings.hpp"
#include "crash/workload.hpp"
#include "support/catch.hpp"
#include "support/child.hpp"
#include "support/temporary_folder.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace recoup_test {

/// A store in a folder of its own, and what it has to hold.
class victim {
  public:
    victim(store_kind const& kind, std::uint64_t seed, std::size_t lanes = 1)
        : kind_{&kind}, models_{make_models(lanes, seed)} {}

    /// Runs `steps` steps in a process of its own, which first prepares a disk. Whether it was killed.
    bool run(work_options const& how, std::function<void(disk&)> const& prepare = {}) {
        log_.clear();
        child worker{[&](int) {
            disk below{folder_.path(), {.log = false}};
            if (prepare) prepare(below);
            work(how);
            return 0;
        }};
        auto const status = worker.wait();
        adopt_log();
        // In a child a sanitizer's report, a failed assertion and an exception end so.
        if (status != 0 && status != -SIGKILL)
            log_->complain("the process ended with " + std::to_string(status));
        return status == -SIGKILL;
    }

    /// What a worker does; to be called in its process. The store has to open.
    void work(work_options const& how) {
        if (auto const error = try_work(how); error.code())
            log_->complain("the work does not begin: " + error.describe());
    }
    /// The same where it need not; why it did not.
    recoup::failure try_work(work_options const& how) {
        auto opened = kind_->open(folder_.path());
        if (!opened.has_value()) return opened.error();
        log_->stage = 1;
        auto error = run_work(*opened.value(), models_, *log_, how);
        log_->stage = 3;
        return error;
    }

    /// Opens the store here and looks at everything.
    findings look() {
        findings found;
        if (log_->bad) {
            found.wrong = 1;
            found.words = log_->words.data();
            return found;
        }
        disk fast{folder_.path(), {.log = false}};
        auto opened = kind_->open(folder_.path());
        if (!opened.has_value()) {
            found.refused = 1;
            found.words = opened.error().describe();
            return found;
        }
        return judge(*opened.value(), models_);
    }

    [[nodiscard]] std::string const& folder() const { return folder_.path(); }
    [[nodiscard]] store_kind const& kind() const { return *kind_; }
    [[nodiscard]] shared_log& log() { return log_; }
    [[nodiscard]] std::vector<lane_model>& models() { return models_; }
    [[nodiscard]] std::uint64_t acknowledged() const { return acknowledged_; }
    /// Takes over what a process has logged.
    void adopt_log() {
        take(*log_);
        if (kind_->pass_leases) kind_->pass_leases(folder());
    }
    void take(process_log const& log) {
        take_log(models_, log, kind_->keeps_operations);
        if (kind_->own_revisions) forget_revisions(models_);
        acknowledged_ += log.acknowledged();
    }

  private:
    store_kind const* kind_;
    temporary_folder folder_;
    shared_log log_;
    std::vector<lane_model> models_;
    std::uint64_t acknowledged_ = 0;
};

/// How many calls of these kinds a process makes that is not disturbed.
inline std::uint64_t calls_of(store_kind const& kind, std::uint64_t seed, unsigned kinds,
                              work_options const& how) {
    victim undisturbed{kind, seed};
    auto const counted = shared_log{};
    undisturbed.log().clear();
    child worker{[&](int) {
        disk below{undisturbed.folder(), {.log = false}};
        below.count(kinds);
        undisturbed.work(how);
        counted->stage = static_cast<std::uint32_t>(below.count());
        return 0;
    }};
    REQUIRE(worker.wait() == 0);
    REQUIRE(counted->stage != 0);
    return counted->stage;
}

inline std::string figures(findings const& found) {
    return "lost " + std::to_string(found.lost) + ", duplicates " +
           std::to_string(found.duplicates) + ", wrong " + std::to_string(found.wrong) +
           ", refused " + std::to_string(found.refused);
}

}  // namespace recoup_test
