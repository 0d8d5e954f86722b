# SPDX-License-Identifier: BSL-1.0
# Installs into a fresh prefix, and looks whether every header arrived.
file(REMOVE_RECURSE "${prefix}")
execute_process(COMMAND "${CMAKE_COMMAND}" --install "${build}" --prefix "${prefix}"
    RESULT_VARIABLE result OUTPUT_VARIABLE said ERROR_VARIABLE said)
if(NOT result EQUAL 0)
    message(FATAL_ERROR "Installing failed:\n${said}")
endif()

cmake_path(GET CMAKE_CURRENT_LIST_DIR PARENT_PATH tests)
cmake_path(GET tests PARENT_PATH source)
file(GLOB_RECURSE in_tree RELATIVE "${source}/include" "${source}/include/*.hpp")
file(GLOB_RECURSE installed RELATIVE "${prefix}/include" "${prefix}/include/*")
if(NOT in_tree STREQUAL installed)
    message(FATAL_ERROR "Headers in the tree: ${in_tree}\nbut installed: ${installed}")
endif()
file(GLOB_RECURSE elsewhere "${prefix}/lib*/*")
if(elsewhere)
    message(FATAL_ERROR "Installed below a folder of one architecture: ${elsewhere}")
endif()
