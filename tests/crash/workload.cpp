// SPDX-License-Identifier: BSL-1.0
#include "crash/workload.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <new>
#include <set>
#include <stdexcept>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace recoup_test {

namespace {

using recoup::operation_id;
using recoup::operation_record;
using recoup::operation_status;
using recoup::record;
using recoup::record_status;
using recoup::result;
using recoup::step_record;
using recoup::step_status;
using recoup::system_time;

// Ahead of every clock, so that what a store cleans up by itself is not what a workload asks for.
auto const a_day = system_time{std::chrono::hours{24} * 365 * 130};
constexpr auto space = "crash";
std::string const operation_name = "op";

std::uint64_t mixed(std::uint64_t number) {
    number += 0x9E3779B97F4A7C15U;
    number = (number ^ (number >> 30U)) * 0xBF58476D1CE4E5B9U;
    number = (number ^ (number >> 27U)) * 0x94D049BB133111EBU;
    return number ^ (number >> 31U);
}

std::uint64_t mixed(std::uint64_t seed, std::string const& text, std::uint64_t number) {
    for (auto const byte : text) seed = mixed(seed ^ static_cast<unsigned char>(byte));
    return mixed(seed + number);
}

/// Most are small, some take several pages.
std::string sized_value(std::uint64_t seed, std::string const& key, std::uint64_t version) {
    auto const drawn = mixed(seed ^ 77, key, version);
    auto const most = drawn % 8 == 0 ? 6000U : 120U;
    return value_of(seed, key, version, (drawn >> 8U) % most);
}

std::string key_of(std::size_t lane, std::size_t key) {
    return "lane" + std::to_string(lane) + "-" + std::to_string(key);
}

operation_id record_id(std::size_t lane, std::size_t key) {
    return {space, "rec", key_of(lane, key)};
}
operation_id id_of(std::size_t lane, std::size_t key) {
    return {space, operation_name, key_of(lane, key)};
}

record make_record(std::uint64_t seed, operation_id id, std::uint64_t version, bool expired) {
    record what;
    what.id = std::move(id);
    what.fingerprint = version;
    what.attempts = static_cast<std::uint32_t>(version % 9);
    what.checkpoint = sized_value(seed, what.id.key, version);
    what.updated = what.created = a_day;
    if (expired) {
        what.status = record_status::failed;
        what.expires = a_day;
    }
    return what;
}

operation_record make_head(std::uint64_t seed, operation_id id, std::uint64_t version,
                           operation_status status) {
    operation_record head;
    head.id = std::move(id);
    head.status = status;
    head.fingerprint = version;
    head.input = sized_value(seed, head.id.key + "i", version);
    head.progress = sized_value(seed, head.id.key + "p", version);
    head.created = head.updated = a_day;
    if (status == operation_status::succeeded) head.result = std::to_string(version);
    return head;
}

step_record make_step(std::uint64_t seed, std::string const& key, std::uint32_t index,
                      std::uint64_t version, step_status status) {
    step_record step;
    step.index = index;
    step.name = "step" + std::to_string(index);
    step.status = status;
    step.fingerprint = version;
    step.updated = a_day;
    auto text = sized_value(seed, key + "s" + std::to_string(index), version);
    (status == step_status::done ? step.value : step.state) = std::move(text);
    return step;
}

/// Whether these values are ones that a workload of that seed makes.
bool was_made(std::uint64_t seed, record const& found) {
    auto made = make_record(seed, found.id, found.fingerprint, found.expires == a_day);
    made.revision = found.revision;
    return made == found;
}
bool was_made(std::uint64_t seed, operation_content const& found) {
    auto const& head = found.head;
    auto made = make_head(seed, head.id, head.fingerprint, head.status);
    if (made.progress != head.progress || made.input != head.input || made.result != head.result)
        return false;
    return std::all_of(found.steps.begin(), found.steps.end(), [&](step_record const& step) {
        return step == make_step(seed, head.id.key, step.index, step.fingerprint, step.status);
    });
}

/// Without what the store gives.
operation_record plain(operation_record head) {
    head.number = head.epoch = head.owner = 0;
    return head;
}
bool same(operation_content const& left, operation_content const& right) {
    return plain(left.head) == plain(right.head) && left.steps == right.steps;
}
bool same(record const& expected, record const& found) {
    if (expected.revision != 0) return expected == found;
    auto copy = expected;
    copy.revision = found.revision;
    return copy == found;
}

void put_step(std::vector<step_record>& steps, step_record const& one) {
    auto const at = std::find_if(steps.begin(), steps.end(),
                                 [&](auto const& s) { return s.index == one.index; });
    if (at == steps.end())
        steps.push_back(one);
    else
        *at = one;
}

bool runs(operation_content const& what) {
    return what.head.status == operation_status::running ||
           what.head.status == operation_status::pending;
}

template <class Result>
std::int32_t code_of(Result const& got) {
    if (got.has_value()) return 0;
    auto const code = got.error().code().value();
    return code == 0 ? -1 : code;
}

planned_step plan_record(lane_model const& model, std::size_t key, std::uint64_t drawn) {
    planned_step step;
    step.key = key;
    auto const& now = model.records[key].front();
    auto const choice = drawn % 10;
    step.what = now && choice == 0   ? planned_step::kind::erase
                : now && choice == 1 ? planned_step::kind::clean
                                     : planned_step::kind::save;
    step.record = make_record(model.seed, record_id(model.lane, key), model.step + 1U,
                              step.what == planned_step::kind::clean);
    step.record.revision = now ? now->revision : 0;
    return step;
}

planned_step plan_operation(lane_model const& model, std::size_t key, std::uint64_t drawn) {
    planned_step step;
    step.key = key;
    auto const& now = model.operations[key].front();
    auto const version = model.step + 1U;
    auto const id = id_of(model.lane, key);
    if (!now) {
        step.what = planned_step::kind::start;
        step.after.head = make_head(model.seed, id, version, operation_status::running);
        return step;
    }
    step.after = *now;
    step.wished = now->head.cancel_requested;
    auto const choice = drawn % 16;
    auto const write_head = [&](operation_status status) {
        auto const generation = now->head.generation;
        step.after.head = make_head(model.seed, id, version, status);
        step.after.head.generation = generation;
        step.with_head = true;
    };
    if (!runs(*now)) {
        if (choice < 8) {
            step.what = planned_step::kind::remove;
            return step;
        }
        step.what = planned_step::kind::again;
        write_head(operation_status::running);
        ++step.after.head.generation;
        step.after.steps.clear();
        return step;
    }
    if (choice == 0) {
        step.what = planned_step::kind::cancel;
        step.after.head.cancel_requested = true;
        return step;
    }
    if (choice < 4 && !now->steps.empty()) {
        step.what = planned_step::kind::finish;
        write_head(operation_status::succeeded);
        return step;
    }
    step.what = planned_step::kind::write;
    if (choice < 6) write_head(operation_status::running);
    auto const count = 1 + (drawn >> 8U) % 3;
    auto index = static_cast<std::uint32_t>(now->steps.size());
    if (index != 0 && now->steps.back().status == step_status::begun) --index;
    for (std::uint64_t i = 0; i != count; ++i, ++index) {
        auto const begun = i + 1 == count && (drawn >> 16U) % 4 == 0;
        step.steps.push_back(make_step(model.seed, id.key, index, version,
                                       begun ? step_status::begun : step_status::done));
        put_step(step.after.steps, step.steps.back());
    }
    return step;
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
            auto const written = store.write({.number = held.number,
                                              .epoch = held.epoch,
                                              .head = step.with_head ? &step.after.head : nullptr,
                                              .steps = step.steps,
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
                                             .drop_steps = true})));
        }
    }
    return told(-2);
}

}  // namespace

