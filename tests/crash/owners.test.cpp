// SPDX-License-Identifier: BSL-1.0
#include "crash/harness.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include <sched.h>
#include <sys/mman.h>

// Several owners: one is frozen and comes back too late; eight claim at once, and some of them are killed.

namespace {

using namespace recoup_test;
using namespace std::chrono_literals;
using recoup::operation_record;
using recoup::operation_status;
using recoup::step_record;
using recoup::store_errc;

constexpr auto space = "crash";
std::vector<std::string> const names{"op"};
auto const at_start = recoup::system_time{24h};
// How long anything here may take that waits for another process.
constexpr auto patience = 30s;

operation_record some_head(std::string key) {
    operation_record head;
    head.id = {space, "op", std::move(key)};
    head.status = operation_status::running;
    head.created = head.updated = at_start;
    head.input = "input of " + head.id.key;
    return head;
}

step_record some_step(std::uint32_t index, std::string value) {
    step_record step;
    step.index = index;
    step.name = "step";
    step.count = index;
    step.updated = at_start;
    step.value = std::move(value);
    return step;
}

template <class Result>
int code_of(Result const& got) {
    return got.has_value() ? 0 : got.error().code().value();
}

/// Memory that processes share.
template <class T>
class shared {
  public:
    shared()
        : at_{::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                     0)} {
        if (at_ == MAP_FAILED) throw std::bad_alloc{};
        new (at_) T;
    }
    shared(shared const&) = delete;
    shared& operator=(shared const&) = delete;
    ~shared() { ::munmap(at_, sizeof(T)); }
    T& operator*() const { return *static_cast<T*>(at_); }
    T* operator->() const { return static_cast<T*>(at_); }

  private:
    void* at_;
};

/// Yields until `done()` or for as long as anybody is patient; whether it is done.
template <class Condition>
bool wait_for(Condition const& done) {
    auto const until = std::chrono::steady_clock::now() + patience;
    while (!done()) {
        if (std::chrono::steady_clock::now() > until) return false;
        ::sched_yield();
    }
    return true;
}

struct frozen_story {
    std::atomic<int> claimed{0};      ///< the first owner has the operation
    std::atomic<int> go{0};           ///< the first owner may go on
    std::atomic<int> late_write{-1};  ///< what it was told then
    std::atomic<int> late_renewal{-1};
    std::atomic<int> second_write{-1};
    std::atomic<int> second_opened{-1};
};

/// The first owner: has one step recorded, and writes another when it is told to go on. With
/// `forgets_fence` a writer that is refused asks for the epoch of now, and writes with that.
void first_owner(store_kind const& kind, std::string const& folder, frozen_story& story,
                 bool forgets_fence) {
    auto opened = kind.open(folder);
    if (!opened.has_value()) return;
    auto& store = *opened.value();
    auto const owner = store.enter("the first", 300ms).value();
    auto const started = store.start(some_head("one"), owner).value();
    auto const number = started.record.number;
    auto const one = std::vector{some_step(0, "by the first")};
    if (!store.write({.number = number, .epoch = started.record.epoch, .steps = one}).has_value())
        return;
    story.claimed = 1;
    if (!wait_for([&] { return story.go == 1; })) return;
    auto const two = std::vector{some_step(1, "too late")};
    auto written = store.write({.number = number, .epoch = started.record.epoch, .steps = two});
    if (forgets_fence && !written.has_value())
        written = store.write({.number = number,
                               .epoch = store.find(some_head("one").id).value()->epoch,
                               .steps = two});
    story.late_renewal = code_of(store.renew(owner, 300ms));
    story.late_write = code_of(written);
}

/// The second: claims the operation when that can be had, and records its second step.
void second_owner(store_kind const& kind, std::string const& folder, frozen_story& story) {
    auto opened = kind.open(folder);
    story.second_opened = code_of(opened);
    if (!opened.has_value()) return;
    auto& store = *opened.value();
    auto const owner = store.enter("the second", 30s).value();
    std::vector<operation_record> claimed;
    static_cast<void>(wait_for([&] {
        auto got = store.claim({.owner = owner, .space = space, .names = names, .now = at_start});
        if (got.has_value()) claimed = std::move(got.value());
        return !claimed.empty();
    }));
    if (claimed.size() != 1) return;
    auto const steps = std::vector{some_step(1, "by the second")};
    story.second_write = code_of(store.write(
        {.number = claimed.front().number, .epoch = claimed.front().epoch, .steps = steps}));
    static_cast<void>(wait_for([&] { return story.late_write >= 0; }));
}

std::string second_step(store_kind const& kind, std::string const& folder) {
    auto store = kind.open(folder).value();
    auto const head = store->find(some_head("one").id).value();
    if (!head) return "no operation";
    auto const steps = store->steps(head->number).value();
    return steps.size() == 2 ? steps[1].value : std::to_string(steps.size()) + " steps";
}

