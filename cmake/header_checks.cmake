# SPDX-License-Identifier: BSL-1.0
# Each header compiled alone: `cmake --build … --target recoup_check_headers`.
#
# What a header includes in turn is compiled alone, too, and so needs nothing that stands before it. It
# may therefore be precompiled: the largest of these that a header includes is. Which those are is a
# matter of time only.
set(recoup_check_bases
    recoup/json.hpp
    recoup/with_recovery.hpp
    recoup/core/result.hpp
    recoup/core/failure.hpp
    recoup/core/clock.hpp
    recoup/core/time.hpp)

# recoup_headers_within(<header> <result>): those of ours that `header` includes, in turn, too.
function(recoup_headers_within header result)
    get_property(known GLOBAL PROPERTY "recoup_headers_within_${header}" SET)
    if(NOT known)
        set(path "${PROJECT_SOURCE_DIR}/include/${header}")
        set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${path}")
        file(STRINGS "${path}" lines REGEX "^#include <recoup/")
        set(all "")
        foreach(line IN LISTS lines)
            string(REGEX REPLACE "^#include <([^>]+)>.*" "\\1" one "${line}")
            recoup_headers_within("${one}" within)
            list(APPEND all "${one}" ${within})
        endforeach()
        list(REMOVE_DUPLICATES all)
        set_property(GLOBAL PROPERTY "recoup_headers_within_${header}" "${all}")
    endif()
    get_property(all GLOBAL PROPERTY "recoup_headers_within_${header}")
    set(${result} "${all}" PARENT_SCOPE)
endfunction()

add_custom_target(recoup_check_headers)

# recoup_check_headers(<library>): those of a library's file set.
function(recoup_check_headers library)
    get_target_property(headers ${library} HEADER_SET)
    foreach(header IN LISTS headers)
        cmake_path(RELATIVE_PATH header BASE_DIRECTORY "${PROJECT_SOURCE_DIR}/include")
        recoup_headers_within("${header}" within)
        set(base "")
        foreach(one IN LISTS recoup_check_bases)
            if(NOT base AND one IN_LIST within)
                set(base "${one}")
            endif()
        endforeach()
        string(MAKE_C_IDENTIFIER "${library}_alone_${base}" checks)
        if(NOT TARGET ${checks})
            add_library(${checks} OBJECT EXCLUDE_FROM_ALL)
            target_link_libraries(${checks} PRIVATE ${library} recoup_dev)
            set_target_properties(${checks} PROPERTIES UNITY_BUILD OFF)
            add_dependencies(recoup_check_headers ${checks})
            if(base)
                target_precompile_headers(${checks} PRIVATE <${base}>)
            endif()
        endif()
        set(source "${CMAKE_CURRENT_BINARY_DIR}/headers_alone/${header}.cpp")
        file(CONFIGURE OUTPUT "${source}" CONTENT "#include <${header}>\n" @ONLY)
        target_sources(${checks} PRIVATE "${source}")
    endforeach()
endfunction()

recoup_check_headers(recoup)
recoup_check_headers(recoup_sqlite)
if(TARGET PostgreSQL::PostgreSQL)
    recoup_check_headers(recoup_postgres)
endif()
if(TARGET prometheus-cpp::core)
    recoup_check_headers(recoup_prometheus)
endif()
