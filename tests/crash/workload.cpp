// SPDX-License-Identifier: BSL-1.0
#include "crash/workload.hpp"

#include "crash/values.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <new>
#include <stdexcept>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

// A workload does its steps, and logs what it was told.

namespace recoup_test {

namespace {

template <class Result>
std::int32_t code_of(Result const& got) {
    if (got.has_value()) return 0;
    auto const code = got.error().code().value();
    return code == 0 ? -1 : code;
}

outcome told(std::int32_t code, std::uint64_t number = 0) { return {code, number}; }

/// Does a step, and tells what the store said. `log` is told what must not be.
outcome perform(any_store& store, lane_model const& model, planned_step const& step,
                ownership& mine, process_log& log) {
    using kind = planned_step::kind;
    auto const id = id_of(model.lane, step.key);
    auto& held = mine.operations[id.key];
    auto const wrong = [&](std::string const& text) {
        log.complain("step " + std::to_string(model.step) + " on " + id.key + ": " + text);
    };
    auto const look_up = [&]() -> std::int32_t {
        auto const found = store.find(id);
        if (!found.has_value()) return code_of(found);
        if (!found.value()) {
            wrong("an operation that was acknowledged is not found");
            return -2;
        }
        held = {found.value()->number, found.value()->epoch};
        return 0;
    };
    switch (step.what) {
        case kind::none: return told(-2);
        case kind::save: {
            auto const saved = store.save(step.record);
            return told(code_of(saved), saved.has_value() ? saved.value() : 0);
        }
        case kind::erase: return told(code_of(store.erase(step.record.id, step.record.revision)));
        case kind::clean: {
            auto const saved = store.save(step.record);
            if (!saved.has_value()) return told(code_of(saved));
            return told(code_of(store.clean_up(a_day, 100)));
        }
        case kind::start: {
            auto const started = store.start(step.after.head, mine.owner);
            if (!started.has_value()) return told(code_of(started));
            auto const& one = started.value();
            if (!one.made) wrong("start found an operation where there is none");
            if (plain(one.record) != plain(step.after.head)) wrong("start gave another head");
            held = {one.record.number, one.record.epoch};
            return told(0, one.record.number);
        }
        case kind::cancel: return told(code_of(store.request_cancel(held.number)));
        case kind::write:
        case kind::finish: {
            auto head = step.after.head;
            head.cancel_requested = false;  // its writer has not heard of a wish
            auto const written = store.write({.number = held.number,
                                              .epoch = held.epoch,
                                              .head = step.with_head ? &head : nullptr,
                                              .steps = step.steps,
                                              .drop_wish = step.drop_wish,
                                              .release = step.what == kind::finish});
            if (written.has_value() && written.value().cancel_requested != step.wished)
                wrong("the receipt tells otherwise of a cancellation");
            return told(code_of(written));
        }
        case kind::remove: {
            if (auto const code = look_up(); code != 0) return told(code);
            return told(code_of(store.remove(held.number, held.epoch)));
        }
        case kind::again: {
            if (auto const code = look_up(); code != 0) return told(code);
            auto const taken = store.take(held.number, held.epoch, mine.owner);
            if (!taken.has_value()) return told(code_of(taken));
            if (taken.value().epoch <= held.epoch) wrong("take did not raise the epoch");
            held.epoch = taken.value().epoch;
            return told(code_of(store.write({.number = held.number,
                                             .epoch = held.epoch,
                                             .head = &step.after.head,
                                             .drop_steps = true,
                                             .drop_wish = step.drop_wish})));
        }
    }
    return told(-2);
}

/// Asks for the revisions of records that are there with one that is not known.
void learn_revisions(any_store& store, lane_model& model, process_log& log) {
    for (auto& may_be : model.records) {
        if (may_be.size() != 1 || !may_be.front() || may_be.front()->revision != 0) continue;
        auto const loaded = store.load(may_be.front()->id);
        if (loaded.has_value() && loaded.value())
            may_be.front()->revision = loaded.value()->revision;
        else
            log.complain("record " + may_be.front()->id.key + ", which was acknowledged, is " +
                         (loaded.has_value() ? "absent" : loaded.error().describe()));
    }
}

}  // namespace

void process_log::complain(std::string const& text) {
    if (bad.exchange(true)) return;
    std::strncpy(words.data(), text.c_str(), words.size() - 1);
}

std::uint64_t process_log::acknowledged() const {
    std::uint64_t count = 0;
    for (auto const& lane : lanes)
        for (std::uint32_t i = 0; i != lane.done; ++i) count += lane.outcomes[i].code == 0 ? 1 : 0;
    return count;
}

std::uint64_t process_log::begun() const {
    std::uint64_t count = 0;
    for (auto const& lane : lanes) count += lane.begun;
    return count;
}

shared_log::shared_log()
    : memory_{::mmap(nullptr, sizeof(process_log), PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0)},
      log_{nullptr} {
    if (memory_ == MAP_FAILED) throw std::bad_alloc{};
    log_ = new (memory_) process_log;
}

shared_log::shared_log(std::string const& path) : memory_{MAP_FAILED}, log_{nullptr} {
    auto const file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct closer {
        int file;
        ~closer() { ::close(file); }
    } const closing{file};
    auto const size = ::lseek(file, 0, SEEK_END);
    if (::ftruncate(file, sizeof(process_log)) != 0)
        throw std::runtime_error{"the log " + path + " cannot be made"};
    memory_ = ::mmap(nullptr, sizeof(process_log), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory_ == MAP_FAILED) throw std::bad_alloc{};
    log_ = size == 0 ? new (memory_) process_log : static_cast<process_log*>(memory_);
}

shared_log::~shared_log() { ::munmap(memory_, sizeof(process_log)); }

void shared_log::clear() { log_ = new (memory_) process_log; }

recoup::failure begin_work(any_store& store, std::vector<lane_model> const& models,
                           process_log& log, ownership& mine) {
    if (!store.keeps_operations()) return {};
    auto const entered = store.enter("worker", std::chrono::seconds{30});
    if (!entered.has_value()) return entered.error();
    mine.owner = entered.value();
    auto const names = std::vector<std::string>{operation_name};
    auto const claimed = store.claim({.owner = mine.owner,
                                      .space = workload_space,
                                      .names = names,
                                      .now = a_day,
                                      .limit = 1000});
    if (!claimed.has_value()) return claimed.error();
    for (auto const& head : claimed.value()) {
        if (!mine.operations.emplace(head.id.key, ownership::held{head.number, head.epoch}).second)
            log.complain("claim gave " + head.id.key + " twice");
        if (head.owner != mine.owner) log.complain("claim gave what another owner has");
    }
    for (auto const& model : models)
        for (std::size_t key = 0; key != operation_keys; ++key) {
            auto const& may_be = model.operations[key];
            auto const running = std::count_if(may_be.begin(), may_be.end(), [](auto const& one) {
                return one && is_running(*one);
            });
            auto const has = mine.operations.contains(key_of(model.lane, key));
            if (has && running == 0)
                log.complain("claim gave " + key_of(model.lane, key) + ", which does not run");
            if (!has && running == static_cast<std::ptrdiff_t>(may_be.size()))
                log.complain("claim did not give " + key_of(model.lane, key) +
                             ", which a dead owner left behind");
        }
    return {};
}

void run_lane(any_store& store, lane_model model, process_log& log, ownership& mine,
              work_options const& how) {
    auto& lane = log.lanes[model.lane];
    auto const with_operations = store.keeps_operations();
    std::uint32_t refusals = 0;
    learn_revisions(store, model, log);
    for (std::uint32_t i = 0; i != how.steps && refusals < how.refusals_max; ++i) {
        auto const step = plan_step(model, with_operations);
        if (step.what == planned_step::kind::none) return;
        auto const number = lane.done.load();
        lane.begun = number + 1;
        if (how.on_step) how.on_step(model.lane, number, false);
        if (how.mistakes.acknowledges_early) {
            lane.outcomes[number] = {};
            lane.done = number + 1;
            if (how.on_step) how.on_step(model.lane, number, true);
        }
        outcome got;
        try {
            got = perform(store, model, step, mine, log);
        } catch (std::bad_alloc const&) {
            got = {-3, 0};
        }
        if (!how.mistakes.acknowledges_early) {
            lane.outcomes[number] = got;
            lane.done = number + 1;
            if (how.on_step) how.on_step(model.lane, number, true);
        }
        refusals += got.code != 0 ? 1 : 0;
        take_outcome(model, step, got);
    }
}

recoup::failure run_work(any_store& store, std::vector<lane_model> const& models, process_log& log,
                         work_options const& how) {
    ownership mine;
    if (auto error = begin_work(store, models, log, mine); error.code()) return error;
    log.stage = 2;
    for (auto const& model : models) run_lane(store, model, log, mine, how);
    return {};
}

}  // namespace recoup_test
