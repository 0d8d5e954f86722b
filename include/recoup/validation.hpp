// SPDX-License-Identifier: BSL-1.0
#pragma once

// Whether a callable of one's own, decorated with policies of one's own, costs, keeps, recovers and succeeds as it is
// required to. Link recoup::validation. The verdict as JSON: <recoup/validation/validation_json.hpp>.

#include <recoup/validation/table.hpp>
#include <recoup/validation/validator.hpp>
