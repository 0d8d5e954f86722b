// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/attempt.hpp>
#include <recoup/core/failure.hpp>
#include <recoup/core/identity.hpp>
#include <recoup/store/detail/result_kind.hpp>
#include <recoup/store/detail/running.hpp>
#include <recoup/store/detail/slot_hash.hpp>
#include <recoup/store/store_errc.hpp>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <type_traits>
#include <utility>

namespace recoup::inline v1::detail {

/// A store that keeps an operation which has needed no record yet in a slot: `flight()` gives its table
/// (see `journal_slots`), or null where slots are not durable enough.
template <class Store>
concept slotted = requires(Store& store, operation_ref id) {
    { store.flight()->end(0) };
    { store.may_contain(id) } noexcept;
};

/// Guards the moment in which a call that waits is entered for one that runs in a slot.
inline std::mutex& slot_waiting_mutex() noexcept {
    static std::mutex mutex;
    return mutex;
}

/// As `running_claim`, for a store with slots: an operation is in a slot or in the registry of those that
/// run, and moves from the one to the other when somebody waits for it or it gets a record. Whoever is in
/// the registry has a share in the slot, which keeps others from taking it.
template <class Store, runs_as Runs>
class slotted_claim {
  public:
    slotted_claim() noexcept = default;
    slotted_claim(slotted_claim const&) = delete;
    slotted_claim& operator=(slotted_claim const&) = delete;
    /// Whoever ends in good order has published or released before.
    ~slotted_claim() {
        if (slot_ >= 0) [[unlikely]]
            abandon();
        if (shares_ || registered_.held()) [[unlikely]]
            release();
    }

    /// Records the intent in a slot. False: the ordinary way is the one to go. `id` outlives the claim.
    bool begin(Store& store, operation_ref const& id, std::uint64_t hash,
               std::uint64_t fingerprint) noexcept {
        auto* const table = store.flight();
        if (table == nullptr) return false;
        auto const taken = table->begin(id, hash, fingerprint, runner());
        if (taken < 0) return false;
        store_ = &store;
        table_ = table;
        id_ = &id;
        hash_ = hash;
        slot_ = taken;
        // A record may have been made between our look for one and now.
        if (!store.may_contain(id)) return true;
        release();
        return false;
    }

    /// Returns: null when it is ours now, else the one who runs it. `id` outlives the claim.
    std::shared_ptr<running_operation> enter(Store* store, operation_ref const& id) {
        auto* const table = store->flight();
        if (table == nullptr) return registered_.enter(store, id, runner());
        auto const hash = slot_hash(id);
        while (true) {
            auto const in_slot = table->share(hash);
            auto share = held_share{table, hash};
            if (!in_slot) {
                auto other = registered_.enter(store, id, runner());
                if (other) return other;
                store_ = store;
                table_ = table;
                hash_ = hash;
                id_ = &id;
                shares_ = true;
                share.table = nullptr;
                return nullptr;
            }
            std::lock_guard const lock{slot_waiting_mutex()};
            void const* other = nullptr;
            if (table->ask_to_join(hash, other))
                return running_registry::instance()
                    .enter({store, id.space, id.name, id.key}, other)
                    .first;
        }
    }

    [[nodiscard]] bool held() const noexcept { return slot_ >= 0 || registered_.held(); }

    [[nodiscard]] bool in_slot() const noexcept { return slot_ >= 0; }

    /// There is a record now, which says all that the slot does.
    void settle() {
        if (shares_) table_->forget_abandoned(hash_);
        if (slot_ < 0) return;
        std::lock_guard const lock{slot_waiting_mutex()};
        registered_.adopt(store_, *id_, runner());
        table_->exchange_for_share(slot_);
        slot_ = -1;
        shares_ = true;
    }

    /// Hands the result, or the failure, to those who wait, and leaves.
    void publish(result_kind const& kind, void const* result) {
        if (slot_ >= 0 && !leave_slot()) [[likely]]
            return;
        publish_registered(kind, result);
    }
    void publish_failure(result_kind const& kind, failure const& last) {
        if (slot_ >= 0 && !leave_slot()) return;
        registered_.publish_failure(kind, last);
        unshare();
    }

    /// Leaves an operation that has ended, or of which nothing has begun.
    [[gnu::noinline]] void release() noexcept {
        if (slot_ >= 0) leave_slot();
        registered_.release();
        unshare();
    }

  private:
    [[gnu::noinline]] void publish_registered(result_kind const& kind, void const* result) {
        registered_.publish(kind, result);
        unshare();
    }

    /// Who runs the operation, as others see it.
    [[nodiscard]] void const* runner() const noexcept {
        if constexpr (Runs == runs_as::coroutine)
            return this;  // no thread stands for it
        else
            return this_thread_mark();
    }

    using table_type = std::remove_pointer_t<decltype(std::declval<Store&>().flight())>;

    struct held_share {
        table_type* table;
        std::uint64_t hash;
        held_share(table_type* of, std::uint64_t with) noexcept : table{of}, hash{with} {}
        held_share(held_share const&) = delete;
        held_share& operator=(held_share const&) = delete;
        ~held_share() {
            if (table != nullptr) table->unshare(hash);
        }
    };

    /// The call ends by an exception in the middle of its first attempt: memory has run out, or the
    /// thread is being cancelled. Nobody knows what that attempt has done, so the intent must outlive us.
    [[gnu::cold, gnu::noinline]] void abandon() noexcept {
        auto recorded = false;
        try {
            auto const saved = store_->save(table_->content(slot_, *id_).as_record());
            // A conflict: the record had been made already.
            recorded =
                saved.has_value() || saved.error().code() == make_error_code(store_errc::conflict);
        } catch (...) {}  // no memory for a record: the slot says it
        if (recorded) return release();
        if (table_->abandon(std::exchange(slot_, -1)) == table_type::ending::waited)
            adopt_from_waiting();
    }

    /// Returns: whether somebody waits; then what that one has entered is ours.
    bool leave_slot() noexcept {
        if (table_->end(std::exchange(slot_, -1)) == table_type::ending::free) [[likely]]
            return false;
        adopt_from_waiting();
        return true;
    }
    [[gnu::noinline]] void adopt_from_waiting() noexcept {
        shares_ = true;
        std::lock_guard const lock{slot_waiting_mutex()};
        registered_.adopt_entered(store_, *id_, runner());
    }

    void unshare() noexcept {
        if (std::exchange(shares_, false)) table_->unshare(hash_);
    }

    Store* store_ = nullptr;
    table_type* table_ = nullptr;  // kept: a store that stops meanwhile gives no table any more
    operation_ref const* id_ = nullptr;
    std::uint64_t hash_ = 0;
    int slot_ = -1;
    bool shares_ = false;
    running_claim registered_{};
};

template <class Store, runs_as Runs>
struct claim_of {
    using type = std::conditional_t<Runs == runs_as::coroutine, coroutine_claim, running_claim>;
};
template <slotted Store, runs_as Runs>
struct claim_of<Store, Runs> {
    using type = slotted_claim<Store, Runs>;
};

}  // namespace recoup::inline v1::detail
