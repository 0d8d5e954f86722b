// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/write_behind.hpp>

#include "support/catch.hpp"

#include "store/journal_support.hpp"
#include "store/sqlite_support.hpp"
#include "store/write_behind_support.hpp"

#include <recoup/store/journal_store.hpp>
#include <recoup/store/sqlite_store.hpp>
#include <recoup/testing/store_conformance.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

// The journal before another store, as the log of what waits, and behind a write_behind.

namespace {

using namespace recoup_test::behind;
using recoup::journal_store;
using recoup::sqlite_store;

template <class Inner>
struct logged {
    template <class... Arguments>
    explicit logged(std::string const& log_path, Arguments&&... arguments)
        : inner{std::forward<Arguments>(arguments)...}, log{log_path, journal_test::anywhere()} {}
    Inner inner;
    journal_store log;
    write_behind<Inner, journal_store> behind{inner, log, {.window = 2ms}};
};

template <class Both>
auto behind_of(std::shared_ptr<Both> both) {
    auto* const behind = &both->behind;
    return std::shared_ptr<std::remove_pointer_t<decltype(behind)>>{std::move(both), behind};
}

TEST_CASE("a write_behind whose log is a journal keeps the contract", "[concurrent]") {
    journal_test::folder const in;
    auto made = 0;
    auto const make = [&] {
        return behind_of(
            std::make_shared<logged<memory_store>>(in / (std::to_string(++made) + ".log")));
    };
    auto const report = recoup::testing::check_store(make, {.rounds = 20});
    INFO(report);
    CHECK(report.ok());
}

TEST_CASE("a journal behind a write_behind with a journal as its log keeps the contract",
          "[concurrent]") {
    journal_test::folder const in;
    auto made = 0;
    auto const make = [&] {
        auto const at = in / std::to_string(++made);
        return behind_of(std::make_shared<logged<journal_store>>(at + ".log", at + ".journal",
                                                                 journal_test::anywhere()));
    };
    auto const report = recoup::testing::check_store(
        make, {.durability = recoup::durability::process_crash, .rounds = 20});
    INFO(report);
    CHECK(report.ok());
}

/// A store of one process, of which a copy is made just before the second write to an operation.
class copied_before_write : public sqlite_store {
  public:
    copied_before_write(std::string const& path, journal_test::folder const& from,
                        journal_test::folder const& to)
        : sqlite_store{path, recoup_test::anywhere()}, from_{&from}, to_{&to} {}

    /// Unlike a `sqlite_store`, it keeps a claim under which nothing is written.
    [[nodiscard]] auto take(std::uint64_t number, std::uint64_t epoch, std::uint64_t owner) {
        auto taken = sqlite_store::take(number, epoch, owner);
        REQUIRE(taken.has_value());
        REQUIRE(sqlite_store::write({.number = number, .epoch = taken.value().epoch}).has_value());
        return taken;
    }
    [[nodiscard]] auto write(recoup::operation_write const& what, recoup::duration at_most) {
        if (++writes_ == 2) from_->copy_to(*to_);
        return sqlite_store::write(what, at_most);
    }
    [[nodiscard]] bool was_copied() const { return writes_ >= 2; }

  private:
    journal_test::folder const* from_;
    journal_test::folder const* to_;
    int writes_ = 0;
};

/// Leaves in `to` what a kill leaves of an operation that was written to in a log and nowhere else.
operation_record leave_logged_write(journal_test::folder const& to,
                                    std::vector<recoup::step_record> const& steps) {
    journal_test::folder const in;
    sqlite_store inner{in / "inner", recoup_test::anywhere()};
    journal_store log{in / "log", journal_test::anywhere()};
    write_behind<sqlite_store, journal_store> behind{inner, log, slow()};
    auto head = begun(behind, behind.enter("a test", 1h).value());
    head.progress = "half way";
    REQUIRE(behind.flush().has_value());
    REQUIRE(
        behind.write({.number = head.number, .epoch = head.epoch, .head = &head, .steps = steps})
            .has_value());
    in.copy_to(to);
    return head;
}

TEST_CASE(
    "a replay that ends with the process, between its claim and its write, is replayed again") {
    std::vector<recoup::step_record> const steps{recoup::step_record{.index = 0, .value = "a"}};
    journal_test::folder const killed;
    journal_test::folder const killed_again;
    auto const head = leave_logged_write(killed, steps);
    {
        copied_before_write inner{killed / "inner", killed, killed_again};
        // The write under the old fence is refused; the copy is of the moment before the second one.
        journal_store log{killed / "log", journal_test::anywhere()};
        write_behind<copied_before_write, journal_store> const behind{inner, log, slow()};
        REQUIRE(inner.was_copied());
    }
    losses lost;
    sqlite_store inner{killed_again / "inner", recoup_test::anywhere()};
    journal_store log{killed_again / "log", journal_test::anywhere()};
    write_behind<sqlite_store, journal_store> const behind{inner, log, slow(&lost)};
    CHECK(log.list().value().empty());
    CHECK(inner.find(head.id).value()->progress == "half way");
    CHECK(inner.find(head.id).value()->owner == 0);
    CHECK(inner.steps(head.number).value() == steps);
    CHECK(lost.seen().empty());
}

// The suite's own reopening does not fit: revisions are those of one write_behind.
TEST_CASE("journals behind a write_behind that end with the process give all that was accepted") {
    journal_test::folder const in;
    journal_test::folder const copied;
    operation_record head;
    std::vector<recoup::step_record> const steps{recoup::step_record{.index = 0, .value = "a"}};
    {
        journal_store inner{in / "inner", journal_test::anywhere()};
        journal_store log{in / "log", journal_test::anywhere()};
        write_behind<journal_store, journal_store> behind{inner, log, slow()};
        CHECK(behind.durability() == recoup::durability::process_crash);
        auto const owner = behind.enter("a test", 1h).value();
        head = begun(behind, owner);
        head.progress = "half way";
        auto gone = some("gone", 1);
        gone.revision = behind.save(gone).value();
        REQUIRE(behind.flush().has_value());
        REQUIRE(
            behind
                .write({.number = head.number, .epoch = head.epoch, .head = &head, .steps = steps})
                .has_value());
        REQUIRE(behind.erase(gone.id, gone.revision).has_value());
        REQUIRE(behind.save(some("b", 7)).has_value());
        CHECK(log.list().value().size() == 3);
        CHECK(stored(inner, "gone") == 1);
        in.copy_to(copied);  // as a kill leaves it
    }
    losses lost;
    journal_store inner{copied / "inner", journal_test::anywhere()};
    journal_store log{copied / "log", journal_test::anywhere()};
    write_behind<journal_store, journal_store> const behind{inner, log, slow(&lost)};
    CHECK(log.list().value().empty());
    CHECK(stored(inner, "b") == 7);
    CHECK(stored(inner, "gone") == 0);
    CHECK(inner.find(head.id).value()->progress == "half way");
    CHECK(inner.steps(head.number).value() == steps);
    CHECK(lost.seen().empty());
}

}  // namespace