std::string value_of(std::uint64_t seed, std::string const& key, std::uint64_t version,
                     std::size_t size) {
    std::string text;
    text.reserve(size);
    auto state = mixed(seed, key, version);
    while (text.size() < size) {
        state = mixed(state);
        text += static_cast<char>(state);
    }
    return text;
}

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

lane_model::lane_model(std::size_t of_lane, std::uint64_t with_seed)
    : lane{of_lane}, seed{with_seed} {
    records.fill({std::nullopt});
    operations.fill({std::nullopt});
}

std::vector<lane_model> make_models(std::size_t lanes, std::uint64_t seed) {
    std::vector<lane_model> models;
    for (std::size_t lane = 0; lane != lanes; ++lane) models.emplace_back(lane, seed);
    return models;
}

planned_step plan_step(lane_model const& model, bool with_operations) {
    auto const drawn = mixed(model.seed + model.lane * 1'000'003U, "step", model.step);
    auto const of_operations = with_operations && drawn % 3 != 0;
    auto const keys = of_operations ? operation_keys : record_keys;
    for (std::size_t i = 0; i != keys; ++i) {
        auto const key = ((drawn >> 4U) + i) % keys;
        if (of_operations && model.operations[key].size() == 1)
            return plan_operation(model, key, drawn >> 12U);
        if (!of_operations && model.records[key].size() == 1)
            return plan_record(model, key, drawn >> 12U);
    }
    return {};
}

