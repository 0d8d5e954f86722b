// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/result.hpp>
#include <recoup/platform/mapping.hpp>
#include <recoup/store/detail/file_guard.hpp>
#include <recoup/store/detail/journal_frame.hpp>
#include <recoup/store/detail/journal_scan.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace recoup::inline v1::detail {

/// Where a frame was put.
struct appended_frame {
    std::uint64_t payload_at = 0;
    std::uint64_t sequence = 0;
    std::uint64_t bytes = 0;
};

/// One generation of a journal: the file that is mapped and written, `live`, which is never synced, for
/// that would make each store into it a page fault; and the file that is synced, `log`, into which the
/// same bytes are written later.
///
/// Both have their room before it is used, so that a full disk is an error where they grow and never a
/// signal where the mapping is touched.
///
/// Thread safety: `append` one at a time; `drain` one at a time, and beside `append`.
template <class Calls>
class journal_pair {
  public:
    journal_pair(Calls& calls, file_guard const& guard) noexcept : calls_{calls}, guard_{guard} {}
    journal_pair(journal_pair const&) = delete;
    journal_pair& operator=(journal_pair const&) = delete;

    static std::string live_name(file_guard const& guard, std::uint64_t generation) {
        return guard.name() + (generation % 2 == 0 ? ".live-a" : ".live-b");
    }

    /// Makes both files, empty; the log under `log_name`, with its header synced.
    result<void> make(std::string const& log_name, journal_header const& header,
                      std::uint64_t bytes_max) {
        header_ = header;
        bytes_max_ = bytes_max;
        std::error_code error;
        log_ = calls_.create(guard_.folder(), log_name, error);
        if (error) return failed("making " + guard_.path_of(log_name), error);
        if (auto made = make_live(); !made.has_value()) return made;
        end_ = journal_begin;
        next_ = header.first;
        synced_ = journal_begin;
        if (auto room = reserve(first_bytes); !room.has_value()) return room;
        place_header(live_.data(), header_);
        error = platform::write_all(calls_, log_.get(), live_.data(), journal_begin, 0);
        if (!error && calls_.sync(log_.get()) != 0) error = platform::last_error();
        if (error) return failed("writing " + guard_.path_of(log_name), error);
        return success();
    }

    /// Opens what is there, and tells `sink` of its frames: see `journal_scanner`. `live_is_whole`: the
    /// machine has not been started since the last owner wrote, so that what it wrote must be there.
    template <class Sink>
    result<scan_end> open(std::uint64_t bytes_max, bool writable, bool live_is_whole, Sink&& sink) {
        std::error_code error;
        log_ = platform::open_file(guard_.folder(), guard_.name(), writable, error);
        if (error) return failed("opening " + guard_.path(), error);
        auto const log_bytes = platform::facts_of(log_.get()).size;
        if (log_bytes < journal_begin)
            return store_failure(store_errc::foreign_schema,
                                 guard_.path() + " has " + std::to_string(log_bytes) +
                                     " bytes; expected a journal of " +
                                     std::to_string(journal_begin) + " or more");
        auto const log = platform::mapping::of(log_.get(), log_bytes, false, error);
        if (error) return failed("mapping " + guard_.path(), error);
        if (auto read = platform::read_through(log_.get(), log, log_bytes))
            return failed("reading " + guard_.path(), read);
        if (auto read = check_header(log.data()); !read.has_value()) return read.error();

        bytes_max_ = std::max(bytes_max, log_bytes);
        auto live_bytes = std::uint64_t{0};
        if (auto found = find_live(writable, live_bytes); !found.has_value()) return found.error();
        auto const live = std::string_view{live_.data(), live_ ? live_bytes : 0};
        auto const ended =
            journal_scanner{live, {log.data(), log_bytes}, header_, live_is_whole && !live.empty()}
                .run(sink);
        end_ = ended.end;
        next_ = ended.last + 1;
        session_ = ended.session;
        if (!writable) return ended;
        if (auto mended = mend({log.data(), log_bytes}, live_bytes, ended); !mended.has_value())
            return mended.error();
        return ended;
    }

    /// Begins a session: its number is durable before any frame bears it, so that no two bear the same.
    /// Unless the last one was `closed`, what it may have given numbers to, and a power cut took away, is
    /// left out.
    result<void> begin_session(bool closed) {
        return begin_session_at(closed ? next_ : next_ + sequence_gap);
    }

    /// The same, with `sequence` or more as its number.
    result<void> begin_session_at(std::uint64_t sequence) {
        char payload[8]{};
        place_number(payload, next_ - 1);
        auto const before = next_;
        next_ = std::max(next_, sequence);
        ++session_;
        auto put = append(frame_kind::session, session_, {payload, sizeof payload});
        if (!put.has_value()) {
            --session_;
            next_ = before;
            return put.error();
        }
        if (auto const error = drain(end_)) return failed("writing " + guard_.path(), error);
        mark_synced(next_ - 1);
        return success();
    }

