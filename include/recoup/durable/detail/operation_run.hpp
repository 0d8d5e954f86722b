// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/attempt.hpp>
#include <recoup/core/errc.hpp>
#include <recoup/core/event.hpp>
#include <recoup/core/identity.hpp>
#include <recoup/core/redact.hpp>
#include <recoup/core/result.hpp>
#include <recoup/durable/detail/durable_ports.hpp>
#include <recoup/durable/operation_interrupted.hpp>
#include <recoup/durable/operations_options.hpp>
#include <recoup/durable/step_options.hpp>
#include <recoup/store/durable_store.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// Why a run must not go on.
enum class interruption : std::uint8_t {
    none,
    cancelled,     ///< somebody wants the operation to end
    fenced,        ///< another owner has it
    store_failed,  ///< no work without a record
    shut_down,     ///< `operations` ends
    stopped,       ///< the caller's stop token was triggered
    deadline,      ///< the caller's time is up
    in_doubt,      ///< somebody has to decide whether a step has happened
    asleep,        ///< it is given back until it is due
};

/// The names and ids of the steps that are open.
using open_steps = std::set<std::tuple<std::string, std::string>, std::less<>>;

/// What `operation_run` found for a step that is asked for.
struct opened_step {
    open_steps::const_iterator place{};  ///< for `close_step`
    step_record row{};                   ///< what is recorded, or what will be
    bool known = false;                  ///< it has a row in the store
    bool replayed = false;               ///< its result is recorded
};

/// One run of an operation's body: its record and steps as this process knows them, and how they are
/// written. It knows no callable and no type.
///
/// Thread safety: all members may be called concurrently; those that start and end a run are for its
/// runner.
class operation_run {
  public:
    operation_run(std::shared_ptr<durable_ports> ports, operation_id id,
                  operation_run const* parent) noexcept
        : ports_{std::move(ports)}, id_{std::move(id)}, parent_{parent} {}
    operation_run(operation_run const&) = delete;
    operation_run& operator=(operation_run const&) = delete;

    // ---- for the runner

    /// Begins with what is recorded of the operation.
    void begin(operation_record head, std::vector<step_record> rows, bool replays_to_undo,
               std::uint32_t steps_max, steady_time until) {
        std::lock_guard const lock{mutex_};
        head_ = std::move(head);
        steps_max_ = steps_max;
        give_up_at_ = until;
        to_undo_ = replays_to_undo;
        for (auto& row : rows) {
            next_index_ =
                std::max(next_index_, row.index == UINT32_MAX ? row.index : row.index + 1);
            auto key = key_of(row);
            rows_.insert_or_assign(std::move(key), known_step{std::move(row)});
        }
    }

    /// Whether a sleeper may be given back instead of holding its thread, and from which length on.
    void park_after(duration at_least) noexcept { park_after_ = at_least; }
    [[nodiscard]] duration park_after() const noexcept { return park_after_; }

    /// No step can be begun any more.
    void end_body() noexcept { ended_ = true; }

    [[nodiscard]] operation_record head() const {
        std::lock_guard const lock{mutex_};
        return head_;
    }
    [[nodiscard]] std::uint64_t number() const {
        std::lock_guard const lock{mutex_};
        return head_.number;
    }
    [[nodiscard]] operation_id const& id() const noexcept { return id_; }
    [[nodiscard]] operation_run const* parent() const noexcept { return parent_; }
    [[nodiscard]] durable_ports& ports() const noexcept { return *ports_; }
    [[nodiscard]] bool replays_to_undo() const noexcept { return to_undo_; }

    // ---- being stopped

    [[nodiscard]] std::stop_token stop_token() const noexcept { return stop_.get_token(); }
    [[nodiscard]] bool cancel_requested() const noexcept { return cancelled_; }

