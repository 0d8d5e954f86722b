// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace bench {

/// How many bytes an operation leaves in a store: the floors write as many.
struct operation_bytes {
    std::size_t start = 0;   ///< its head, when it begins
    std::size_t step = 0;    ///< each of its steps
    std::size_t finish = 0;  ///< its head, when it has ended
};

inline constexpr std::uint32_t steps_each = 10;
inline constexpr std::size_t in_flight = 50;

/// The least that a database can be asked to do for durable operations: a row for each, a row for each
/// step, inserted only where the operation has the epoch that the writer knows. No library, no engine.
class floor_store {
  public:
    floor_store() = default;
    floor_store(floor_store const&) = delete;
    floor_store& operator=(floor_store const&) = delete;
    virtual ~floor_store() = default;

    /// One operation of `steps_each` steps from its start to its end: as many commits as there are rows.
    virtual void run_one(operation_bytes const& bytes) = 0;

    /// Rows of operations that `insert_steps` will need; not part of what is measured.
    virtual void prepare(std::size_t operations, operation_bytes const& bytes) = 0;

    /// Step `index` of `in_flight` operations from `first` on, in one commit.
    virtual void insert_steps(std::uint64_t first, std::uint32_t index, std::size_t bytes) = 0;

    /// Reads all operations, then writes each one's row with the next epoch, so many in a commit.
    virtual void read_and_rewrite_all(std::size_t a_commit) = 0;

    /// The number that the next operation will get.
    [[nodiscard]] std::uint64_t next() const noexcept { return next_; }

  protected:
    std::uint64_t next_ = 1;
};

/// On SQLite's C interface: write-ahead log, synchronous=FULL, or NORMAL where not `synced`. `path` is made
/// anew.
std::unique_ptr<floor_store> sqlite_floor(std::string const& path, bool synced);

/// Steps a second of grouped commits, over about `span`.
double grouped_steps_a_second(floor_store& floor, std::chrono::nanoseconds span,
                              operation_bytes const& bytes);

}  // namespace bench
