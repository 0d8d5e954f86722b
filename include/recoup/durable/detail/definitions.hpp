// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/identity.hpp>
#include <recoup/durable/detail/definition.hpp>

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace recoup::inline v1::detail {

/// The operations that this process can run, by their names. All members may be called concurrently.
class definitions {
  public:
    void define(std::shared_ptr<definition> what) {
        // A child's step is named after its operation, with something before it.
        constexpr std::size_t name_bytes_max = identifier_bytes_max - 32;
        auto const& name = what->name();
        if (name.empty() || name.size() > name_bytes_max || !valid_identifier(name) ||
            !valid_identifier(what->options().version))
            throw std::invalid_argument{
                "recoup: the name of an operation is 1 to 480 bytes of printable UTF-8, and its "
                "version at most 512"};
        std::lock_guard const lock{mutex_};
        if (!definitions_.emplace(name, what).second)
            throw std::invalid_argument{"recoup: an operation named \"" + name +
                                        "\" is defined already"};
    }

    [[nodiscard]] std::shared_ptr<definition> find(std::string const& name) const {
        std::lock_guard const lock{mutex_};
        auto const found = definitions_.find(name);
        return found == definitions_.end() ? nullptr : found->second;
    }
    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> all;
        std::lock_guard const lock{mutex_};
        for (auto const& [name, what] : definitions_) all.push_back(name);
        return all;
    }

  private:
    mutable std::mutex mutex_;
    std::map<std::string, std::shared_ptr<definition>> definitions_;
};

}  // namespace recoup::inline v1::detail