    /// Somebody wants the operation to end.
    void cancel() {
        cancelled_ = true;
        if (!to_undo_) stop_.request_stop();
    }
    /// The body is to end as soon as it can, and the operation to stay as it is.
    void ask_to_leave(interruption why) {
        auto none = interruption::none;
        leaving_.compare_exchange_strong(none, why);
        stop_.request_stop();
    }
    /// It must not go on. The first reason stands.
    void interrupt(interruption why, failure what = {}) {
        {
            std::lock_guard const lock{mutex_};
            if (why_ != interruption::none) return;
            why_ = why;
            trouble_ = std::move(what);
        }
        stop_.request_stop();
    }
    [[nodiscard]] interruption why() const noexcept { return why_; }
    [[nodiscard]] failure trouble() const {
        std::lock_guard const lock{mutex_};
        return trouble_;
    }
    /// Why it is to be given back, where somebody wants that.
    [[nodiscard]] interruption leaving() const noexcept { return leaving_; }
    [[nodiscard]] bool stopping() const {
        return (cancelled_ && !to_undo_) || leaving_ != interruption::none ||
               why() != interruption::none;
    }

    /// Throws: operation_interrupted where the run must not go on.
    void check() {
        if (ended_) throw operation_interrupted{};
        if (auto const leaving = leaving_.load(); leaving != interruption::none)
            interrupt(leaving);
        else if (cancelled_ && !to_undo_)
            interrupt(interruption::cancelled);
        else if (give_up_at_ != steady_time::max() && ports_->clock().now() >= give_up_at_)
            interrupt(interruption::deadline);
        if (why() != interruption::none) throw operation_interrupted{};
    }
    [[nodiscard]] steady_time give_up_at() const noexcept { return give_up_at_; }

    // ---- steps

    /// Opens the step of a name and an id, or of a name and its place among those of the name.
    ///
    /// Effects: until `close_step`, no other of the same name and id can be opened.
    /// Throws: operation_interrupted where the run must not go on.
    result<opened_step> open_step(std::string_view name, std::string_view id) {
        check();
        std::unique_lock lock{mutex_};
        if (open_.contains(std::tuple{name, id}))
            return failure{category::defect, errc::step_running,
                           "a step " + shown(name, id) +
                               " is running: steps of one name that run at the same time need an "
                               "id each"};
        auto count = std::uint32_t{0};
        if (id.empty()) {
            auto next = counts_.find(name);
            if (next == counts_.end()) next = counts_.emplace(name, 0).first;
            if (next->second == UINT32_MAX) return too_many();
            count = next->second++;
        }
        auto const found = rows_.find(std::tuple{count, name, id});
        auto opened = opened_step{};
        if (found != rows_.end()) {
            auto& [row, reached] = found->second;
            reached = true;
            opened.row = row;
            opened.known = true;
            opened.replayed = is_recorded(row) || (to_undo_ && row.status == step_status::undone);
        }
        if (to_undo_ && !opened.replayed) {
            if (++refused_ > refused_max) {
                lock.unlock();
                interrupt(interruption::cancelled);
                throw operation_interrupted{};
            }
            return failure{
                category::cancelled, errc::operation_undone,
                "step " + shown(name, id) + " is not run: the operation is being undone"};
        }
        if (found == rows_.end()) {
            if (next_index_ >= steps_max_) return too_many();
            opened.row.index = next_index_++;
            opened.row.count = count;
            opened.row.name = name;
            opened.row.id = id;
        }
        opened.place = open_.emplace(name, id).first;
        return opened;
    }

    void close_step(open_steps::const_iterator place) noexcept {
        std::lock_guard const lock{mutex_};
        open_.erase(place);
    }

    /// Records a step, under the fence. A failure other than of the step's own making interrupts the run.
    result<write_receipt> write_step(step_record row) {
        check_not_interrupted();
        row.updated = ports_->clock().system_now();
        auto written = settle(ports_->with_store([&](durable_backend& store) {
            auto const [number, epoch] = fence();
            return store.write(
                operation_write{.number = number, .epoch = epoch, .steps = std::span{&row, 1}});
        }));
        if (written.has_value()) remember(std::move(row));
        return written;
    }

    /// Records a step in the store's own transaction.
    result<write_receipt> write_step_tx(step_record& row, transaction_body const& body) {
        check_not_interrupted();
        auto written = ports_->with_store([&](durable_backend& store) {
            auto const [number, epoch] = fence();
            return store.transact(number, epoch, [&](void* at) -> result<step_record> {
                auto made = body(at);
                if (made.has_value()) row = made.assume_value();
                return made;
            });
        });
        return written;
    }

