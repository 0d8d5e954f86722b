// SPDX-License-Identifier: BSL-1.0
#include "support/allocations.hpp"

#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

thread_local std::uint64_t counted = 0;

void* allocate(std::size_t size) noexcept {
    ++counted;
    return std::malloc(size != 0 ? size : 1);
}

void* allocate(std::size_t size, std::align_val_t alignment) noexcept {
    ++counted;
    auto const unit = static_cast<std::size_t>(alignment);
    return std::aligned_alloc(unit, (size + unit - 1) / unit * unit);
}

void* found(void* memory) {
    if (memory != nullptr) return memory;
    throw std::bad_alloc{};
}

}  // namespace

std::uint64_t support::allocations() noexcept { return counted; }

// In a file of their own, for g++ warns of a mismatched pair where it inlines but one of the two. All
// forms, for a sanitizer wants to see each block given back by the kind that made it.
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
void operator delete(void* what) noexcept { std::free(what); }
void operator delete[](void* what) noexcept { std::free(what); }
void operator delete(void* what, size_t) noexcept { std::free(what); }
void operator delete[](void* what, size_t) noexcept { std::free(what); }
void operator delete(void* what, nothrow_t const&) noexcept { std::free(what); }
void operator delete[](void* what, nothrow_t const&) noexcept { std::free(what); }
void operator delete(void* what, align_val_t) noexcept { std::free(what); }
void operator delete[](void* what, align_val_t) noexcept { std::free(what); }
void operator delete(void* what, size_t, align_val_t) noexcept { std::free(what); }
void operator delete[](void* what, size_t, align_val_t) noexcept { std::free(what); }
void operator delete(void* what, align_val_t, nothrow_t const&) noexcept { std::free(what); }
void operator delete[](void* what, align_val_t, nothrow_t const&) noexcept { std::free(what); }