void take_outcome(lane_model& model, planned_step const& step, std::optional<outcome> what) {
    using kind = planned_step::kind;
    ++model.step;
    auto const acknowledged = what && what->code == 0;
    auto const settle = [&](auto& may_be, auto after) {
        if (acknowledged) may_be.clear();
        may_be.push_back(std::move(after));
    };
    switch (step.what) {
        case kind::none: break;
        case kind::save: {
            auto after = step.record;
            after.revision = acknowledged ? what->number : 0;
            settle(model.records[step.key], std::optional{std::move(after)});
            break;
        }
        case kind::clean:
            if (!acknowledged) {
                auto between = step.record;
                between.revision = 0;
                model.records[step.key].push_back(std::move(between));
            }
            settle(model.records[step.key], std::optional<record>{});
            break;
        case kind::erase: settle(model.records[step.key], std::optional<record>{}); break;
        case kind::remove:
            settle(model.operations[step.key], std::optional<operation_content>{});
            break;
        default: settle(model.operations[step.key], std::optional{step.after}); break;
    }
}

void take_log(std::vector<lane_model>& models, process_log const& log, bool with_operations) {
    for (auto& model : models) {
        auto const& lane = log.lanes[model.lane];
        for (std::uint32_t i = 0; i != lane.done; ++i)
            take_outcome(model, plan_step(model, with_operations), lane.outcomes[i]);
        if (lane.begun > lane.done) take_outcome(model, plan_step(model, with_operations), {});
    }
}

