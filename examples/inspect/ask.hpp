// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "inspect/report.hpp"
#include "inspect/store.hpp"

#include <recoup/core/identity.hpp>
#include <recoup/store/operation_request.hpp>

#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace inspect {

/// What is wanted of one operation.
struct question {
    recoup::operation_request::kind what{};
    recoup::operation_id id{};
    std::string version{};    ///< with `accept`
    recoup::duration wait{};  ///< for a live owner to take the request
};

/// What became of it.
struct answer {
    enum class outcome {
        applied,  ///< nobody owns the store, or it is shared: done by this program
        taken,    ///< a live owner took the request
        waiting,  ///< it lies in the owner's box
    };
    outcome how{};
    store_facts store{};  ///< as it was asked
    std::optional<recoup::operation_record> before{};
    std::optional<recoup::operation_record> after{};
    /// Whether the operation is different now; an owner that took a request may have refused it.
    [[nodiscard]] bool changed() const { return before != after; }
};

/// Asks: does it where nobody else may write the store, else leaves it for the one who may.
///
/// Throws: problem.
[[nodiscard]] answer ask(std::string const& where, question const& what, open_options const& how);

[[nodiscard]] std::string answer_text(question const& what, answer const& got);
[[nodiscard]] nlohmann::json answer_json(question const& what, answer const& got,
                                         layout const& how);

/// What is known of an open store.
[[nodiscard]] store_facts facts_of(store const& open);

}  // namespace inspect
