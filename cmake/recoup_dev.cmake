# SPDX-License-Identifier: BSL-1.0
# What the tests, examples and benchmarks are built with, and what no user of the library inherits:
# warnings, sanitizers.
option(RECOUP_WERROR "Treat warnings in recoup's own tests, examples and benchmarks as errors" ON)
set(RECOUP_SANITIZE "" CACHE STRING "Sanitizer: address (with undefined), thread, or empty")
set_property(CACHE RECOUP_SANITIZE PROPERTY STRINGS "" address thread)

add_library(recoup_dev INTERFACE)
target_compile_options(recoup_dev INTERFACE
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow
    $<$<BOOL:${RECOUP_WERROR}>:-Werror>)
# g++ 12 sees overlapping copies in `"literal" + std::string{…}` that are none (GCC bug 105651).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    target_compile_options(recoup_dev INTERFACE -Wno-restrict)
endif()
# What g++ may hold before it first looks for garbage: where there is memory, a tenth of its time.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    cmake_host_system_information(RESULT memory QUERY TOTAL_PHYSICAL_MEMORY)  # MiB
    cmake_host_system_information(RESULT cores QUERY NUMBER_OF_LOGICAL_CORES)
    math(EXPR heap "1024 * ${memory} / (4 * ${cores})")  # KiB
    if(heap GREATER 3000000)
        set(heap 3000000)
    endif()
    target_compile_options(recoup_dev INTERFACE "SHELL:--param ggc-min-heapsize=${heap}")
endif()
# Clang calls it shadowing where a file that is compiled as one with another has a variable of the same
# name; g++ does not, and still warns of all that is within a file.
target_compile_options(recoup_dev INTERFACE
    $<$<AND:$<CXX_COMPILER_ID:Clang>,$<BOOL:$<TARGET_PROPERTY:UNITY_BUILD>>>:-Wno-shadow>)
target_compile_definitions(recoup_dev INTERFACE $<$<CONFIG:Debug>:_GLIBCXX_ASSERTIONS>)

if(RECOUP_SANITIZE STREQUAL "address")
    set(recoup_sanitize_flags
        -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
elseif(RECOUP_SANITIZE STREQUAL "thread")
    set(recoup_sanitize_flags -fsanitize=thread -fno-omit-frame-pointer)
    # Asio has fences, which g++'s thread sanitizer does not see, beside the locks, which it does.
    list(APPEND recoup_sanitize_flags $<$<CXX_COMPILER_ID:GNU>:-Wno-tsan>)
elseif(NOT RECOUP_SANITIZE STREQUAL "")
    message(FATAL_ERROR
        "RECOUP_SANITIZE is '${RECOUP_SANITIZE}'; expected: address, thread, or nothing")
endif()
target_compile_options(recoup_dev INTERFACE ${recoup_sanitize_flags})
target_link_options(recoup_dev INTERFACE ${recoup_sanitize_flags})