    /// Puts a frame behind the last one, for who dies from here on. `full`: nothing has changed.
    result<appended_frame> append(frame_kind kind, std::uint64_t subject,
                                  std::string_view payload) {
        auto const size = frame_size(payload.size());
        if (size > room_ - end_)
            if (auto room = reserve(end_ + size); !room.has_value()) return room.error();
        place_frame(live_.data() + end_,
                    {.kind = kind,
                     .session = session_,
                     .sequence = next_,
                     .subject = subject,
                     .synced = std::min(synced_sequence_.load(std::memory_order_relaxed), next_),
                     .payload = payload},
                    header_.nonce);
        auto const put = appended_frame{end_ + frame_head_bytes, next_, size};
        end_ += size;
        ++next_;
        return put;
    }

    /// Brings the log up to `end` and syncs it.
    std::error_code drain(std::uint64_t end) noexcept {
        auto const from = synced_.load(std::memory_order_relaxed);
        if (end == from) return {};
        if (auto const error =
                platform::write_all(calls_, log_.get(), live_.data() + from, end - from, from))
            return error;
        if (calls_.sync(log_.get()) != 0) return platform::last_error();
        synced_.store(end, std::memory_order_relaxed);
        return {};
    }

    /// Gives both files room up to `bytes`, and some more.
    result<void> reserve(std::uint64_t bytes) {
        if (bytes <= room_) return success();
        if (bytes > bytes_max_)
            return store_failure(store_errc::full, guard_.path() + " has " + std::to_string(end_) +
                                                       " bytes; its limit is " +
                                                       std::to_string(bytes_max_));
        auto const step = std::clamp(room_, first_bytes, growth_bytes_max);
        auto const wanted = std::min(std::max(bytes, room_ + step), bytes_max_);
        for (auto const file : {live_file_.get(), log_.get()}) {
            if (auto const error = platform::allocate_all(calls_, file, room_, wanted))
                return system_failure("making room in " + guard_.path(), error);
        }
        room_ = wanted;
        return success();
    }

