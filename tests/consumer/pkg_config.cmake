# SPDX-License-Identifier: BSL-1.0
# Builds and runs a program with nothing but what pkg-config says.
find_program(pkg_config NAMES pkg-config pkgconf REQUIRED)
set(ENV{PKG_CONFIG_PATH} "${prefix}/share/pkgconfig")
execute_process(COMMAND "${pkg_config}" --cflags --libs ${package}
    RESULT_VARIABLE result OUTPUT_VARIABLE flags ERROR_VARIABLE said)
if(NOT result EQUAL 0)
    message(FATAL_ERROR "pkg-config does not know ${package}:\n${said}")
endif()
separate_arguments(flags UNIX_COMMAND "${flags}")
execute_process(COMMAND "${compiler}" -std=c++20 "${source}" -o "${program}" ${flags}
    RESULT_VARIABLE result ERROR_VARIABLE said)
if(NOT result EQUAL 0)
    message(FATAL_ERROR "With ${flags} it does not compile:\n${said}")
endif()
execute_process(COMMAND "${program}" RESULT_VARIABLE result ERROR_VARIABLE said)
if(NOT result EQUAL 0)
    message(FATAL_ERROR "The program failed (${result}):\n${said}")
endif()
