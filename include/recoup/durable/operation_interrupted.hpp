// SPDX-License-Identifier: BSL-1.0
#pragma once

namespace recoup::inline v1 {

/// Thrown by a step of an operation that must not go on here: it was cancelled, another owner has taken
/// it over, the store failed, or operations are being shut down.
///
/// Not derived from std::exception, so that a body that catches those lets it pass. Every further step
/// throws it again; whoever runs the operation catches it.
class operation_interrupted final {};

}  // namespace recoup::inline v1
