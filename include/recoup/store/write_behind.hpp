// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/clock.hpp>
#include <recoup/platform/file.hpp>
#include <recoup/store/detail/write_behind_engine.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace recoup::inline v1 {

/// No log: what waits is lost with the process.
using no_log = detail::no_log;

/// Takes a store's latency off the caller's path: what is saved waits in a bounded queue, and one thread
/// hands it to the store.
///
/// - What is accepted is seen by every later call through this object, and who is too late is told at
///   once. Saves of one record that wait are one; so are writes of one operation.
/// - The window of loss is `window()`, and the time that the store takes; `statistics()` has what was
///   measured. `flush` returns when everything accepted before is as durable as the store declares.
///   `durability()` is what holds when a call returns: nothing, or what the log gives.
/// - With a log, a second store that this object alone uses, what was accepted is there until the store
///   has it; the constructor hands over what the log holds.
/// - Where another writer was faster, in another process, what waited is lost: `on_loss` tells, and the
///   next call for that record or operation gets the failure. A store that is unavailable, locked or
///   full is asked again for as long as it takes, and a full queue makes callers wait, then refuses with
///   `unavailable`; any other failure of it stops this object.
/// - Of durable operations only `write` waits. `start`, `claim` and all else hand over what waits, and
///   take the store's time. The same holds for `list` and `clean_up`, and for reading an operation that waits.
/// - Revisions are those of this object: a new one on the same store gives the store's.
/// - In a forked child every call is `forked`.
///
/// Pre: `store`, and `log` and `clock` where given, outlive this. No other object of this process uses
/// the store for writing.
/// Thread safety: all members may be called concurrently.
template <persistence_policy Store, class Log = no_log, clock Clock = real_clock>
class write_behind {
    using engine = detail::write_behind_engine<Store, Log, Clock>;

  public:
    explicit write_behind(Store& store, write_behind_options options = {})
        requires std::same_as<Log, no_log>
        : write_behind{store, no_log::instance(), std::move(options)} {}
    write_behind(Store& store, Log& log, write_behind_options options = {})
        requires std::same_as<Clock, real_clock>
        : write_behind{store, log, detail::shared_real_clock(), std::move(options)} {}
    write_behind(Store& store, Log& log, Clock& clock, write_behind_options options = {})
        : engine_{std::make_unique<engine>(store, log, clock, std::move(options))} {}

    write_behind(write_behind const&) = delete;
    write_behind& operator=(write_behind const&) = delete;

    /// Hands over what waits, for at most `shutdown_wait`, and reports what is lost.
    ~write_behind() {
        // The thread is not a child's to join, and a lock may be held by it for ever.
        if (engine_->forked())
            static_cast<void>(engine_.release());
        else
            static_cast<void>(engine_->shutdown(engine_->options().shutdown_wait));
    }

    [[nodiscard]] result<std::optional<record>> load(operation_ref id,
                                                     duration at_most = unlimited) {
        return engine_->load(id, at_most);
    }
    [[nodiscard]] result<std::uint64_t> save(record const& what, duration at_most = unlimited) {
        return engine_->save(what, at_most);
    }
    [[nodiscard]] result<void> erase(operation_ref id, std::uint64_t revision,
                                     duration at_most = unlimited) {
        return engine_->erase(id, revision, at_most);
    }
    [[nodiscard]] result<std::vector<record>> list(record_filter const& filter = {}) {
        return engine_->list(filter);
    }
    [[nodiscard]] result<std::size_t> clean_up(system_time now, std::size_t most) {
        return engine_->clean_up(now, most);
    }
    [[nodiscard]] bool may_contain(operation_ref id) const noexcept
        requires requires(Store& store) { store.may_contain(id); }
    {
        return engine_->may_contain(id);
    }
    [[nodiscard]] recoup::durability durability() const noexcept { return engine_->durability(); }

    /// How long something waits at most before it is handed to the store.
    [[nodiscard]] duration window() const noexcept { return engine_->options().window; }

    /// Waits until the store has all that was accepted before.
    ///
    /// Returns: `unavailable` where that took longer than `at_most`; the failure that stopped this.
    [[nodiscard]] result<void> flush(duration at_most = unlimited) {
        return engine_->flush(at_most);
    }

    /// Accepts nothing more, hands over what waits, and gives up and reports it after `at_most`.
    result<void> shutdown(duration at_most) { return engine_->shutdown(at_most); }

    [[nodiscard]] write_behind_statistics statistics() const { return engine_->statistics(); }

    // ---- durable operations: as in `durable_store`

    [[nodiscard]] result<std::uint64_t> enter(std::string const& who, duration lease)
        requires durable_store<Store>
    {
        return engine_->directly([&](Store& store) { return store.enter(who, lease); });
    }
    [[nodiscard]] result<std::vector<std::uint64_t>> renew(std::uint64_t owner, duration lease)
        requires durable_store<Store>
    {
        return engine_->after_all([&](Store& store) { return store.renew(owner, lease); });
    }
    [[nodiscard]] result<void> leave(std::uint64_t owner)
        requires durable_store<Store>
    {
        return engine_->after_all([&](Store& store) { return store.leave(owner); });
    }
    [[nodiscard]] result<started_operation> start(operation_record const& head, std::uint64_t owner,
                                                  duration at_most = unlimited)
        requires durable_store<Store>
    {
        return engine_->start(head, owner, at_most);
    }
    [[nodiscard]] result<std::vector<operation_record>> claim(claim_request const& request)
        requires durable_store<Store>
    {
        return engine_->claim(request);
    }
    [[nodiscard]] result<operation_record> take(std::uint64_t number, std::uint64_t epoch,
                                                std::uint64_t owner)
        requires durable_store<Store>
    {
        return engine_->take(number, epoch, owner);
    }
    [[nodiscard]] result<write_receipt> write(operation_write const& what,
                                              duration at_most = unlimited)
        requires durable_store<Store>
    {
        return engine_->write(what, at_most);
    }
    [[nodiscard]] result<void> request_cancel(std::uint64_t number)
        requires durable_store<Store>
    {
        return engine_->request_cancel(number);
    }
    [[nodiscard]] result<void> remove(std::uint64_t number, std::uint64_t epoch)
        requires durable_store<Store>
    {
        return engine_->remove(number, epoch);
    }
    [[nodiscard]] result<std::optional<operation_record>> find(operation_ref id,
                                                               duration at_most = unlimited)
        requires durable_store<Store>
    {
        return engine_->after_all([&](Store& store) { return store.find(id, at_most); }, at_most);
    }
    [[nodiscard]] result<std::vector<operation_record>> operations(
        operation_filter const& filter = {})
        requires durable_store<Store>
    {
        return engine_->after_all([&](Store& store) { return store.operations(filter); });
    }
    [[nodiscard]] result<std::vector<step_record>> steps(std::uint64_t number,
                                                         duration at_most = unlimited)
        requires durable_store<Store>
    {
        return engine_->after_all([&](Store& store) { return store.steps(number, at_most); },
                                  at_most);
    }

  private:
    std::unique_ptr<engine> engine_;
};

}  // namespace recoup::inline v1
