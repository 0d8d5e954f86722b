# SPDX-License-Identifier: BSL-1.0
# Runs `program`; its output must be the lines that `source` has as `// prints: <line>`.
file(READ "${source}" text)
string(REPLACE ";" "<semicolon>" text "${text}")  # it would end an element of a list
string(REGEX MATCHALL "\n// prints: [^\n]*" lines "${text}")
list(TRANSFORM lines REPLACE "^\n// prints: " "")
if(NOT lines)
    message(FATAL_ERROR "${source}: has no line '// prints: <line>'")
endif()
list(JOIN lines "\n" expected)
string(REPLACE "<semicolon>" ";" expected "${expected}")
execute_process(COMMAND "${program}" OUTPUT_VARIABLE printed RESULT_VARIABLE result)
if(NOT result EQUAL 0)
    message(FATAL_ERROR "${program} ended with ${result} after printing\n${printed}")
endif()
if(NOT printed STREQUAL "${expected}\n")
    message(FATAL_ERROR "${program} printed\n${printed}\nexpected\n${expected}\n")
endif()
