// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/result.hpp>
#include <recoup/platform/file.hpp>
#include <recoup/platform/time.hpp>
#include <recoup/store/detail/bytes.hpp>
#include <recoup/store/detail/journal_contents.hpp>
#include <recoup/store/detail/journal_frame.hpp>
#include <recoup/store/detail/journal_indices.hpp>
#include <recoup/store/detail/journal_scan.hpp>
#include <recoup/store/detail/journal_slots.hpp>
#include <recoup/store/detail/request_box.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// Opens a journal or makes one, and reads what is in it.
template <class Calls>
class journal_opener {
  public:
    explicit journal_opener(journal_contents<Calls>& into) noexcept : into_{into} {}

    result<void> open(std::string const& path) {
        if (auto found = guard_.locate(path, !options_.read_only); !found.has_value()) return found;
        if (options_.read_only) return look();
        if (options_.durability == durability::power_loss)
            if (auto fit = guard_.check_file_system(options_.accepted_file_systems);
                !fit.has_value())
                return fit;
        if (auto locked = guard_.lock(options_.lock_wait); !locked.has_value()) return locked;
        auto const there = guard_.check_files();
        if (!there.has_value()) return there.error();
        if (!there.value()) {
            if (auto made = make(); !made.has_value()) return made;
            // What was asked of an earlier file must not reach this one. A box that is not safe is never read.
            static_cast<void>(request_box{guard_.path()}.clear());
        }
        return recover();
    }

  private:
    using pair = journal_pair<Calls>;
    static constexpr int looks_max = 20;

    /// Makes the first generation.
    result<void> make() {
        for (std::uint64_t i = 0; i != 2; ++i) {
            auto const left = guard_.check_beside(pair::live_name(guard_, i));
            if (!left.has_value()) return left.error();
            if (left.value().exists && holds_frames(pair::live_name(guard_, i)))
                return unsafe(guard_.path_of(pair::live_name(guard_, i)) + " is there without " +
                              guard_.path() + "; put that file back, or move this one away");
        }
        auto const generation = journal_header{}.generation;
        pair first{into_.calls, guard_};
        auto made = into_.make_next(first, generation);
        if (made.has_value()) made = into_.rename_next();
        if (made.has_value() && into_.calls.sync_folder(guard_.folder()) != 0)
            made = system_failure("syncing the folder of " + guard_.path(), platform::last_error());
        if (!made.has_value()) into_.drop_next(generation);
        return made;
    }

    [[nodiscard]] bool holds_frames(std::string const& name) const {
        std::error_code error;
        auto const file = platform::open_file(guard_.folder(), name, false, error);
        if (error) return true;
        auto const front = platform::read_front(file.get(), journal_begin + 8);
        return front.size() == journal_begin + 8 &&
               number_at<std::uint64_t>(front.data() + journal_begin) != 0;
    }

    /// Reads what is there, begins a session, and makes records of what was in flight.
    result<void> recover() {
        std::vector<slot_content> found;
        auto same_boot = false;
        auto opened =
            into_.slots.open(into_.calls, guard_, into_.recovery.torn_slots, same_boot,
                             [&](slot_content what) { found.push_back(std::move(what)); });
        if (!opened.has_value()) return opened;
        auto front = journal_header{};
        if (auto read = read_front_of(front); !read.has_value()) return read;
        auto const ended = read_frames(front, true, same_boot);
        if (!ended.has_value()) return ended.error();
        if (auto begun = into_.pair->begin_session(ended.value().closed); !begun.has_value())
            return begun;
        for (auto const& what : found) {
            if (into_.records.contains(what.id)) continue;  // it had got its record
            auto saved = into_.records.save(into_, what.as_record());
            if (!saved.has_value()) {
                if (saved.error().code() == make_error_code(store_errc::corrupt)) continue;
                return saved.error();
            }
            ++into_.recovery.resumed;
        }
        // From here on they are records; if we die before this is done, they are seen to be there.
        into_.slots.clear();
        into_.drop_next(into_.pair->header().generation + 1);
        return success();
    }

    /// Reads what is there, for one who only looks.
    result<void> look() {
        auto const there = guard_.check_files();
        if (!there.has_value()) return there.error();
        if (!there.value())
            return store_failure(store_errc::unavailable,
                                 guard_.path() + " is not there, and read_only makes none");
        // Its owner may put a new generation into place while we look.
        for (int look = 0; look != looks_max; ++look) {
            auto front = journal_header{};
            if (auto read = read_front_of(front); !read.has_value()) return read;
            auto const live = guard_.check_beside(pair::live_name(guard_, front.generation));
            if (!live.has_value()) return live.error();
            auto const other = guard_.check_beside(pair::live_name(guard_, front.generation + 1));
            auto const moving = !live.value().exists && other.has_value() && other.value().exists;
            if (moving && look + 1 != looks_max) {
                platform::pause(duration{1'000'000});
                continue;
            }
            if (auto const ended = read_frames(front, false, false); !ended.has_value())
                return ended.error();
            break;
        }
        into_.slots.look(guard_, [&](slot_content what) {
            if (!into_.records.contains(what.id)) into_.in_flight.push_back(std::move(what));
        });
        return success();
    }

    result<void> read_front_of(journal_header& into) {
        std::error_code error;
        auto const file = platform::open_file(guard_.folder(), guard_.name(), false, error);
        if (error) return system_failure("opening " + guard_.path(), error);
        auto const front = platform::read_front(file.get(), journal_begin);
        // What is wrong with it is told where it is opened.
        if (front.size() == journal_begin) read_header(front.data(), into);
        return success();
    }

    result<scan_end> read_frames(journal_header const& front, bool writable, bool same_boot) {
        into_.pair = std::make_shared<pair>(into_.calls, guard_);
        auto const side = static_cast<std::size_t>(front.generation % 2);
        auto const ended = into_.pair->open(
            options_.file_bytes_max, writable, same_boot,
            journal_reader{into_.records, into_.operations, side, into_.had_damage});
        if (!ended.has_value()) return ended;
        into_.operations.finish_replay();
        into_.recovery.frames = ended.value().frames;
        into_.recovery.repaired = ended.value().repaired;
        into_.recovery.torn_bytes = ended.value().torn_bytes;
        into_.recovery.closed = ended.value().closed;
        into_.note_damage();
        into_.had_damage = into_.had_damage || into_.damaged();
        return ended;
    }

    journal_contents<Calls>& into_;
    journal_store_options const& options_ = into_.options;
    file_guard& guard_ = into_.guard;
};

}  // namespace recoup::inline v1::detail
