// SPDX-License-Identifier: BSL-1.0
#include "simulation/machine.hpp"

#include "crash/stores.hpp"

#ifdef SIMULATION_POWER_CUTS
#include "crash/disk.hpp"
#include "crash/power_cut.hpp"
#endif

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace simulation {

namespace fs = std::filesystem;

struct machine::parts {
    recoup_test::store_kind kind;
    fs::path root{};
    unsigned lives = 0;
    std::shared_ptr<recoup_test::any_store> memory{};
#ifdef SIMULATION_POWER_CUTS
    std::unique_ptr<recoup_test::disk> below{};
#endif

    [[nodiscard]] fs::path folder() const { return root / std::to_string(lives); }
};

std::vector<std::string> machine::kinds() {
    std::vector<std::string> names{"memory"};
    for (auto const& one : recoup_test::store_kinds())
        if (one.keeps_operations && !one.remote) names.push_back(one.name);
    return names;
}

machine::machine(std::string kind) : parts_{std::make_unique<parts>()} {
    if (kind == "memory") {
        parts_->kind = recoup_test::memory_kind();
        parts_->memory = parts_->kind.open("").value();
        return;
    }
    for (auto const& one : recoup_test::store_kinds())
        if (one.name == kind) parts_->kind = one;
    if (!parts_->kind.open) throw std::invalid_argument{"there is no store \"" + kind + '"'};
    auto pattern = (fs::temp_directory_path() / "recoup-day-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr)
        throw std::system_error{errno, std::generic_category(), "mkdtemp " + pattern};
    parts_->root = pattern;
    fs::create_directory(parts_->folder());
}

machine::~machine() { clear(); }

bool machine::in_memory() const noexcept { return parts_->memory != nullptr; }

bool machine::stands_power_cuts() const noexcept {
#ifdef SIMULATION_POWER_CUTS
    return parts_->kind.kept == recoup::durability::power_loss;
#else
    return false;
#endif
}

std::shared_ptr<recoup_test::any_store> machine::open() {
    if (parts_->memory) return parts_->memory;
#ifdef SIMULATION_POWER_CUTS
    parts_->below.reset();
    parts_->below = std::make_unique<recoup_test::disk>(parts_->folder().string());
#endif
    auto opened = parts_->kind.open(parts_->folder().string());
    if (!opened.has_value())
        throw std::runtime_error{"a store cannot be opened: " + opened.error().message()};
    return std::move(opened).value();
}

void machine::crash(bool power_fails, [[maybe_unused]] dice& chance) {
    if (parts_->memory) return;
    auto const from = parts_->folder();
    ++parts_->lives;
    auto const to = parts_->folder();
    if (!power_fails) {
        fs::copy(from, to, fs::copy_options::recursive);
        return;
    }
#ifdef SIMULATION_POWER_CUTS
    auto const log = parts_->below->take_log();
    auto state = recoup_test::disk_state{log};
    while (state.advance()) {}
    fs::create_directory(to);
    state.write_to(to.string(), chance.below(2) == 0 ? 0 : state.variants() + chance.below(1000));
#endif
}

void machine::clear() noexcept {
#ifdef SIMULATION_POWER_CUTS
    parts_->below.reset();
#endif
    auto failed = std::error_code{};
    if (!parts_->root.empty()) fs::remove_all(parts_->root, failed);
}

}  // namespace simulation
