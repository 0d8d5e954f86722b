# SPDX-License-Identifier: BSL-1.0
# Every command of the README that is a path is a program of this project.
file(STRINGS "${commands}" lines)
foreach(entry IN LISTS lines)
    string(REGEX MATCH "^([0-9]+) (.*)$" entry "${entry}")
    set(line "${CMAKE_MATCH_1}")
    set(command "${CMAKE_MATCH_2}")
    if(command MATCHES "/" AND NOT command MATCHES "^build/" AND NOT EXISTS "${root}/${command}")
        message(FATAL_ERROR "README.md:${line}: there is no ${command}")
    endif()
endforeach()