recoup::failure begin_work(any_store& store, std::vector<lane_model> const& models,
                           process_log& log, ownership& mine) {
    if (!store.keeps_operations()) return {};
    auto const entered = store.enter("worker", std::chrono::seconds{30});
    if (!entered.has_value()) return entered.error();
    mine.owner = entered.value();
    auto const names = std::vector<std::string>{operation_name};
    auto const claimed = store.claim(
        {.owner = mine.owner, .space = space, .names = names, .now = a_day, .limit = 1000});
    if (!claimed.has_value()) return claimed.error();
    for (auto const& head : claimed.value()) {
        if (!mine.operations.emplace(head.id.key, ownership::held{head.number, head.epoch}).second)
            log.complain("claim gave " + head.id.key + " twice");
        if (head.owner != mine.owner) log.complain("claim gave what another owner has");
    }
    for (auto const& model : models)
        for (std::size_t key = 0; key != operation_keys; ++key) {
            auto const& may_be = model.operations[key];
            auto const running = std::count_if(may_be.begin(), may_be.end(),
                                               [](auto const& one) { return one && runs(*one); });
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

findings& findings::operator+=(findings const& other) {
    lost += other.lost;
    wrong += other.wrong;
    duplicates += other.duplicates;
    refused += other.refused;
    if (words.empty()) words = other.words;
    return *this;
}

namespace {

class inspection {
  public:
    explicit inspection(any_store& store)
        : store_{&store}, with_operations_{store.keeps_operations()} {}

    findings look(std::vector<lane_model>& models) {
        for (auto& model : models) {
            for (std::size_t key = 0; key != record_keys; ++key) look_at_record(model, key);
            if (!with_operations_) continue;
            for (std::size_t key = 0; key != operation_keys; ++key) look_at_operation(model, key);
        }
        look_at_lists();
        if (!store_->whole()) note(found_.refused, "the store's own verification fails");
        return found_;
    }

  private:
    void note(std::uint64_t& count, std::string const& words) {
        ++count;
        if (found_.words.empty()) found_.words = words;
    }

    void look_at_record(lane_model& model, std::size_t key) {
        auto const id = record_id(model.lane, key);
        auto const loaded = store_->load(id);
        if (!loaded.has_value())
            return note(found_.refused, "record " + id.key + ": " + loaded.error().describe());
        auto const& there = loaded.value();
        auto& may_be = model.records[key];
        auto const matches = std::any_of(may_be.begin(), may_be.end(), [&](auto const& one) {
            return one && there ? same(*one, *there) : one.has_value() == there.has_value();
        });
        if (!matches) {
            if (there && !was_made(model.seed, *there))
                note(found_.wrong, "record " + id.key + " holds what was never written");
            else
                note(found_.lost,
                     "record " + id.key + " is " +
                         (there ? "of version " + std::to_string(there->fingerprint) +
                                      ", revision " + std::to_string(there->revision)
                                : "absent") +
                         "; acknowledged was " +
                         (may_be.front()
                              ? "version " + std::to_string(may_be.front()->fingerprint) +
                                    ", revision " + std::to_string(may_be.front()->revision)
                              : "absence"));
        }
        may_be = {there};
        // Left behind between its save and its clean-up: whichever lane cleans up next removes it.
        if (there && there->expires == a_day) may_be.push_back(std::nullopt);
        records_ += there ? 1 : 0;
    }

    void look_at_operation(lane_model& model, std::size_t key) {
        auto const id = id_of(model.lane, key);
        auto const head = store_->find(id);
        if (!head.has_value())
            return note(found_.refused, "operation " + id.key + ": " + head.error().describe());
        std::optional<operation_content> there;
        if (head.value()) {
            auto steps = store_->steps(head.value()->number);
            if (!steps.has_value())
                return note(found_.refused,
                            "the steps of " + id.key + ": " + steps.error().describe());
            there = operation_content{*head.value(), std::move(steps.value())};
            ++operations_;
        }
        auto& may_be = model.operations[key];
        auto const matches = std::any_of(may_be.begin(), may_be.end(), [&](auto const& one) {
            return one && there ? same(*one, *there) : one.has_value() == there.has_value();
        });
        if (!matches) tell_difference(model, id, there, may_be.front());
        may_be = {there};
    }

    void tell_difference(lane_model const& model, operation_id const& id,
                         std::optional<operation_content> const& there,
                         std::optional<operation_content> const& expected) {
        if (!there) return note(found_.lost, "operation " + id.key + " is absent");
        std::set<std::uint32_t> indices;
        for (auto const& step : there->steps)
            if (!indices.insert(step.index).second)
                return note(found_.duplicates,
                            "step " + std::to_string(step.index) + " of " + id.key + " is twice");
        if (!was_made(model.seed, *there))
            return note(found_.wrong, "operation " + id.key + " holds what was never written");
        note(found_.lost,
             "operation " + id.key + " is of version " + std::to_string(there->head.fingerprint) +
                 " (" + std::string{to_string(there->head.status)} + ", cancel " +
                 std::to_string(there->head.cancel_requested) + ") with " +
                 std::to_string(there->steps.size()) + " steps; acknowledged was " +
                 (expected ? "version " + std::to_string(expected->head.fingerprint) + " (" +
                                 std::string{to_string(expected->head.status)} + ", cancel " +
                                 std::to_string(expected->head.cancel_requested) + ") with " +
                                 std::to_string(expected->steps.size())
                           : "absence"));
    }

    void look_at_lists() {
        auto const listed = store_->list({});
        if (!listed.has_value()) return note(found_.refused, listed.error().describe());
        if (listed.value().size() != records_ && found_.refused == 0)
            note(listed.value().size() > records_ ? found_.duplicates : found_.lost,
                 "list gives " + std::to_string(listed.value().size()) + " records; load gave " +
                     std::to_string(records_));
        if (!with_operations_) return;
        auto const all = store_->operations({});
        if (!all.has_value()) return note(found_.refused, all.error().describe());
        std::set<std::uint64_t> numbers;
        for (auto const& head : all.value())
            if (!numbers.insert(head.number).second)
                note(found_.duplicates,
                     "two operations have number " + std::to_string(head.number));
        if (all.value().size() != operations_ && found_.refused == 0)
            note(all.value().size() > operations_ ? found_.duplicates : found_.lost,
                 "operations gives " + std::to_string(all.value().size()) + "; find gave " +
                     std::to_string(operations_));
    }

    any_store* store_;
    bool with_operations_;
    findings found_;
    std::size_t records_ = 0;
    std::size_t operations_ = 0;
};

}  // namespace

findings judge(any_store& store, std::vector<lane_model>& models) {
    return inspection{store}.look(models);
}

}  // namespace recoup_test
