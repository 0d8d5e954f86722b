# SPDX-License-Identifier: BSL-1.0
# Installs the headers, the CMake package and the pkg-config files. Everything is independent of the
# architecture, and so lands below share/.
include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_DATADIR}/cmake/recoup")
set(pkgconfig_dir "${CMAKE_INSTALL_DATADIR}/pkgconfig")

# One export set a component: finding recoup must demand neither SQLite nor libpq nor prometheus-cpp.
install(TARGETS recoup recoup_asio recoup_validation EXPORT recoup-targets FILE_SET HEADERS)
install(TARGETS recoup_sqlite EXPORT recoup-sqlite-targets FILE_SET HEADERS)
install(TARGETS recoup_postgres EXPORT recoup-postgres-targets FILE_SET HEADERS)
install(TARGETS recoup_prometheus EXPORT recoup-prometheus-targets FILE_SET HEADERS)
install(EXPORT recoup-targets NAMESPACE recoup:: DESTINATION "${package_dir}")
install(EXPORT recoup-sqlite-targets NAMESPACE recoup:: DESTINATION "${package_dir}")
install(EXPORT recoup-postgres-targets NAMESPACE recoup:: DESTINATION "${package_dir}")
install(EXPORT recoup-prometheus-targets NAMESPACE recoup:: DESTINATION "${package_dir}")

configure_package_config_file(
    "${CMAKE_CURRENT_LIST_DIR}/recoup-config.cmake.in"
    "${PROJECT_BINARY_DIR}/recoup-config.cmake"
    INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file(
    "${PROJECT_BINARY_DIR}/recoup-config-version.cmake"
    COMPATIBILITY SameMinorVersion
    ARCH_INDEPENDENT)
install(FILES
    "${PROJECT_BINARY_DIR}/recoup-config.cmake"
    "${PROJECT_BINARY_DIR}/recoup-config-version.cmake"
    DESTINATION "${package_dir}")

# The prefix is found from where the .pc file lies, so that an installed tree can be moved.
file(RELATIVE_PATH up_from_pkgconfig "/prefix/${pkgconfig_dir}" "/prefix")
foreach(package IN ITEMS recoup recoup-sqlite recoup-postgres recoup-prometheus)
    configure_file(
        "${CMAKE_CURRENT_LIST_DIR}/${package}.pc.in" "${PROJECT_BINARY_DIR}/${package}.pc" @ONLY)
    install(FILES "${PROJECT_BINARY_DIR}/${package}.pc" DESTINATION "${pkgconfig_dir}")
endforeach()

# A folder that is not there is not an error: a package of the headers alone may leave it out.
if(EXISTS "${PROJECT_SOURCE_DIR}/share/grafana")
    install(DIRECTORY "${PROJECT_SOURCE_DIR}/share/grafana"
        DESTINATION "${CMAKE_INSTALL_DATADIR}/recoup")
endif()
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
