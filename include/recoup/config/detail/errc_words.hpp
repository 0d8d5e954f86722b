// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/config/detail/value.hpp>

#include <array>
#include <string_view>
#include <system_error>

namespace recoup::inline v1::config::detail {

/// The enumerators of `std::errc`. Where two are one number, the first is the one that is written.
template <>
struct word_list<std::errc> {
    static constexpr std::string_view said = "the name of a std::errc, such as timed_out";
    static constexpr std::array<words<std::errc>, 74> all{{
        {"address_family_not_supported", std::errc::address_family_not_supported},
        {"address_in_use", std::errc::address_in_use},
        {"address_not_available", std::errc::address_not_available},
        {"already_connected", std::errc::already_connected},
        {"argument_list_too_long", std::errc::argument_list_too_long},
        {"argument_out_of_domain", std::errc::argument_out_of_domain},
        {"bad_address", std::errc::bad_address},
        {"bad_file_descriptor", std::errc::bad_file_descriptor},
        {"bad_message", std::errc::bad_message},
        {"broken_pipe", std::errc::broken_pipe},
        {"connection_aborted", std::errc::connection_aborted},
        {"connection_already_in_progress", std::errc::connection_already_in_progress},
        {"connection_refused", std::errc::connection_refused},
        {"connection_reset", std::errc::connection_reset},
        {"cross_device_link", std::errc::cross_device_link},
        {"destination_address_required", std::errc::destination_address_required},
        {"device_or_resource_busy", std::errc::device_or_resource_busy},
        {"directory_not_empty", std::errc::directory_not_empty},
        {"executable_format_error", std::errc::executable_format_error},
        {"file_exists", std::errc::file_exists},
        {"file_too_large", std::errc::file_too_large},
        {"filename_too_long", std::errc::filename_too_long},
        {"function_not_supported", std::errc::function_not_supported},
        {"host_unreachable", std::errc::host_unreachable},
        {"identifier_removed", std::errc::identifier_removed},
        {"illegal_byte_sequence", std::errc::illegal_byte_sequence},
        {"inappropriate_io_control_operation", std::errc::inappropriate_io_control_operation},
        {"interrupted", std::errc::interrupted},
        {"invalid_argument", std::errc::invalid_argument},
        {"invalid_seek", std::errc::invalid_seek},
        {"io_error", std::errc::io_error},
        {"is_a_directory", std::errc::is_a_directory},
        {"message_size", std::errc::message_size},
        {"network_down", std::errc::network_down},
        {"network_reset", std::errc::network_reset},
        {"network_unreachable", std::errc::network_unreachable},
        {"no_buffer_space", std::errc::no_buffer_space},
        {"no_child_process", std::errc::no_child_process},
        {"no_link", std::errc::no_link},
        {"no_lock_available", std::errc::no_lock_available},
        {"no_message", std::errc::no_message},
        {"no_protocol_option", std::errc::no_protocol_option},
        {"no_space_on_device", std::errc::no_space_on_device},
        {"no_such_device", std::errc::no_such_device},
        {"no_such_device_or_address", std::errc::no_such_device_or_address},
        {"no_such_file_or_directory", std::errc::no_such_file_or_directory},
        {"no_such_process", std::errc::no_such_process},
        {"not_a_directory", std::errc::not_a_directory},
        {"not_a_socket", std::errc::not_a_socket},
        {"not_connected", std::errc::not_connected},
        {"not_enough_memory", std::errc::not_enough_memory},
        {"not_supported", std::errc::not_supported},
        {"operation_canceled", std::errc::operation_canceled},
        {"operation_in_progress", std::errc::operation_in_progress},
        {"operation_not_permitted", std::errc::operation_not_permitted},
        {"operation_not_supported", std::errc::operation_not_supported},
        {"operation_would_block", std::errc::operation_would_block},
        {"owner_dead", std::errc::owner_dead},
        {"permission_denied", std::errc::permission_denied},
        {"protocol_error", std::errc::protocol_error},
        {"protocol_not_supported", std::errc::protocol_not_supported},
        {"read_only_file_system", std::errc::read_only_file_system},
        {"resource_deadlock_would_occur", std::errc::resource_deadlock_would_occur},
        {"resource_unavailable_try_again", std::errc::resource_unavailable_try_again},
        {"result_out_of_range", std::errc::result_out_of_range},
        {"state_not_recoverable", std::errc::state_not_recoverable},
        {"text_file_busy", std::errc::text_file_busy},
        {"timed_out", std::errc::timed_out},
        {"too_many_files_open", std::errc::too_many_files_open},
        {"too_many_files_open_in_system", std::errc::too_many_files_open_in_system},
        {"too_many_links", std::errc::too_many_links},
        {"too_many_symbolic_link_levels", std::errc::too_many_symbolic_link_levels},
        {"value_too_large", std::errc::value_too_large},
        {"wrong_protocol_type", std::errc::wrong_protocol_type},
    }};
};

}  // namespace recoup::inline v1::config::detail
