// SPDX-License-Identifier: BSL-1.0
#include <recoup/store/detail/journal_flusher.hpp>

#include "support/catch.hpp"

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace {

using namespace std::chrono_literals;
using recoup::detail::journal_flusher;

constexpr recoup::duration never_here = 1h;

/// What is written and flushed, and the flusher of it.
class flushed_journal {
  public:
    explicit flushed_journal(recoup::duration every, int written = 0) : written_{written} {
        flusher_.start(
            every, writers_, [this] { return all_flushed(); },
            [this]() noexcept { return flush(); });
    }

    /// Returns whether that must wake the flusher.
    bool write() {
        std::lock_guard const lock{writers_};
        ++written_;
        return flusher_.must_wake();
    }
    void wake() { flusher_.wake(); }
    void end() { flusher_.end(); }
    void go_on_no_more() {
        std::lock_guard const lock{writers_};
        goes_on_ = false;
    }

    void await_asked() {
        std::unique_lock lock{writers_};
        changed_.wait(lock, [&] { return asked_; });
    }
    /// Waits until the flusher rests with so much flushed.
    void await_rest(int flushed) {
        std::unique_lock lock{writers_};
        changed_.wait(lock, [&] { return rests_with_ == flushed; });
    }
    void await_flushed(int count) {
        std::unique_lock lock{writers_};
        changed_.wait(lock, [&] { return flushed_ == count; });
    }
    [[nodiscard]] int flushes() {
        std::lock_guard const lock{writers_};
        return flushes_;
    }

  private:
    bool all_flushed() {
        asked_ = true;
        if (written_ == flushed_) rests_with_ = flushed_;
        changed_.notify_all();
        return written_ == flushed_;
    }
    bool flush() {
        std::lock_guard const lock{writers_};
        ++flushes_;
        flushed_ = written_;
        changed_.notify_all();
        return goes_on_;
    }

    std::mutex writers_;
    std::condition_variable changed_;
    int written_;
    int flushed_ = 0;
    int flushes_ = 0;
    int rests_with_ = -1;
    bool asked_ = false;
    bool goes_on_ = true;
    journal_flusher flusher_;
};

}  // namespace

TEST_CASE("The first who writes after a rest must wake the flusher, and the next ones need not",
          "[concurrent]") {
    flushed_journal journal{0ns};
    for (auto flushed = 0; flushed != 100; flushed += 2) {
        journal.await_rest(flushed);
        CHECK(journal.write());
        CHECK_FALSE(journal.write());
        journal.wake();
    }
    journal.await_rest(100);
    CHECK(journal.flushes() == 50);
}

TEST_CASE("A flusher has one more flush at its end where there is something to flush",
          "[concurrent]") {
    flushed_journal journal{never_here, 1};
    journal.await_asked();
    journal.end();
    CHECK(journal.flushes() == 1);
    journal.end();
    CHECK(journal.flushes() == 1);
}

TEST_CASE("A flusher that rests ends without a flush", "[concurrent]") {
    flushed_journal journal{0ns};
    journal.await_rest(0);
    journal.end();
    CHECK(journal.flushes() == 0);
}

TEST_CASE("A flusher ends where its flush says not to go on", "[concurrent]") {
    flushed_journal journal{0ns};
    journal.await_rest(0);
    journal.go_on_no_more();
    CHECK(journal.write());
    journal.wake();
    journal.await_flushed(1);
    CHECK_FALSE(journal.write());
    journal.end();
    CHECK(journal.flushes() == 1);
}

TEST_CASE("A flusher that was never started has nobody to wake, and nothing to end") {
    journal_flusher flusher;
    CHECK_FALSE(flusher.must_wake());
    flusher.wake();
    flusher.end();
    flusher.forget();
}
