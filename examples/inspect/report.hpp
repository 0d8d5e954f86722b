// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "inspect/store.hpp"

#include <recoup/core/time.hpp>
#include <recoup/store/operation_record.hpp>
#include <recoup/store/record.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace inspect {

/// What is printed about a store.
struct store_facts {
    std::string location{};
    std::string kind{};
    bool shared = false;
    std::optional<owner_info> owner{};  ///< who is alive and has it
};

/// What `list` found.
struct listing {
    store_facts store{};
    std::vector<recoup::operation_record> operations{};
    std::vector<recoup::record> records{};
    bool more = false;  ///< there are more than were asked for
    std::vector<damage> damaged{};
};

/// What `show` found.
struct exhibit {
    store_facts store{};
    std::optional<recoup::operation_record> operation{};
    std::vector<recoup::step_record> steps{};
    std::optional<recoup::record> record{};
};

/// How it is printed.
struct layout {
    recoup::system_time now{};       ///< what ages count from
    std::size_t columns = 0;         ///< of the terminal; 0: no limit
    std::size_t value_bytes = 4096;  ///< shown of a value
    bool full = false;               ///< the values of steps as well
};

[[nodiscard]] std::string list_text(listing const& what, layout const& how);
[[nodiscard]] std::string show_text(exhibit const& what, layout const& how);
[[nodiscard]] std::string verify_text(store_facts const& store, verification const& found);

[[nodiscard]] nlohmann::json list_json(listing const& what, layout const& how);
[[nodiscard]] nlohmann::json show_json(exhibit const& what, layout const& how);
[[nodiscard]] nlohmann::json verify_json(store_facts const& store, verification const& found);
[[nodiscard]] nlohmann::json operation_json(recoup::operation_record const& what,
                                            store_facts const& store, layout const& how);

/// A JSON document as it is printed: ASCII only, so that nothing in it disturbs a terminal.
[[nodiscard]] std::string printed(nlohmann::json const& document);

/// Whether an operation is under way and nobody is there who could run it.
[[nodiscard]] bool left_behind(recoup::operation_record const& what, store_facts const& store);
[[nodiscard]] bool left_behind(recoup::record const& what, store_facts const& store);

/// `process 4711 (launcher) since 2026-11-25T15:00:00Z`.
[[nodiscard]] std::string owner_text(owner_info const& owner);

}  // namespace inspect
