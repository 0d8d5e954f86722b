// SPDX-License-Identifier: BSL-1.0
#pragma once

/// Durable operations: steps whose results are recorded, and that a crash does not run again.
///
/// Any store will do: `memory_store` is in here, others have headers of their own.

#include <recoup/durable/apply_request.hpp>
#include <recoup/durable/defined_operation.hpp>
#include <recoup/durable/operation.hpp>
#include <recoup/durable/operation_interrupted.hpp>
#include <recoup/durable/operations.hpp>
#include <recoup/durable/operations_options.hpp>
#include <recoup/durable/step_options.hpp>
#include <recoup/store/memory_store.hpp>
