// SPDX-License-Identifier: BSL-1.0
#include "crash/memory/starving.hpp"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <stdexcept>

#include <sqlite3.h>

namespace {

std::atomic<std::uint64_t> planned{0};
std::atomic<bool> lasting{false};
std::atomic<bool> on{false};
std::atomic<std::uint64_t> counted{0};
std::atomic<std::uint64_t> refusals{0};
std::atomic<std::int64_t> living{0};
sqlite3_mem_methods sqlite_real;

bool refuses() noexcept {
    if (!on) return false;
    auto const number = ++counted;
    if (planned == 0 || number < planned || (number > planned && !lasting)) return false;
    ++refusals;
    return true;
}

void* allocate(std::size_t size) noexcept {
    if (refuses()) return nullptr;
    auto* const memory = std::malloc(size != 0 ? size : 1);
    if (memory != nullptr) ++living;
    return memory;
}

void* allocate(std::size_t size, std::align_val_t alignment) noexcept {
    if (refuses()) return nullptr;
    auto const unit = static_cast<std::size_t>(alignment);
    auto* const memory = std::aligned_alloc(unit, (size + unit - 1) / unit * unit);
    if (memory != nullptr) ++living;
    return memory;
}

void give_back(void* memory) noexcept {
    if (memory != nullptr) --living;
    std::free(memory);
}

void* found(void* memory) {
    if (memory != nullptr) return memory;
    throw std::bad_alloc{};
}

}  // namespace

namespace recoup_test {

void starving::plan(std::uint64_t number, bool for_good) noexcept {
    planned = number;
    lasting = for_good;
    counted = 0;
    refusals = 0;
}
void starving::begin() noexcept { on = true; }
void starving::end() noexcept { on = false; }
std::uint64_t starving::count() noexcept { return counted; }
std::uint64_t starving::refused() noexcept { return refusals; }
std::int64_t starving::blocks() noexcept { return living; }

void starving::take_sqlite() {
    sqlite3_shutdown();
    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &sqlite_real) != SQLITE_OK)
        throw std::runtime_error{"SQLite does not tell its allocator"};
    auto mine = sqlite_real;
    mine.xMalloc = [](int size) { return refuses() ? nullptr : sqlite_real.xMalloc(size); };
    mine.xRealloc = [](void* old, int size) {
        return refuses() ? nullptr : sqlite_real.xRealloc(old, size);
    };
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &mine) != SQLITE_OK)
        throw std::runtime_error{"SQLite does not take an allocator"};
}

}  // namespace recoup_test

using std::align_val_t;
using std::nothrow_t;
using std::size_t;
void* operator new(size_t size) { return found(allocate(size)); }
void* operator new[](size_t size) { return found(allocate(size)); }
void* operator new(size_t size, nothrow_t const&) noexcept { return allocate(size); }
void* operator new[](size_t size, nothrow_t const&) noexcept { return allocate(size); }
void* operator new(size_t size, align_val_t unit) { return found(allocate(size, unit)); }
void* operator new[](size_t size, align_val_t unit) { return found(allocate(size, unit)); }
void* operator new(size_t size, align_val_t unit, nothrow_t const&) noexcept {
    return allocate(size, unit);
}
void* operator new[](size_t size, align_val_t unit, nothrow_t const&) noexcept {
    return allocate(size, unit);
}
void operator delete(void* what) noexcept { give_back(what); }
void operator delete[](void* what) noexcept { give_back(what); }
void operator delete(void* what, size_t) noexcept { give_back(what); }
void operator delete[](void* what, size_t) noexcept { give_back(what); }
void operator delete(void* what, nothrow_t const&) noexcept { give_back(what); }
void operator delete[](void* what, nothrow_t const&) noexcept { give_back(what); }
void operator delete(void* what, align_val_t) noexcept { give_back(what); }
void operator delete[](void* what, align_val_t) noexcept { give_back(what); }
void operator delete(void* what, size_t, align_val_t) noexcept { give_back(what); }
void operator delete[](void* what, size_t, align_val_t) noexcept { give_back(what); }
void operator delete(void* what, align_val_t, nothrow_t const&) noexcept { give_back(what); }
void operator delete[](void* what, align_val_t, nothrow_t const&) noexcept { give_back(what); }