    /// What a write came to: the run is interrupted where it must be.
    result<write_receipt> settle(result<write_receipt> written) {
        if (!written.has_value()) {
            auto const& trouble = written.assume_error();
            // A value that no store could take is the step's failure, not the store's.
            if (trouble.code() == store_errc::too_large) return written;
            interrupt(trouble.code() == store_errc::fenced ? interruption::fenced
                      : trouble.code() == errc::shut_down  ? interruption::shut_down
                                                           : interruption::store_failed,
                      trouble);
            if (trouble.code() != store_errc::fenced) emit(event_kind::store_failed, {}, &trouble);
            return written;
        }
        if (written.assume_value().cancel_requested) cancel();
        return written;
    }

    /// Takes a step that was recorded for one that is known.
    void remember(step_record&& row) {
        auto key = key_of(row);
        std::lock_guard const lock{mutex_};
        auto& known = rows_[std::move(key)];
        known.row = std::move(row);
        known.reached = true;
    }

    /// Changes the head and records it, with a step where one goes with it. A wish to cancel stays in the
    /// store, whoever has heard of it, until a head is written that ends the operation.
    template <class Change>
    result<write_receipt> write_head(Change&& change, step_record const* row = nullptr,
                                     bool release = false) {
        std::lock_guard const order{head_mutex_};  // heads reach the store as they were made
        auto next = head();
        change(next);
        next.updated = ports_->clock().system_now();
        auto stamped = row != nullptr ? *row : step_record{};
        stamped.updated = next.updated;
        auto written = settle(ports_->with_store([&](durable_backend& store) {
            return store.write(
                operation_write{.number = next.number,
                                .epoch = next.epoch,
                                .head = &next,
                                .steps = std::span{&stamped, row != nullptr ? 1U : 0U},
                                .drop_wish = has_ended(next.status),
                                .release = release});
        }));
        if (written.has_value()) {
            if (row != nullptr) remember(std::move(stamped));
            if (written.assume_value().cancel_requested && !has_ended(next.status))
                next.cancel_requested = true;
            std::lock_guard const lock{mutex_};
            head_ = std::move(next);
        }
        return written;
    }

    /// Remembers how a recorded step is undone.
    void keep_undo(step_record const& row, undo_action undo) {
        if (!undo) return;
        std::lock_guard const lock{mutex_};
        undos_.emplace_back(key_of(row), std::move(undo));
    }

    // ---- undoing

    /// From here on only undoing is recorded; that the operation was cancelled is no reason to stop.
    void begin_undoing() {
        std::lock_guard const lock{mutex_};
        to_undo_ = true;
        if (why_ == interruption::cancelled) why_ = interruption::none;
    }
    struct undo_entry {
        step_record row;
        undo_action undo;
    };
    /// What is to be undone, in that order.
    [[nodiscard]] std::vector<undo_entry> undo_entries() const {
        std::vector<undo_entry> all;
        std::lock_guard const lock{mutex_};
        for (auto const& [key, undo] : undos_) {
            auto const known = rows_.find(key);
            if (known == rows_.end()) continue;
            auto const& row = known->second.row;
            if (row.status != step_status::begun && row.status != step_status::undone)
                all.push_back({row, undo});
        }
        std::sort(all.begin(), all.end(), [](auto const& left, auto const& right) {
            return left.row.index > right.row.index;
        });
        return all;
    }
    /// Whether anything that was done is recorded.
    [[nodiscard]] bool has_recorded_steps() const {
        std::lock_guard const lock{mutex_};
        return std::any_of(rows_.begin(), rows_.end(),
                           [](auto const& one) { return is_recorded(one.second.row); });
    }
    /// Recorded steps that the body has not asked for.
    [[nodiscard]] std::vector<step_record> unreached() const {
        std::vector<step_record> all;
        std::lock_guard const lock{mutex_};
        for (auto const& [key, known] : rows_)
            if (is_recorded(known.row) && !known.reached) all.push_back(known.row);
        return all;
    }
    /// Whether it had begun before this run.
    [[nodiscard]] bool resumed() const noexcept { return resumed_; }
    void mark_resumed() noexcept { resumed_ = true; }

