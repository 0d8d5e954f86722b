// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <utility>

namespace recoup::inline v1 {

struct trace_context;

namespace detail {

/// The trace of the innermost attempt with one that runs on this thread: what calls within it are part of as
/// well. One for each thread, and the same in all shared libraries.
struct [[gnu::visibility("default")]] ambient_trace {
    static inline constinit thread_local trace_context const* current = nullptr;
};

/// Makes `trace` that of what runs on this thread, until it goes out of scope.
class ambient_trace_scope {
  public:
    explicit ambient_trace_scope(trace_context const* trace) noexcept
        : before_{std::exchange(ambient_trace::current, trace)} {}
    ambient_trace_scope(ambient_trace_scope const&) = delete;
    ambient_trace_scope& operator=(ambient_trace_scope const&) = delete;
    ~ambient_trace_scope() { ambient_trace::current = before_; }

  private:
    trace_context const* before_;
};

}  // namespace detail

}  // namespace recoup::inline v1
