// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/store/detail/postgres_pool.hpp>
#include <recoup/store/detail/postgres_tables.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace recoup::inline v1::detail {

/// Makes the schema where it is missing, and sees that it is this version's.
///
/// Any number of processes may do so at once, without a lock that is one server's own: every statement can
/// be run again, all are one transaction, and who loses a race finds the schema at the next try.
class postgres_schema {
  public:
    postgres_schema(postgres_pool& pool, postgres_store_options const& options)
        : pool_{&pool}, name_{&options.schema} {}

    result<void> open() {
        for (unsigned attempt = 0;; ++attempt) {
            std::optional<failure> refused;
            auto const done = pool_->use("opening the schema", unlimited,
                                         [&](postgres_connection& on, bool, steady_time until) {
                                             return check(on, until, refused, attempt);
                                         });
            if (!done.has_value()) return done;
            if (refused) return *refused;
            if (ready_) return success();
        }
    }

  private:
    using problem = std::optional<postgres_problem>;

    problem check(postgres_connection& on, steady_time until, std::optional<failure>& refused,
                  unsigned attempt) {
        refused.reset();
        std::vector<std::string> found;
        if (auto why = read_columns(on, until, found)) return why;
        auto expected = postgres_columns();
        std::sort(expected.begin(), expected.end());
        std::sort(found.begin(), found.end());
        auto const has_version =
            std::binary_search(found.begin(), found.end(), "store.version bigint");
        if (!has_version && !found.empty()) {
            refused = foreign("has tables, and none that says of which version they are");
            return std::nullopt;
        }
        if (has_version) {
            auto version = on.run(pool_->sql().version(), {}, until);
            if (version.failed()) return std::move(version.problem);
            if (version.rows.size() == 1)
                return judge(on, until, version.rows.integer(0, 0), found, expected, refused);
        }
        if (attempt == creations_max) {
            refused = foreign("could not be made: its version is not there after it was written");
            return std::nullopt;
        }
        return create(on, until);
    }

    problem judge(postgres_connection& on, steady_time until, std::int64_t version,
                  std::vector<std::string> const& found, std::vector<std::string> const& expected,
                  std::optional<failure>& refused) {
        if (version > postgres_schema_version) {
            refused = store_failure(
                store_errc::newer_version,
                "the schema of " + pool_->shown() + " is of version " + std::to_string(version) +
                    "; this program knows versions up to " +
                    std::to_string(postgres_schema_version) + ": a newer recoup made it");
            return std::nullopt;
        }
        for (auto const& one : expected)
            if (!std::binary_search(found.begin(), found.end(), one)) {
                refused = foreign("has no column " + one);
                return std::nullopt;
            }
        if (version != postgres_schema_version) {
            refused = foreign("is of version " + std::to_string(version) + ", which never was");
            return std::nullopt;
        }
        auto triggers = on.run(
            "SELECT CAST(trigger_name AS text) FROM information_schema.triggers "
            "WHERE event_object_schema = $1::text LIMIT 1",
            postgres_values{}.text(*name_), until);
        if (triggers.failed()) return std::move(triggers.problem);
        if (triggers.rows.size() != 0) {
            refused = foreign("has a trigger, " + std::string{triggers.rows.text(0, 0)} +
                              ", that could lose or change what is written");
            return std::nullopt;
        }
        ready_ = true;
        return std::nullopt;
    }

    problem read_columns(postgres_connection& on, steady_time until,
                         std::vector<std::string>& found) {
        auto read = on.run(
            "SELECT CAST(table_name || '.' || column_name || ' ' || data_type AS text) "
            "FROM information_schema.columns WHERE table_schema = $1::text "
            "AND table_name IN ('store', 'owners', 'records', 'operations', 'steps')",
            postgres_values{}.text(*name_), until);
        for (int row = 0; !read.failed() && row != read.rows.size(); ++row)
            found.emplace_back(read.rows.text(row, 0));
        return std::move(read.problem);
    }

    problem create(postgres_connection& on, steady_time until) {
        auto all = pool_->sql().creation();
        all.insert(all.begin(), "BEGIN");
        all.emplace_back("COMMIT");
        for (auto const& one : all) {
            auto done = on.run(one, {}, until);
            if (!done.failed()) continue;
            // Lost against one who made the same at the same time: what he made is there next time.
            if (!done.problem->lost && made_by_another(*done.problem))
                done.problem->state = "40001";
            return std::move(done.problem);
        }
        return std::nullopt;
    }

    failure foreign(std::string const& why) const {
        return store_failure(store_errc::foreign_schema,
                             "the schema of " + pool_->shown() + ' ' + why);
    }

    static constexpr unsigned creations_max = 3;
    postgres_pool* pool_;
    std::string const* name_;
    bool ready_ = false;
};

}  // namespace recoup::inline v1::detail