/// Freezes the first owner, lets the second take over, thaws the first.
void freeze_and_thaw(store_kind const& kind, std::string const& folder, frozen_story& story,
                     bool forgets_fence) {
    child first{[&](int) {
        first_owner(kind, folder, story, forgets_fence);
        return 0;
    }};
    REQUIRE(wait_for([&] { return story.claimed == 1; }));
    ::kill(first.pid(), SIGSTOP);
    int status = 0;
    REQUIRE(::waitpid(first.pid(), &status, WUNTRACED) == first.pid());
    child second{[&](int) {
        second_owner(kind, folder, story);
        return 0;
    }};
    CHECK(wait_for([&] { return story.second_write >= 0 || story.second_opened > 0; }));
    story.go = 1;
    ::kill(first.pid(), SIGCONT);
    CHECK(first.wait() == 0);
    CHECK(second.wait() == 0);
}

std::vector<store_kind> with_operations(bool shared_by_processes) {
    std::vector<store_kind> some;
    for (auto const& kind : store_kinds())
        if (kind.keeps_operations && kind.shared == shared_by_processes) some.push_back(kind);
    return some;
}

}  // namespace

TEST_CASE("an owner that was frozen and thawed after the takeover is refused") {
    for (auto const& kind : with_operations(true)) {
        temporary_folder folder;
        shared<frozen_story> story;
        freeze_and_thaw(kind, folder.path(), *story, false);
        CHECK(story->second_write == 0);
        CHECK(story->late_write == static_cast<int>(store_errc::fenced));
        CHECK(story->late_renewal == static_cast<int>(store_errc::fenced));
        CHECK(second_step(kind, folder.path()) == "by the second");
        summarise("frozen owner, " + kind.name, "the late writer was refused");
    }
}

TEST_CASE("the suite notices a forgotten fence") {
    for (auto const& kind : with_operations(true)) {
        temporary_folder folder;
        shared<frozen_story> story;
        freeze_and_thaw(kind, folder.path(), *story, true);
        CHECK(story->late_write == 0);
        CHECK(second_step(kind, folder.path()) == "too late");
        summarise("control: forgotten fence, " + kind.name,
                  "caught: two owners recorded a step, the later one is \"too late\"");
    }
}

TEST_CASE("where one process owns a store, a frozen one keeps it and a dead one loses it at once") {
    for (auto const& kind : with_operations(false)) {
        temporary_folder folder;
        shared<frozen_story> story;
        child first{[&](int) {
            first_owner(kind, folder.path(), *story, false);
            return 0;
        }};
        REQUIRE(wait_for([&] { return story->claimed == 1; }));
        ::kill(first.pid(), SIGSTOP);
        {
            child second{[&](int) {
                second_owner(kind, folder.path(), *story);
                return 0;
            }};
            CHECK(second.wait() == 0);
        }
        CHECK(story->second_opened == static_cast<int>(store_errc::locked));
        first.kill();
        story->late_write = 0;
        child third{[&](int) {
            second_owner(kind, folder.path(), *story);
            return 0;
        }};
        CHECK(third.wait() == 0);
        CHECK(story->second_write == 0);
        CHECK(second_step(kind, folder.path()) == "by the second");
    }
}

