// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/config/problem.hpp>
#include <recoup/json.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace recoup::inline v1::config::detail {

/// The most that a message shows of a name, or of a value, that a document holds.
inline constexpr std::size_t shown_max = 60;

/// Text from a document as it may stand in a message: short, and without control characters.
inline std::string shown(std::string_view text) {
    using handler = nlohmann::json::error_handler_t;
    auto const cut = text.size() > shown_max;
    auto quoted = nlohmann::json(text.substr(0, shown_max)).dump(-1, ' ', true, handler::replace);
    if (cut) quoted.insert(quoted.size() - 1, "...");
    return quoted;
}

/// A value from a document as it may stand in a message.
inline std::string shown(nlohmann::json const& value) {
    if (value.is_object()) return "an object";
    if (value.is_array()) return "a list";
    if (value.is_string()) return shown(std::string_view{value.get_ref<std::string const&>()});
    return value.dump();
}

/// A name in a path: as it is where that is plain, else quoted.
inline std::string path_part(std::string_view name) {
    auto const plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '-';
    };
    auto all = !name.empty() && name.size() <= shown_max;
    for (auto const c : name) all = all && plain(c);
    return all ? std::string{name} : shown(name);
}

/// Where in a document a value stands, and who is told what is wrong with it.
class place {
  public:
    place(std::string path, std::vector<problem>& problems)
        : path_{std::move(path)}, problems_{&problems} {}

    [[nodiscard]] place child(std::string_view name) const {
        return {path_.empty() ? path_part(name) : path_ + '.' + path_part(name), *problems_};
    }
    [[nodiscard]] place item(std::size_t index) const {
        return {path_ + '[' + std::to_string(index) + ']', *problems_};
    }

    void say(std::string text) const {
        if (problems_->size() < problems_max)
            problems_->push_back({path_, std::move(text)});
        else if (problems_->size() == problems_max)
            problems_->push_back(
                {"", "has more mistakes than these " + std::to_string(problems_max)});
    }
    void expect(nlohmann::json const& value, std::string_view expected) const {
        say("is " + shown(value) + ", expected " + std::string{expected});
    }

    /// How much was wrong so far, anywhere.
    [[nodiscard]] std::size_t problems() const noexcept { return problems_->size(); }

  private:
    std::string path_;
    std::vector<problem>* problems_;
};

}  // namespace recoup::inline v1::config::detail
