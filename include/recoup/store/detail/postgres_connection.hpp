// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/clock.hpp>
#include <recoup/platform/socket.hpp>
#include <recoup/store/detail/postgres_error.hpp>
#include <recoup/store/detail/postgres_sql.hpp>
#include <recoup/store/detail/postgres_value.hpp>

#include <bitset>
#include <cstddef>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <libpq-fe.h>

namespace recoup::inline v1::detail {

/// What a statement gave, or why it gave nothing.
struct postgres_answer {
    postgres_rows rows{};
    std::optional<postgres_problem> problem{};

    [[nodiscard]] bool failed() const noexcept { return problem.has_value(); }
};

/// One connection. For one thread at a time. No call goes on after the moment that it is given.
class postgres_connection {
  public:
    postgres_connection(postgres_sql const& sql, std::string const& password)
        : sql_{&sql}, password_{&password} {}
    postgres_connection(postgres_connection const&) = delete;
    postgres_connection& operator=(postgres_connection const&) = delete;
    ~postgres_connection() { close(); }

    [[nodiscard]] bool is_open() const noexcept { return raw_ != nullptr; }

    std::optional<postgres_problem> open(std::string const& conninfo, steady_time until) {
        close();
        // What the string says goes first; the encoding is ours, and so goes behind it.
        char const* const names[] = {"fallback_application_name", "dbname", "client_encoding",
                                     nullptr};
        char const* const values[] = {"recoup", conninfo.c_str(), "UTF8", nullptr};
        raw_ = PQconnectStartParams(names, values, 1);
        if (raw_ == nullptr) throw std::bad_alloc{};
        PQsetNoticeProcessor(raw_, [](void*, char const*) {}, nullptr);
        auto state = PGRES_POLLING_WRITING;
        while (PQstatus(raw_) != CONNECTION_BAD && state != PGRES_POLLING_OK &&
               state != PGRES_POLLING_FAILED) {
            auto const event = state == PGRES_POLLING_READING ? platform::socket_event::readable
                                                              : platform::socket_event::writable;
            if (!platform::wait_for_socket(PQsocket(raw_), event, until)) {
                close();
                return postgres_problem{"", "the server did not answer in time", false, {}};
            }
            state = PQconnectPoll(raw_);
        }
        if (PQstatus(raw_) == CONNECTION_OK && PQsetnonblocking(raw_, 1) == 0) return std::nullopt;
        postgres_problem why{"", message(), false, {}};
        close();
        return why;
    }

    void close() noexcept {
        PQfinish(std::exchange(raw_, nullptr));
        prepared_.reset();
    }

    /// Lets go of it in a forked child: to say goodbye would end the parent's session.
    void abandon() noexcept {
        if (raw_ != nullptr) platform::close_silently(PQsocket(raw_));
        raw_ = nullptr;  // not freed: that would say goodbye, and the child is not to live long
    }

    /// Runs a statement of the store's, prepared at its first use.
    postgres_answer run(postgres_query which, postgres_values const& values, steady_time until) {
        if (auto why = prepare(which, until)) return {{}, std::move(why)};
        auto const all = values.get();
        auto const name = name_of(which);
        if (PQsendQueryPrepared(raw_, name.c_str(), all.count(), all.values.data(),
                                all.lengths.data(), all.formats.data(), 1) == 0)
            return {{}, lost()};
        return receive(until);
    }

    /// Runs one statement as it is.
    postgres_answer run(std::string_view sql, postgres_values const& values, steady_time until,
                        bool binary = true) {
        auto const all = values.get();
        if (PQsendQueryParams(raw_, std::string{sql}.c_str(), all.count(), all.types.data(),
                              all.values.data(), all.lengths.data(), all.formats.data(),
                              binary ? 1 : 0) == 0)
            return {{}, lost()};
        return receive(until);
    }

    /// A statement in a pipeline: one of the store's.
    struct piece {
        postgres_query which;
        postgres_values const* values;
    };

