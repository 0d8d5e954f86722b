# SPDX-License-Identifier: BSL-1.0
# Compiles `source` twice: the control must pass, and with MISUSE defined it must fail with the
# sentence that the file expects. A misuse that fails for another reason is no proof. What both
# include, `precompiled`, is read already.
file(READ "${source}" text)
if(NOT text MATCHES "\n// expect: ([^\n]+)\n")
    message(FATAL_ERROR "${source}: has no line '// expect: <sentence>'")
endif()
set(expected "${CMAKE_MATCH_1}")

set(command "${compiler}" -std=c++20 -fsyntax-only -include "${precompiled}")
foreach(dir IN LISTS include_dirs)
    list(APPEND command -I "${dir}")
endforeach()

execute_process(COMMAND ${command} "${source}" RESULT_VARIABLE result ERROR_VARIABLE said)
if(NOT result EQUAL 0)
    message(FATAL_ERROR "The control of ${source} does not compile:\n${said}")
endif()

execute_process(COMMAND ${command} -DMISUSE "${source}" RESULT_VARIABLE result ERROR_VARIABLE said)
if(result EQUAL 0)
    message(FATAL_ERROR "${source}: the misuse compiles; expected the error '${expected}'")
endif()
# Only an error counts: the sentence also stands in the source lines that compilers quote.
string(REGEX MATCHALL "[^\n]*error:[^\n]*" errors "${said}")
string(FIND "${errors}" "${expected}" position)
if(position LESS 0)
    message(FATAL_ERROR "${source}: the misuse fails, but not with '${expected}':\n${said}")
endif()