namespace {

constexpr std::size_t workers = 8;
constexpr std::size_t operations_max = 200'000;

/// Who runs what, as all processes see it.
struct board {
    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> made{0};
    std::atomic<std::uint64_t> claims{0};
    std::atomic<std::uint64_t> finished{0};
    std::atomic<std::uint64_t> double_claims{0};
    std::atomic<std::uint64_t> refused{0};
    std::atomic<std::uint64_t> errors{0};
    std::array<char, 256> words{};
    /// Of each process that was ever started: whether it is meant to die.
    std::array<std::atomic<bool>, 4096> doomed{};
    /// Who runs an operation, by its number: a process of `doomed`; 0: nobody.
    std::array<std::atomic<std::uint32_t>, operations_max> runner{};
    std::array<std::atomic<std::uint32_t>, operations_max> ends{};
};

void complain(board& all, std::string const& text) {
    if (all.errors++ == 0) std::strncpy(all.words.data(), text.c_str(), all.words.size() - 1);
}

/// Finishes one claimed operation, unless it was taken over meanwhile.
void finish(any_store& store, operation_record const& head, board& all, std::uint32_t me) {
    if (head.number >= operations_max) return complain(all, "too many operations for the board");
    auto const before = all.runner[head.number].exchange(me);
    if (before != 0 && !all.doomed[before]) {
        ++all.double_claims;
        complain(all, head.id.key + " was claimed by two that live");
    }
    if (all.ends[head.number] != 0) {
        ++all.double_claims;
        complain(all, head.id.key + " was claimed after its end");
    }
    auto const steps = std::vector{some_step(0, std::to_string(me))};
    auto const stepped = store.write({.number = head.number, .epoch = head.epoch, .steps = steps});
    auto end = head;
    end.status = operation_status::succeeded;
    end.result = "done";
    // The board comes first: from the write on another process may have it.
    all.runner[head.number] = 0;
    auto const ended =
        stepped.has_value()
            ? store.write(
                  {.number = head.number, .epoch = head.epoch, .head = &end, .release = true})
            : stepped;
    if (!ended.has_value()) {
        ++all.refused;
        return complain(all, head.id.key + ": " + ended.error().describe());
    }
    ++all.ends[head.number];
    ++all.finished;
}

int claim_and_finish(store_kind const& kind, std::string const& folder, board& all,
                     std::uint32_t me) {
    auto opened = kind.open(folder);
    if (!opened.has_value()) {
        complain(all, opened.error().describe());
        return 0;
    }
    auto& store = *opened.value();
    auto const entered = store.enter("worker " + std::to_string(me), 30s);
    if (!entered.has_value()) {
        complain(all, entered.error().describe());
        return 0;
    }
    for (std::uint64_t round = 0; !all.stop; ++round) {
        for (int i = 0; i != 2; ++i) {
            auto head =
                some_head(std::to_string(me) + "-" + std::to_string(round * 2) + std::to_string(i));
            head.status = operation_status::pending;
            if (store.start(head, 0).has_value()) ++all.made;
        }
        auto const claimed = store.claim({.owner = entered.value(),
                                          .space = space,
                                          .names = names,
                                          .now = at_start,
                                          .limit = 3});
        if (!claimed.has_value()) {
            complain(all, claimed.error().describe());
            continue;
        }
        all.claims += claimed.value().size();
        for (auto const& head : claimed.value()) finish(store, head, all, me);
    }
    return 0;
}

}  // namespace

TEST_CASE("eight processes that claim at once, some of them killed, never have the same operation",
          "[concurrent]") {
    for (auto const& kind : with_operations(true)) {
        temporary_folder folder;
        shared<board> all;
        { auto const made = kind.open(folder.path()).value(); }
        std::uint32_t started = 0;
        std::uint64_t kills = 0;
        std::vector<std::unique_ptr<child>> crew(workers);
        std::vector<std::uint32_t> numbers(workers);
        auto const hire = [&](std::size_t at) {
            auto const me = ++started;
            numbers[at] = me;
            crew[at] = std::make_unique<child>(
                [&, me](int) { return claim_and_finish(kind, folder.path(), *all, me); });
        };
        for (std::size_t i = 0; i != workers; ++i) hire(i);
        std::mt19937_64 random{crash_seed()};
        auto const until = std::chrono::steady_clock::now() + (long_run() ? 60s : 5s);
        while (std::chrono::steady_clock::now() < until) {
            // The next is killed when some more were finished.
            auto const mark = all->finished + random() % 40;
            while (all->finished < mark && std::chrono::steady_clock::now() < until)
                ::sched_yield();
            auto const victim_at = random() % workers;
            if (started + 1 >= all->doomed.size()) continue;
            all->doomed[numbers[victim_at]] = true;
            crew[victim_at]->kill();
            ++kills;
            hire(victim_at);
        }
        all->stop = true;
        for (auto& one : crew) CHECK(one->wait() == 0);

        std::uint64_t ended_twice = 0;
        for (auto const& ends : all->ends) ended_twice += ends > 1 ? 1 : 0;
        INFO(all->words.data());
        summarise("eight processes, " + kind.name,
                  std::to_string(all->made) + " operations, " + std::to_string(all->claims) +
                      " claims, " + std::to_string(all->finished) + " finished, " +
                      std::to_string(kills) + " kills, double claims " +
                      std::to_string(all->double_claims) + ", ended twice " +
                      std::to_string(ended_twice));
        CHECK(all->double_claims == 0);
        CHECK(ended_twice == 0);
        CHECK(all->errors == 0);
        CHECK(all->finished > 10);
        // What the dead left behind is there for the next.
        if (kind.pass_leases) kind.pass_leases(folder.path());
        auto store = kind.open(folder.path()).value();
        auto const owner = store->enter("the last", 30s).value();
        auto const rest = store->claim(
            {.owner = owner, .space = space, .names = names, .now = at_start, .limit = 1'000'000});
        REQUIRE(rest.has_value());
        // What the store says of itself counts: a worker that dies just after an end tells nobody.
        auto const ended = store->operations({.status = operation_status::succeeded,
                                              .space = std::string{space},
                                              .limit = operations_max});
        REQUIRE(ended.has_value());
        CHECK(rest.value().size() + ended.value().size() >= all->made);
        CHECK(ended.value().size() >= all->finished);
    }
}
