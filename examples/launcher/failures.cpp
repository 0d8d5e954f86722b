// SPDX-License-Identifier: BSL-1.0
#include "launcher/failures.hpp"

#include <cstring>

#include <recoup/classify/default_classifier.hpp>
#include <recoup/store/store_errc.hpp>

namespace launcher {

recoup::category category_of(errc code) noexcept {
    using recoup::category;
    switch (code) {
        case errc::workflow_malformed:
        case errc::index_malformed: return category::invalid_format;
        case errc::model_not_in_index: return category::missing_dependency;
        case errc::usage:
        case errc::workflow_unreadable:
        case errc::index_unreadable:
        case errc::unsafe_path:
        case errc::nothing_recorded: return category::invalid_input;
        case errc::no_permission: return category::permission;
        case errc::disk_full: return category::disk_full;
        case errc::not_served: return category::not_found;
        case errc::redirect_loop: return category::configuration;
        // What a mirror got wrong once it may get right the next time, and another mirror may at once:
        // the launcher's retry lists this category with a budget of its own.
        case errc::wrong_size:
        case errc::wrong_range:
        case errc::wrong_bytes: return category::corruption;
        case errc::state_unusable: return category::configuration;
        case errc::state_locked: return category::service_unavailable;
        case errc::interrupted: return category::cancelled;
        // A new attempt opens the file anew and rewrites all that no sync has confirmed.
        case errc::disk_failed:
        case errc::download_failed:
        case errc::unexpected: return category::unknown;
    }
    return category::unknown;
}

recoup::failure fail(errc code, std::string sentence) {
    return {category_of(code), make_error_code(code), std::move(sentence)};
}

recoup::failure described(std::error_code code, std::string sentence) {
    auto const found = recoup::default_classifier::classify(recoup::failure{code});
    return {found.category, code, std::move(sentence)};
}

recoup::failure fail_errno(int error, std::string const& doing) {
    return fail(from_errno(error, errc::disk_failed), doing + ": " + std::strerror(error));
}

errc exit_code_of(recoup::failure const& failure) noexcept {
    using recoup::category;
    std::error_code const code = failure.code();
    if (code.category() == error_category()) return static_cast<errc>(code.value());
    if (code == recoup::store_errc::locked) return errc::state_locked;
    if (code == recoup::store_errc::full) return errc::disk_full;
    if (code.category() == recoup::store_category() ||
        failure.stopped() == recoup::stop_reason::store_failed)
        return errc::state_unusable;
    switch (failure.category()) {
        case category::cancelled: return errc::interrupted;
        case category::permission: return errc::no_permission;
        case category::disk_full: return errc::disk_full;
        case category::not_found:
        case category::api_permission:
        case category::authentication: return errc::not_served;
        case category::corruption: return errc::wrong_bytes;
        case category::defect:
        case category::out_of_memory: return errc::unexpected;
        default: return errc::download_failed;
    }
}

}  // namespace launcher
