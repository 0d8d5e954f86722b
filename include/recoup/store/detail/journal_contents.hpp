// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/random.hpp>
#include <recoup/core/result.hpp>
#include <recoup/platform/file.hpp>
#include <recoup/platform/time.hpp>
#include <recoup/store/detail/file_guard.hpp>
#include <recoup/store/detail/journal_operations.hpp>
#include <recoup/store/detail/journal_pair.hpp>
#include <recoup/store/detail/journal_records.hpp>
#include <recoup/store/detail/journal_slots.hpp>
#include <recoup/store/journal_options.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// A journal's files, and the indices of what is in them, for which it is the Log.
///
/// `mutex` guards files and indices once they are open. Whoever needs the turn to sync as well has that first;
/// only who has both exchanges `pair`.
template <class Calls>
struct journal_contents {
    using pair_type = journal_pair<Calls>;

    journal_contents(journal_store_options chosen, Calls used)
        : options{std::move(chosen)},
          calls{std::move(used)},
          records{options.records_max, options.record_bytes_max},
          operations{options.operations_max, options.record_bytes_max} {}
    journal_contents(journal_contents const&) = delete;
    journal_contents& operator=(journal_contents const&) = delete;

    journal_store_options const options;
    Calls calls;
    file_guard guard;
    mutable std::timed_mutex mutex;
    journal_records records;
    journal_operations operations;
    journal_slots slots;
    std::shared_ptr<pair_type> pair;
    std::vector<slot_content> in_flight;  ///< seen by one who only looks
    journal_recovery recovery;
    bool had_damage = false;  ///< the files hold frames that are not whole

    // ---- what the indices need of a log

    result<appended_frame> append(frame_kind kind, std::uint64_t subject,
                                  std::string_view payload) {
        return pair->append(kind, subject, payload);
    }
    [[nodiscard]] std::uint64_t next() const noexcept { return pair->next(); }
    [[nodiscard]] char const* data() const noexcept { return pair->data(); }
    [[nodiscard]] std::size_t side() const noexcept {
        return static_cast<std::size_t>(pair->header().generation % 2);
    }
    [[nodiscard]] std::uint32_t session() const noexcept { return pair->session(); }

    // ---- damage

    [[nodiscard]] bool any_damage() const noexcept {
        return records.any_damage() || operations.any_damage();
    }
    /// What `any_damage` said when it was noted last; needs no lock.
    [[nodiscard]] bool damaged() const noexcept { return damaged_.load(std::memory_order_relaxed); }
    void note_damage() noexcept { damaged_.store(any_damage(), std::memory_order_relaxed); }

    // ---- the next generation: whole under another name before it is there under its own

    [[nodiscard]] std::string next_name() const { return guard.name() + ".next"; }
    result<void> make_next(pair_type& to, std::uint64_t generation) {
        calls.remove(guard.folder(), next_name());
        return to.make(next_name(), {.generation = generation, .nonce = fresh_nonce()},
                       options.file_bytes_max);
    }
    result<void> rename_next() {
        if (calls.rename(guard.folder(), next_name(), guard.name()) != 0)
            return system_failure("renaming " + guard.path_of(next_name()), platform::last_error());
        return success();
    }
    void drop_next(std::uint64_t generation) {
        calls.remove(guard.folder(), next_name());
        calls.remove(guard.folder(), pair_type::live_name(guard, generation));
    }

  private:
    static std::uint64_t fresh_nonce() noexcept {
        std::uint64_t nonce = 0;
        while (!platform::fill_random(&nonce, sizeof nonce)) nonce = thread_random();
        return nonce;
    }

    std::atomic<bool> damaged_{false};
};

}  // namespace recoup::inline v1::detail
