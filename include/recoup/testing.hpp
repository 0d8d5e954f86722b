// SPDX-License-Identifier: BSL-1.0
#pragma once

// For tests of code that uses recoup: time that does not have to be waited for, faults on demand,
// and whole traces of events.

#include <recoup/testing/event_recorder.hpp>
#include <recoup/testing/fault_plan.hpp>
#include <recoup/testing/manual_clock.hpp>