    /// Whether no other step than the caller's is open.
    [[nodiscard]] bool is_alone() const {
        std::lock_guard const lock{mutex_};
        return open_.size() <= 1;
    }

    void emit(event_kind kind, std::string_view step = {}, failure const* what = nullptr,
              std::uint32_t attempt = 0) const noexcept {
        if (!ports_->observed()) return;
        ports_->emit({.kind = kind,
                      .attempt = attempt,
                      .failure = what,
                      .operation = id_.name,
                      .key = id_.key,
                      .step = step});
    }

    static std::string shown(std::string_view name, std::string_view id) {
        auto text = '"' + std::string{name} + '"';
        if (!id.empty()) text.append(" (id \"").append(id).append("\")");
        return text;
    }

    // ---- who waits for it

    /// Says how it ended; nothing: whoever waits has to look at the record again.
    void publish(std::optional<result<std::string>> outcome) {
        std::lock_guard const lock{mutex_};
        outcome_ = std::move(outcome);
    }
    /// Wakes those who wait, once nothing runs any more.
    void set_over() noexcept { over_.request_stop(); }
    [[nodiscard]] std::stop_token over() const noexcept { return over_.get_token(); }
    [[nodiscard]] std::optional<result<std::string>> outcome() const {
        std::lock_guard const lock{mutex_};
        return outcome_;
    }
    std::atomic<std::uint64_t> fingerprint = 0;  ///< of the input

  private:
    /// Which one of its name, the name, the id: of steps in a loop only the first differs.
    using step_key = std::tuple<std::uint32_t, std::string, std::string>;
    struct known_step {
        step_record row{};
        bool reached = false;  ///< this run has asked for it
    };
    // A body that asks for the same step again and again is not waited for while it is undone.
    static constexpr std::size_t refused_max = 1000;

    static step_key key_of(step_record const& row) { return {row.count, row.name, row.id}; }
    static bool is_recorded(step_record const& row) noexcept {
        return row.status == step_status::done || row.status == step_status::undoing;
    }
    failure too_many() const {
        return failure{category::defect, errc::step_limit,
                       "operation " + display(id_) + " has " + std::to_string(steps_max_) +
                           " steps, which is its limit"};
    }
    void check_not_interrupted() const {
        if (why() != interruption::none) throw operation_interrupted{};
    }
    std::pair<std::uint64_t, std::uint64_t> fence() const {
        std::lock_guard const lock{mutex_};
        return {head_.number, head_.epoch};
    }

    std::shared_ptr<durable_ports> ports_;
    operation_id const id_;
    operation_run const* const parent_;
    mutable std::mutex mutex_;
    std::mutex head_mutex_;
    operation_record head_{};
    std::map<step_key, known_step, std::less<>> rows_;
    std::map<std::string, std::uint32_t, std::less<>> counts_;
    open_steps open_;
    std::vector<std::pair<step_key, undo_action>> undos_;
    std::uint32_t next_index_ = 0;
    std::uint32_t steps_max_ = UINT32_MAX;
    std::size_t refused_ = 0;
    std::atomic<bool> to_undo_ = false;
    std::atomic<bool> ended_ = false;
    std::atomic<bool> resumed_ = false;
    std::atomic<bool> cancelled_ = false;
    std::atomic<interruption> leaving_ = interruption::none;
    std::atomic<interruption> why_ = interruption::none;
    failure trouble_{};
    steady_time give_up_at_ = steady_time::max();
    duration park_after_ = unlimited;
    std::stop_source stop_;
    std::stop_source over_;
    std::optional<result<std::string>> outcome_{};
};

/// Keeps a step open as long as it lives.
class open_mark {
  public:
    open_mark(operation_run& run, opened_step const& opened) noexcept
        : run_{run}, place_{opened.place} {}
    open_mark(open_mark const&) = delete;
    open_mark& operator=(open_mark const&) = delete;
    ~open_mark() { run_.close_step(place_); }

  private:
    operation_run& run_;
    open_steps::const_iterator const place_;
};

}  // namespace recoup::inline v1::detail
