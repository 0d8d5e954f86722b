# SPDX-License-Identifier: BSL-1.0
# Compiles one block of the README; links a program, and runs it where its output is written down.
set(command "${compiler}" -std=c++20)
foreach(dir IN LISTS include_dirs)
    list(APPEND command -I "${dir}")
endforeach()

if(source MATCHES "\\.fragment\\.cpp$")
    list(APPEND command -fsyntax-only -include "${precompiled}" "${source}")
else()
    set(program "${source}.out")
    list(APPEND command "${source}" -o "${program}" -pthread)
    file(READ "${source}" text)
    if(text MATCHES "recoup/store/sqlite_store.hpp")
        list(APPEND command -lsqlite3)
    endif()
endif()
execute_process(COMMAND ${command} RESULT_VARIABLE result ERROR_VARIABLE said)
if(NOT result EQUAL 0)
    message(FATAL_ERROR "This block of the README does not compile:\n${said}")
endif()

if(EXISTS "${expected}")
    set(folder "${source}.dir")
    file(REMOVE_RECURSE "${folder}")
    file(MAKE_DIRECTORY "${folder}")
    file(CHMOD "${folder}" PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
    execute_process(COMMAND "${program}" WORKING_DIRECTORY "${folder}"
        RESULT_VARIABLE result OUTPUT_VARIABLE printed ERROR_VARIABLE said TIMEOUT 60)
    file(READ "${expected}" promised)
    if(NOT result EQUAL 0 OR NOT printed STREQUAL promised)
        message(FATAL_ERROR
            "The README promises:\n${promised}\nbut it ended with ${result} and printed:\n"
            "${printed}\n${said}")
    endif()
endif()
