// SPDX-License-Identifier: BSL-1.0
#include "support/allocations.hpp"

#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

thread_local std::uint64_t counted = 0;

void* allocate(std::size_t size) {
    ++counted;
    if (auto* const found = std::malloc(size != 0 ? size : 1)) return found;
    throw std::bad_alloc{};
}

void* allocate(std::size_t size, std::align_val_t alignment) {
    ++counted;
    auto const unit = static_cast<std::size_t>(alignment);
    if (auto* const found = std::aligned_alloc(unit, (size + unit - 1) / unit * unit)) return found;
    throw std::bad_alloc{};
}

}  // namespace

std::uint64_t bench::allocations() noexcept { return counted; }

// The other forms of `new` end in these.
void* operator new(std::size_t size) { return allocate(size); }
void* operator new[](std::size_t size) { return allocate(size); }
void* operator new(std::size_t size, std::align_val_t unit) { return allocate(size, unit); }
void* operator new[](std::size_t size, std::align_val_t unit) { return allocate(size, unit); }
void operator delete(void* what) noexcept { std::free(what); }
void operator delete[](void* what) noexcept { std::free(what); }
void operator delete(void* what, std::size_t) noexcept { std::free(what); }
void operator delete[](void* what, std::size_t) noexcept { std::free(what); }
void operator delete(void* what, std::align_val_t) noexcept { std::free(what); }
void operator delete[](void* what, std::align_val_t) noexcept { std::free(what); }
void operator delete(void* what, std::size_t, std::align_val_t) noexcept { std::free(what); }
void operator delete[](void* what, std::size_t, std::align_val_t) noexcept { std::free(what); }