    /// Runs statements as one transaction, sent together: one trip to the server and one commit.
    ///
    /// Returns: the rows of each, or why nothing was done.
    std::optional<postgres_problem> run_together(std::span<piece const> pieces,
                                                 std::vector<postgres_rows>& rows,
                                                 steady_time until) {
        for (auto const& one : pieces)
            if (auto why = prepare(one.which, until)) return why;
        if (PQenterPipelineMode(raw_) == 0) return lost();
        auto sent = send_plain("BEGIN");
        for (auto const& one : pieces) {
            auto const all = one.values->get();
            sent = sent && PQsendQueryPrepared(raw_, name_of(one.which).c_str(), all.count(),
                                               all.values.data(), all.lengths.data(),
                                               all.formats.data(), 1) != 0;
        }
        sent = sent && send_plain("COMMIT") && PQpipelineSync(raw_) != 0;
        if (!sent) return lost();
        std::optional<postgres_problem> why;
        rows.clear();
        for (std::size_t i = 0; i != pieces.size() + 2; ++i) {
            auto one = receive(until);
            if (one.failed() && one.problem->lost) return std::move(one.problem);
            if (one.failed() && !why) why = std::move(one.problem);
            if (i == pieces.size() + 1 && !why &&
                std::string_view{PQcmdStatus(one.rows.get())} != "COMMIT")
                why = postgres_problem{"40001", "the server took the transaction back", false, {}};
            if (i != 0 && i <= pieces.size()) rows.push_back(std::move(one.rows));
        }
        if (auto end = receive(until); end.failed() && end.problem->lost)
            return std::move(end.problem);
        if (PQexitPipelineMode(raw_) == 0) return lost();
        return why;
    }

    /// Whether a transaction is open, whole or failed.
    [[nodiscard]] bool in_transaction() const noexcept {
        auto const state = PQtransactionStatus(raw_);
        return state == PQTRANS_INTRANS || state == PQTRANS_INERROR;
    }
    [[nodiscard]] bool transaction_failed() const noexcept {
        return PQtransactionStatus(raw_) != PQTRANS_INTRANS;
    }

    [[nodiscard]] bool knows_planner_settings() const noexcept { return knows_planner_; }
    void set_knows_planner_settings(bool knows) noexcept { knows_planner_ = knows; }

  private:
    bool send_plain(char const* sql) noexcept {
        return PQsendQueryParams(raw_, sql, 0, nullptr, nullptr, nullptr, nullptr, 1) != 0;
    }
    static std::string name_of(postgres_query which) {
        return "recoup_" + std::to_string(static_cast<std::size_t>(which));
    }
    [[nodiscard]] std::string message() const {
        return without_password(PQerrorMessage(raw_), *password_);
    }
    postgres_problem lost() {
        postgres_problem why{"", message(), true, {}};
        if (why.text.empty()) why.text = "the connection was lost";
        return why;
    }

    std::optional<postgres_problem> prepare(postgres_query which, steady_time until) {
        auto const index = static_cast<std::size_t>(which);
        if (prepared_.test(index)) return std::nullopt;
        if (PQsendPrepare(raw_, name_of(which).c_str(), sql_->text(which).c_str(), 0, nullptr) == 0)
            return lost();
        auto made = receive(until);
        if (!made.failed()) prepared_.set(index);
        return std::move(made.problem);
    }

    /// The result of one statement, or of a sync.
    postgres_answer receive(steady_time until) {
        postgres_answer answer;
        while (true) {
            if (auto why = wait_for_result(until)) return {{}, std::move(why)};
            postgres_rows one{PQgetResult(raw_)};
            if (one.get() == nullptr) return answer;
            auto const status = PQresultStatus(one.get());
            if (status == PGRES_PIPELINE_SYNC) return answer;  // nothing comes behind it
            if (status == PGRES_PIPELINE_ABORTED)
                answer.problem = postgres_problem{"", "a statement before it failed", false, {}};
            else if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
                answer.problem = problem_of(one.get());
            else
                answer.rows = std::move(one);
            if (answer.failed() && answer.problem->lost) return answer;
        }
    }

    postgres_problem problem_of(PGresult const* result) {
        auto const field = [&](int which) {
            auto const* const text = PQresultErrorField(result, which);
            return std::string{text != nullptr ? text : ""};
        };
        postgres_problem why;
        why.state = field(PG_DIAG_SQLSTATE);
        auto text = field(PG_DIAG_MESSAGE_PRIMARY);
        if (text.empty()) text = PQresultErrorMessage(result);
        why.text = without_password(text, *password_);
        // libpq makes results of its own where the connection breaks, without a state.
        why.lost =
            PQstatus(raw_) == CONNECTION_BAD || ends_connection(why.state) || why.state.empty();
        return why;
    }

    std::optional<postgres_problem> wait_for_result(steady_time until) {
        while (true) {
            auto const unsent = PQflush(raw_);
            if (unsent < 0) return lost();
            if (unsent == 0 && PQisBusy(raw_) == 0) return std::nullopt;
            auto const event =
                unsent != 0 ? platform::socket_event::either : platform::socket_event::readable;
            if (!platform::wait_for_socket(PQsocket(raw_), event, until))
                return postgres_problem{"", "the server did not answer in time", true, {}};
            if (PQconsumeInput(raw_) == 0) return lost();
        }
    }

    postgres_sql const* sql_;
    std::string const* password_;
    PGconn* raw_ = nullptr;
    std::bitset<postgres_query_count> prepared_;
    bool knows_planner_ = false;
};

}  // namespace recoup::inline v1::detail