    void mark_synced(std::uint64_t sequence) noexcept {
        synced_sequence_.store(sequence, std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t synced_sequence() const noexcept {
        return synced_sequence_.load(std::memory_order_relaxed);
    }

    [[nodiscard]] char const* data() const noexcept { return live_.data(); }
    [[nodiscard]] decltype(auto) path() const { return guard_.path(); }
    [[nodiscard]] std::string_view bytes() const noexcept { return {live_.data(), end_}; }
    [[nodiscard]] std::uint64_t end() const noexcept { return end_; }
    [[nodiscard]] std::uint64_t synced_bytes() const noexcept { return synced_; }
    [[nodiscard]] std::uint64_t next() const noexcept { return next_; }
    [[nodiscard]] std::uint32_t session() const noexcept { return session_; }
    [[nodiscard]] journal_header const& header() const noexcept { return header_; }
    [[nodiscard]] int log_file() const noexcept { return log_.get(); }
    /// The next generation goes on where this one ends.
    void continue_session(std::uint32_t session) noexcept { session_ = session; }

  private:
    static constexpr std::uint64_t first_bytes = std::uint64_t{64} << 10U;
    static constexpr std::uint64_t growth_bytes_max = std::uint64_t{16} << 20U;
    static constexpr std::uint64_t sequence_gap = std::uint64_t{1} << 20U;

    static failure failed(std::string const& what, std::error_code error) {
        return system_failure(what, error);
    }

    result<void> check_header(char const* front) {
        switch (read_header(front, header_)) {
            case header_state::whole: return success();
            case header_state::newer:
                return store_failure(
                    store_errc::newer_version,
                    guard_.path() + " has format " + std::to_string(header_.version) +
                        "; this version of recoup reads format " + std::to_string(journal_format));
            case header_state::damaged:
                return store_failure(store_errc::corrupt, "both headers of " + guard_.path() +
                                                              " are damaged; nothing was changed");
            case header_state::foreign: break;
        }
        return store_failure(store_errc::foreign_schema,
                             guard_.path() + " does not begin like a journal of recoup");
    }

    result<void> make_live() {
        std::error_code error;
        auto const name = live_name(guard_, header_.generation);
        calls_.remove(guard_.folder(), name);  // what a crash left of a compaction
        live_file_ = calls_.create(guard_.folder(), name, error);
        if (!error) live_ = platform::mapping::of(live_file_.get(), bytes_max_, true, error);
        if (error) return failed("making " + guard_.path_of(name), error);
        return success();
    }

    /// Opens the live file, where there is one of this generation.
    result<void> find_live(bool writable, std::uint64_t& bytes) {
        auto const name = live_name(guard_, header_.generation);
        auto const facts = guard_.check_beside(name);
        if (!facts.has_value()) return facts.error();
        bytes = facts.value().size;
        if (!facts.value().exists || bytes < journal_begin) return success();
        std::error_code error;
        auto file = platform::open_file(guard_.folder(), name, writable, error);
        if (error) return failed("opening " + guard_.path_of(name), error);
        bytes_max_ = std::max(bytes_max_, bytes);
        auto seen =
            platform::mapping::of(file.get(), writable ? bytes_max_ : bytes, writable, error);
        if (error) return failed("mapping " + guard_.path_of(name), error);
        error = platform::read_through(file.get(), seen, bytes);
        if (error) return failed("reading " + guard_.path_of(name), error);
        auto of = journal_header{};
        // That of another generation, or one that a power cut left without its front, helps nobody.
        if (read_header(seen.data(), of) != header_state::whole || of.nonce != header_.nonce)
            return success();
        live_file_ = std::move(file);
        live_ = std::move(seen);
        return success();
    }

    /// Makes both files say the same up to the end, and nothing behind it.
    result<void> mend(std::string_view log, std::uint64_t live_bytes, scan_end const& found) {
        auto const log_bytes = std::uint64_t{log.size()};
        if (!live_) {
            if (auto made = make_live(); !made.has_value()) return made;
            live_bytes = 0;
        }
        // The blocks of a file that was copied may be holes: it gets them all anew.
        auto const wanted =
            std::max({end_, live_bytes, log_bytes, std::min(first_bytes, bytes_max_)});
        room_ = 0;
        if (auto room = reserve(wanted); !room.has_value()) return room;
        std::error_code error;
        auto at = std::uint64_t{journal_begin};
        place_header(live_.data(), header_);
        auto header_differs =
            std::string_view{live_.data(), journal_begin} != log.substr(0, journal_begin);
        auto changed = header_differs;
        if (header_differs)
            error = platform::write_all(calls_, log_.get(), live_.data(), journal_begin, 0);
        while (!found.alike && at < end_ && !error) {
            journal_frame seen;
            auto size = std::uint64_t{8};  // where neither is good it stays as it is
            if (read_frame(bytes(), at, header_.nonce, seen) == frame_state::whole) {
                size = seen.size;
                auto const live = bytes().substr(at, size);
                if (at > log_bytes || log.substr(at, size) != live) {
                    changed = true;
                    error = platform::write_all(calls_, log_.get(), live.data(), size, at);
                }
            } else if (read_frame(log.substr(0, end_), at, header_.nonce, seen) ==
                       frame_state::whole) {
                size = seen.size;
                std::memcpy(live_.data() + at, log.data() + at, size);
            }
            at += size;
        }
        if (!error) error = clear_behind(log, live_bytes, end_ + found.torn_bytes, changed);
        if (!error && changed && calls_.sync(log_.get()) != 0) error = platform::last_error();
        if (error) return failed("mending " + guard_.path(), error);
        synced_ = end_;
        mark_synced(next_ - 1);
        return success();
    }

    /// Pre: from `written` on both are zero.
    std::error_code clear_behind(std::string_view log, std::uint64_t live_bytes,
                                 std::uint64_t written, bool& changed) {
        static constexpr std::array<char, 4096> zeros{};
        for (auto at = end_; at < written;) {
            auto const size = std::min<std::uint64_t>(4096 - at % 4096, room_ - at);
            auto const none = std::string_view{zeros.data(), size};
            // Memory that is zero is left alone: writing to it would make pages of holes.
            if (at < live_bytes && std::string_view{live_.data() + at, size} != none)
                std::memset(live_.data() + at, 0, size);
            if (at < log.size() &&
                log.substr(at, size) != none.substr(0, log.substr(at, size).size())) {
                changed = true;
                if (auto const error =
                        platform::write_all(calls_, log_.get(), zeros.data(), size, at))
                    return error;
            }
            at += size;
        }
        return {};
    }

    Calls& calls_;
    file_guard const& guard_;
    platform::unique_fd log_;
    platform::unique_fd live_file_;
    platform::mapping live_;
    journal_header header_{};
    std::uint64_t bytes_max_ = 0;
    std::uint64_t room_ = 0;                ///< bytes that both files have
    std::uint64_t end_ = 0;                 ///< where the next frame goes
    std::atomic<std::uint64_t> synced_{0};  ///< how far the log goes
    std::uint64_t next_ = 1;                ///< the next sequence number
    std::uint32_t session_ = 0;
    std::atomic<std::uint64_t> synced_sequence_{0};
};

}  // namespace recoup::inline v1::detail
