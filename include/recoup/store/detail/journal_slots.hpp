// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/identity.hpp>
#include <recoup/core/result.hpp>
#include <recoup/platform/mapping.hpp>
#include <recoup/store/detail/file_guard.hpp>
#include <recoup/store/detail/journal_frame.hpp>
#include <recoup/store/detail/membership.hpp>
#include <recoup/store/detail/slot_hash.hpp>
#include <recoup/store/record.hpp>

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace recoup::inline v1::detail {

/// An operation that was in flight, as its slot says.
struct slot_content {
    operation_id id{};
    std::uint64_t fingerprint = 0;
    system_time started{};

    /// The record of an operation that was begun, and of whose first attempt no more is known.
    [[nodiscard]] record as_record() const {
        record intent;
        intent.id = id;
        intent.fingerprint = fingerprint;
        intent.attempts = 1;
        intent.created = started;
        intent.updated = started;
        return intent;
    }
};

/// The operations that are in flight and have needed no record yet: a table of fixed slots in a mapped
/// file, which outlives the process. To begin and to end one costs some stores and no system call.
///
/// An operation has one slot that it may take, by the hash of its identity. Whoever cannot have that one
/// goes the ordinary way, by `share`, and keeps the slot from being taken meanwhile: so the two ways see
/// each other, and one identity is never begun twice.
///
/// Thread safety: all but `open`, `look` and `clear` at any time.
class journal_slots {
  public:
    static constexpr std::size_t slot_count = 1024;
    // All that is read lies close together, a cache line a slot; the texts, which are only written, apart.
    static constexpr std::size_t head_bytes = 4096;
    static constexpr std::size_t slot_bytes = 64;
    static constexpr std::size_t identity_bytes_max = 192;
    static constexpr std::size_t texts_begin = head_bytes + slot_count * slot_bytes;
    static constexpr std::size_t file_bytes = texts_begin + slot_count * identity_bytes_max;

    /// How a slot was let go.
    enum class ending : std::uint8_t {
        free,    ///< nobody was interested
        waited,  ///< somebody waits: it is shared now, and the caller has that share
    };

    /// Opens the table or makes it, and tells `sink(slot_content)` what was in flight when the last owner
    /// ended; `torn` counts those that had not quite begun. `clear` takes them out.
    template <class Calls, class Sink>
    result<void> open(Calls& calls, file_guard const& guard, std::uint64_t& torn, bool& same_boot,
                      Sink&& sink) {
        auto const name = guard.name() + ".slots";
        auto const facts = guard.check_beside(name);
        if (!facts.has_value()) return facts.error();
        std::error_code error;
        auto fresh = !facts.value().exists || facts.value().size != file_bytes;
        platform::unique_fd file;
        if (fresh) {
            calls.remove(guard.folder(), name);
            file = calls.create(guard.folder(), name, error);
            if (!error) error = platform::allocate_all(calls, file.get(), 0, file_bytes);
        } else {
            file = platform::open_file(guard.folder(), name, true, error);
        }
        if (!error) map_ = platform::mapping::of(file.get(), file_bytes, true, error);
        if (!error && !fresh) error = platform::read_through(file.get(), map_, file_bytes);
        if (error) return system_failure("the slots " + guard.path_of(name), error);
        boot_ = platform::boot_identity();
        boot_.resize(boot_bytes);
        // One that was made and never came into use is all zero.
        if (!fresh && number_at<std::uint64_t>(map_.data()) == 0) fresh = true;
        if (!fresh && std::string_view{map_.data(), magic.size()} != magic) {
            return store_failure(store_errc::foreign_schema,
                                 guard.path_of(name) + " is not a table of recoup's");
        }
        if (auto const found = number_at<std::uint32_t>(map_.data() + 8); !fresh && found != format)
            return store_failure(store_errc::newer_version,
                                 guard.path_of(name) + " has format " + std::to_string(found) +
                                     "; this version of recoup reads format " +
                                     std::to_string(format));
        // After a power cut the table says anything: what it held survives the process, not the machine.
        same_boot =
            !fresh && boot_[0] != '\0' && std::string_view{map_.data() + 16, boot_bytes} == boot_;
        if (same_boot) read_slots(map_.data(), torn, sink);
        return success();
    }

    /// The same, for one who only looks: nothing is made or changed.
    template <class Sink>
    void look(file_guard const& guard, Sink&& sink) {
        std::error_code error;
        auto const file =
            platform::open_file(guard.folder(), guard.name() + ".slots", false, error);
        if (error || platform::facts_of(file.get()).size != file_bytes) return;
        auto const seen = platform::mapping::of(file.get(), file_bytes, false, error);
        if (error || std::string_view{seen.data(), magic.size()} != magic) return;
        if (number_at<std::uint32_t>(seen.data() + 8) != format) return;
        boot_ = platform::boot_identity();
        boot_.resize(boot_bytes);
        std::uint64_t torn = 0;
        if (std::string_view{seen.data() + 16, boot_bytes} == boot_)
            read_slots(seen.data(), torn, sink);
    }

    /// Empties the table, whose content has become records, and puts it into use.
    void clear() noexcept {
        for (std::size_t i = 0; i != slot_count; ++i)
            if (word(i).load(std::memory_order_relaxed) != 0)
                word(i).store(0, std::memory_order_relaxed);
        std::memcpy(map_.data(), magic.data(), magic.size());
        place_number(map_.data() + 8, format);
        std::memcpy(map_.data() + 16, boot_.data(), boot_bytes);
    }

    [[nodiscard]] bool open() const noexcept { return static_cast<bool>(map_); }

    /// Says that the slot of `hash` is about to be taken: its memory is fetched meanwhile.
    void expect(std::uint64_t hash) const noexcept {
        __builtin_prefetch(slot(home(hash)), 1);
        __builtin_prefetch(texts(home(hash)), 1);
    }

    /// Takes the slot of `id`, if nobody has it or its neighbours on the ordinary way.
    ///
    /// Returns: the slot; or -1, and then the ordinary way is the one to go.
    int begin(operation_ref const& id, std::uint64_t hash, std::uint64_t fingerprint,
              void const* runner) noexcept {
        auto const size = id.space.size() + id.name.size() + id.key.size();
        if (size > identity_bytes_max) return -1;
        auto const index = home(hash);
        expect(hash);
        // While the slot's memory comes.
        auto const started =
            static_cast<std::uint64_t>(platform::coarse_system_now().time_since_epoch().count());
        auto expected = word(index).load(std::memory_order_relaxed);
        if ((expected & ~sequence_mask) != 0) return -1;
        if (!word(index).compare_exchange_strong(expected, (expected + sequence_one) | taken,
                                                 std::memory_order_acq_rel,
                                                 std::memory_order_relaxed))
            return -1;
        auto* const at = slot(index);
        field(index, 16).store(little(fingerprint), std::memory_order_relaxed);
        field(index, 24).store(little(started), std::memory_order_relaxed);
        field(index, 40).store(reinterpret_cast<std::uintptr_t>(runner), std::memory_order_relaxed);
        place_number(at + 32, static_cast<std::uint16_t>(id.space.size()));
        place_number(at + 34, static_cast<std::uint16_t>(id.name.size()));
        place_number(at + 36, static_cast<std::uint16_t>(id.key.size()));
        copied(id.key, copied(id.name, copied(id.space, texts(index))));
        // Whole from here on.
        field(index, 8).store(little(checksum(hash, fingerprint, started)),
                              std::memory_order_release);
        return static_cast<int>(index);
    }

    /// Lets a slot go.
    ending end(int which) noexcept {
        auto const index = static_cast<std::size_t>(which);
        field(index, 8).store(0, std::memory_order_release);
        return let_go(index, word(index).fetch_sub(taken, std::memory_order_acq_rel));
    }

    /// Lets a slot go whose operation has not ended, and has no record: what it says stays, until
    /// somebody has a record of that operation. Meanwhile nobody takes it.
    ending abandon(int which) noexcept {
        auto const index = static_cast<std::size_t>(which);
        return let_go(index, word(index).fetch_add(abandoned - taken, std::memory_order_acq_rel));
    }

    /// What is abandoned of the identity of `hash` has a record now. The caller holds a share.
    void forget_abandoned(std::uint64_t hash) noexcept {
        auto const index = home(hash);
        if ((word(index).load(std::memory_order_acquire) & abandoned) == 0 || !holds(index, hash))
            return;
        field(index, 8).store(0, std::memory_order_release);
        word(index).fetch_and(~abandoned, std::memory_order_acq_rel);
    }

    /// What a slot says of its operation, `id`.
    [[nodiscard]] slot_content content(int which, operation_ref const& id) const {
        auto const index = static_cast<std::size_t>(which);
        return {operation_id{id}, little(field(index, 16).load(std::memory_order_relaxed)),
                system_time{duration{static_cast<std::int64_t>(
                    little(field(index, 24).load(std::memory_order_relaxed)))}}};
    }

    /// Exchanges a slot for a share in it: its owner goes on the ordinary way.
    ///
    /// Returns: whether somebody waits.
    bool exchange_for_share(int which) noexcept {
        auto const index = static_cast<std::size_t>(which);
        auto& state = word(index);
        field(index, 8).store(0, std::memory_order_release);
        auto now = state.load(std::memory_order_relaxed);
        while (!state.compare_exchange_weak(now, (now & ~(taken | waited)) + share_one,
                                            std::memory_order_acq_rel, std::memory_order_relaxed)) {
        }
        return (now & waited) != 0;
    }

    /// Keeps the slot of `hash` from being taken. Returns: whether it is taken by the same identity.
    bool share(std::uint64_t hash) noexcept {
        auto const index = home(hash);
        auto const before = word(index).fetch_add(share_one, std::memory_order_acq_rel);
        return (before & taken) != 0 && holds(index, hash);
    }
    void unshare(std::uint64_t hash) noexcept {
        word(home(hash)).fetch_sub(share_one, std::memory_order_acq_rel);
    }

    /// Asks the owner of a taken slot to hand over its result; `runner` becomes its mark. False: it has
    /// gone meanwhile. The caller holds a share.
    bool ask_to_join(std::uint64_t hash, void const*& runner) noexcept {
        auto const index = home(hash);
        auto& state = word(index);
        auto now = state.load(std::memory_order_acquire);
        while ((now & taken) != 0 && holds(index, hash)) {
            runner = reinterpret_cast<void const*>(
                static_cast<std::uintptr_t>(field(index, 40).load(std::memory_order_relaxed)));
            if (state.compare_exchange_weak(now, now | waited, std::memory_order_acq_rel,
                                            std::memory_order_acquire))
                return true;
        }
        return false;
    }

  private:
    static constexpr std::string_view magic = "RECOUPS\n";
    static constexpr std::uint32_t format = 1;
    static constexpr std::size_t boot_bytes = 36;
    // A slot's word: taken, waited for, abandoned, the shares of those on the ordinary way, a sequence
    // number.
    static constexpr std::uint64_t taken = 1;
    static constexpr std::uint64_t waited = 2;
    static constexpr std::uint64_t abandoned = 4;
    static constexpr std::uint64_t share_one = 1U << 8U;
    static constexpr std::uint64_t sequence_one = std::uint64_t{1} << 32U;
    static constexpr std::uint64_t sequence_mask = ~(sequence_one - 1);

    /// `before`: the word of a slot when its owner let it go.
    ending let_go(std::size_t index, std::uint64_t before) noexcept {
        if ((before & waited) == 0) [[likely]]
            return ending::free;
        // Who waits gets a share in place of the slot; until then the mark keeps it from being begun.
        word(index).fetch_add(share_one - waited, std::memory_order_acq_rel);
        return ending::waited;
    }

    static std::size_t home(std::uint64_t hash) noexcept {
        return static_cast<std::size_t>(hash >> 20U) % slot_count;
    }
    static std::uint64_t little(std::uint64_t number) noexcept {
        if constexpr (std::endian::native == std::endian::big) return __builtin_bswap64(number);
        return number;
    }
    /// Over the identity by its hash, and all else; never 0.
    static std::uint64_t checksum(std::uint64_t hash, std::uint64_t fingerprint,
                                  std::uint64_t started) noexcept {
        return folded(
                   folded(hash ^ 0xA0761D6478BD642FU, fingerprint ^ 0xE7037ED1A0B428DBU) ^ started,
                   0x9E3779B97F4A7C15U) |
               1U;
    }

    /// Texts are short here, and a call of memcpy that does not know how short costs more than they do.
    static char* copied(std::string_view text, char* to) noexcept {
        auto const* const from = text.data();
        auto const size = text.size();
        // The first and the last part of it, which may overlap.
        auto const ends = [&]<class Word>(Word first) {
            auto last = first;
            std::memcpy(&first, from, sizeof first);
            std::memcpy(&last, from + size - sizeof last, sizeof last);
            std::memcpy(to, &first, sizeof first);
            std::memcpy(to + size - sizeof last, &last, sizeof last);
        };
        if (size > 16)
            std::memcpy(to, from, size);
        else if (size >= 8)
            ends(std::uint64_t{0});
        else if (size >= 4)
            ends(std::uint32_t{0});
        else
            for (std::size_t i = 0; i != size; ++i) to[i] = from[i];
        return to + size;
    }

    [[nodiscard]] char* slot(std::size_t index) const noexcept {
        return map_.data() + head_bytes + index * slot_bytes;
    }
    [[nodiscard]] char* texts(std::size_t index) const noexcept {
        return map_.data() + texts_begin + index * identity_bytes_max;
    }
    [[nodiscard]] std::atomic<std::uint64_t>& word(std::size_t index) const noexcept {
        static_assert(sizeof(std::atomic<std::uint64_t>) == 8 &&
                      std::atomic<std::uint64_t>::is_always_lock_free);
        return field(index, 0);
    }

    [[nodiscard]] std::atomic<std::uint64_t>& field(std::size_t index,
                                                    std::size_t at) const noexcept {
        return *reinterpret_cast<std::atomic<std::uint64_t>*>(slot(index) + at);
    }

    /// Whether a slot that is taken or abandoned, and cannot be taken anew while the caller has a share, is
    /// of `hash`.
    [[nodiscard]] bool holds(std::size_t index, std::uint64_t hash) const noexcept {
        while (true) {
            auto const sum = field(index, 8).load(std::memory_order_acquire);
            if (sum != 0)
                return little(sum) ==
                       checksum(hash, little(field(index, 16).load(std::memory_order_relaxed)),
                                little(field(index, 24).load(std::memory_order_relaxed)));
            // Its owner is a few stores away from filling it or letting it go.
            if ((word(index).load(std::memory_order_acquire) & taken) == 0) return false;
            platform::pause(duration{1000});
        }
    }

    template <class Sink>
    static void read_slots(char const* data, std::uint64_t& torn, Sink&& sink) {
        for (std::size_t i = 0; i != slot_count; ++i) {
            auto const* const at = data + head_bytes + i * slot_bytes;
            auto const state = number_at<std::uint64_t>(at);
            if ((state & (taken | abandoned)) == 0) continue;
            std::string_view const bytes{data + texts_begin + i * identity_bytes_max,
                                         identity_bytes_max};
            auto const space = std::size_t{number_at<std::uint16_t>(at + 32)};
            auto const name = std::size_t{number_at<std::uint16_t>(at + 34)};
            auto const key = std::size_t{number_at<std::uint16_t>(at + 36)};
            slot_content found;
            auto whole = space + name + key <= identity_bytes_max;
            if (whole) {
                found.id = {std::string{bytes.substr(0, space)},
                            std::string{bytes.substr(space, name)},
                            std::string{bytes.substr(space + name, key)}};
                found.fingerprint = number_at<std::uint64_t>(at + 16);
                found.started = system_time{duration{number_at<std::int64_t>(at + 24)}};
                whole = number_at<std::uint64_t>(at + 8) ==
                            checksum(slot_hash(found.id), found.fingerprint,
                                     number_at<std::uint64_t>(at + 24)) &&
                        valid(found.id);
            }
            if (whole)
                sink(std::move(found));
            else
                ++torn;
        }
    }

    platform::mapping map_;
    std::string boot_;
};

}  // namespace recoup::inline v1::detail
