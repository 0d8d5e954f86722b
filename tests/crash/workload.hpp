// SPDX-License-Identifier: BSL-1.0
#pragma once

// A mix of work against a store, drawn from a seed, and the judge of what is found afterwards.
//
// What a step does follows from the seed, its number and what was acknowledged before it, so that whoever
// knows the acknowledgements knows what the store has to hold. Acknowledgements are written to memory
// that outlives the process, after the store has returned, and so is that a step has begun.

#include "crash/stores.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace recoup_test {

inline constexpr std::size_t record_keys = 6;     // of a lane
inline constexpr std::size_t operation_keys = 4;  // of a lane
inline constexpr std::size_t steps_max = 4096;    // of a lane, in one process

/// What became of a step.
struct outcome {
    std::int32_t code = 0;     ///< of a `store_errc`; 0: acknowledged
    std::uint64_t number = 0;  ///< the revision or the number that the store gave; 0: unknown
};

/// What one lane of a process has done, in memory that is shared with the parent.
struct lane_log {
    std::atomic<std::uint32_t> begun{0};
    std::atomic<std::uint32_t> done{0};
    std::array<outcome, steps_max> outcomes{};
};

/// What a process tells its parent.
struct process_log {
    static constexpr std::size_t lanes_max = 4;
    std::atomic<std::uint32_t> stage{0};  ///< 1: the store is open, 2: it has claimed, 3: ended
    std::atomic<bool> bad{false};
    std::array<char, 1024> words{};  ///< what was wrong, where something was
    std::array<lane_log, lanes_max> lanes{};

    void complain(std::string const& text);
    [[nodiscard]] std::uint64_t acknowledged() const;
    [[nodiscard]] std::uint64_t begun() const;
};

/// A process log in memory that children share; or in a file, for a program that is started.
class shared_log {
  public:
    shared_log();
    explicit shared_log(std::string const& path);
    shared_log(shared_log const&) = delete;
    shared_log& operator=(shared_log const&) = delete;
    ~shared_log();
    process_log& operator*() const { return *log_; }
    process_log* operator->() const { return log_; }
    void clear();

  private:
    void* memory_;
    process_log* log_;
};

/// An operation with its steps, as a store holds it. Epoch and owner are not compared.
struct operation_content {
    recoup::operation_record head{};
    std::vector<recoup::step_record> steps{};
};

/// What one lane's keys hold: for each the states that it may be in. One, where all was acknowledged. A record
/// whose revision is 0 is there with one that is not known.
struct lane_model {
    std::size_t lane = 0;
    std::uint64_t seed = 0;
    std::array<std::vector<std::optional<recoup::record>>, record_keys> records;
    std::array<std::vector<std::optional<operation_content>>, operation_keys> operations;
    std::uint32_t step = 0;  ///< the next

    lane_model(std::size_t of_lane, std::uint64_t with_seed);
};

/// What the next step of a lane is.
struct planned_step {
    enum class kind { none, save, erase, clean, start, write, finish, cancel, remove, again };
    kind what = kind::none;
    std::size_t key = 0;
    recoup::record record{};                   ///< save
    operation_content after{};                 ///< what the operation shall be
    std::vector<recoup::step_record> steps{};  ///< written with it
    bool with_head = false;
    bool drop_wish = false;
    bool wished = false;  ///< somebody wanted the operation to end before that
};

planned_step plan_step(lane_model const& model, bool with_operations);
/// Brings the model up to a step with that outcome; without one, it is in doubt.
void take_outcome(lane_model& model, planned_step const& step, std::optional<outcome> what);

/// What a process needs to know of the operations that it runs.
struct ownership {
    std::uint64_t owner = 0;
    struct held {
        std::uint64_t number = 0;
        std::uint64_t epoch = 0;
    };
    std::map<std::string, held> operations{};  // by key
};

/// Mistakes of a store, played by what lies between it and its user.
struct planted {
    bool acknowledges_early = false;  ///< tells success before the store has returned
};

struct work_options {
    std::uint32_t steps = 40;  ///< of each lane
    planted mistakes{};
    std::function<void(std::size_t lane, std::uint32_t step, bool done)> on_step{};
    std::uint32_t refusals_max = 3;  ///< then a lane gives up
};

/// Enters, and claims what dead owners left; tells in the log where what is claimed is not as it must be.
/// What it fails with, or an empty failure.
recoup::failure begin_work(any_store& store, std::vector<lane_model> const& models,
                           process_log& log, ownership& mine);
/// Runs the steps of one lane.
void run_lane(any_store& store, lane_model model, process_log& log, ownership& mine,
              work_options const& how);
/// Both, for all lanes one after the other, in this thread; what it did not begin for.
recoup::failure run_work(any_store& store, std::vector<lane_model> const& models, process_log& log,
                         work_options const& how);

/// Brings the models up to what a process has logged.
void take_log(std::vector<lane_model>& models, process_log const& log, bool with_operations);
/// What a store has given them is not known any more.
void forget_revisions(std::vector<lane_model>& models);
std::vector<lane_model> make_models(std::size_t lanes, std::uint64_t seed);

/// What was found.
struct findings {
    std::uint64_t lost = 0;        ///< keys that do not hold what was acknowledged
    std::uint64_t wrong = 0;       ///< values that were never written
    std::uint64_t duplicates = 0;  ///< recorded twice, or under two numbers
    std::uint64_t refused = 0;     ///< not to be had: an error where there is a value
    std::string words{};           ///< of the first

    [[nodiscard]] bool ok() const { return lost + wrong + duplicates + refused == 0; }
    findings& operator+=(findings const& other);
};

/// Looks at all that a store holds; each key must be in one of the states of the models, which take over
/// what is found.
findings judge(any_store& store, std::vector<lane_model>& models);

}  // namespace recoup_test
