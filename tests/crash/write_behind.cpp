// SPDX-License-Identifier: BSL-1.0
#include "crash/held_store.hpp"
#include "crash/stores.hpp"

#include <recoup/store/journal_store.hpp>
#include <recoup/store/sqlite_store.hpp>
#include <recoup/store/write_behind.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

// A `write_behind` as one store: what it stands on is its own.

namespace recoup_test {

namespace {

using recoup::journal_store;
using recoup::result;
using recoup::sqlite_store;

/// The log of somebody who forgot to write it.
class forgetful_log {
  public:
    explicit forgetful_log(journal_store& claims_to_be) : claims_to_be_{&claims_to_be} {}

    [[nodiscard]] result<std::uint64_t> save(recoup::record const& what, recoup::duration) {
        return what.revision + 1;
    }
    [[nodiscard]] result<void> erase(recoup::operation_ref, std::uint64_t, recoup::duration) {
        return recoup::success();
    }
    [[nodiscard]] result<std::vector<recoup::record>> list(recoup::record_filter const&) {
        return std::vector<recoup::record>{};
    }
    [[nodiscard]] recoup::durability durability() const noexcept {
        return claims_to_be_->durability();
    }

  private:
    journal_store* claims_to_be_;
};

struct stores_below {
    std::unique_ptr<sqlite_store> store;
    std::unique_ptr<journal_store> journal;
    std::unique_ptr<forgetful_log> forgetful;

    [[nodiscard]] auto& log(journal_store const*) const { return *journal; }
    [[nodiscard]] auto& log(forgetful_log const*) const { return *forgetful; }
};

recoup::write_behind_options behind_options() {
    recoup::write_behind_options options;
    // Some is under way and some waits when the process is killed.
    options.window = std::chrono::milliseconds{1};
    return options;
}

template <class Log>
class standing_alone final : private stores_below, public recoup::write_behind<sqlite_store, Log> {
  public:
    explicit standing_alone(stores_below below)
        : stores_below{std::move(below)},
          recoup::write_behind<sqlite_store, Log>{*store, log(static_cast<Log const*>(nullptr)),
                                                  behind_options()} {}

    /// What the store says of itself, and the log.
    [[nodiscard]] result<bool> verify() {
        auto const stored = store->verify();
        if (!stored.has_value()) return stored.error();
        auto const logged = journal->verify();
        if (!logged.has_value()) return logged.error();
        return stored.value().ok() && logged.value().ok();
    }
};

template <class Log>
result<std::unique_ptr<any_store>> open_behind(std::string const& folder) {
    recoup::sqlite_store_options options;
    options.accepted_file_systems = {"tmpfs", "ramfs", "fuse", "9p"};
    options.lock_wait = std::chrono::seconds{1};
    auto store = sqlite_store::open(folder + "/store.db", options);
    if (!store.has_value()) return store.error();
    recoup::journal_store_options of_log;
    of_log.accepted_file_systems = options.accepted_file_systems;
    of_log.lock_wait = options.lock_wait;
    auto journal = journal_store::open(folder + "/log.journal", of_log);
    if (!journal.has_value()) return journal.error();
    auto forgetful = std::make_unique<forgetful_log>(*journal.value());
    try {
        return hold(result<std::unique_ptr<standing_alone<Log>>>{
            std::make_unique<standing_alone<Log>>(stores_below{
                std::move(store.value()), std::move(journal.value()), std::move(forgetful)})});
    } catch (recoup::recovery_error const& what) {
        return what.failure();
    }
}

template <class Log>
store_kind kind_behind(std::string name) {
    store_kind kind;
    kind.name = std::move(name);
    kind.kept = recoup::durability::power_loss;
    kind.keeps_operations = true;
    kind.own_revisions = true;
    kind.opening_calls = 60;  // two stores open, and one hands over to the other
    kind.open = open_behind<Log>;
    return kind;
}

}  // namespace

store_kind write_behind_kind() { return kind_behind<journal_store>("write_behind power_loss"); }

store_kind forgetful_write_behind_kind() {
    return kind_behind<forgetful_log>("write_behind without its log");
}

}  // namespace recoup_test
