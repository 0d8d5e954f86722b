// SPDX-License-Identifier: BSL-1.0
#include "launcher/install.hpp"

#include "launcher/failures.hpp"

#include <algorithm>
#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include <recoup/json.hpp>
#include <recoup/recoup.hpp>

namespace launcher {

namespace {

using outcome = std::optional<recoup::result<download_record>>;

constexpr auto plans_kept_for = std::chrono::hours{24 * 30};

/// The installation as a whole is never tried again by itself, for its downloads are. After a crash
/// it goes on without a limit: somebody started the program again.
struct only_after_a_crash {
    [[nodiscard]] recoup::verdict decide(recoup::failed_attempt const& seen) const noexcept {
        bool const crashed = seen.failure.code() == recoup::errc::process_ended;
        return {.retry = crashed, .why = recoup::stop_reason::not_retryable};
    }
};

std::vector<file_progress> to_show(installation const& what) {
    std::vector<file_progress> files;
    for (model const& each : what.models)
        files.push_back({.name = each.target.filename().string(), .size = each.size});
    return files;
}

/// Downloads all models, some at a time.
std::vector<outcome> download_all(recoup::sqlite_store& store, installation const& what,
                                  install_options const& options, std::stop_token const& stop) {
    host_breakers breakers;
    progress_board board{to_show(what), options.progress};
    download_context const context{.store = store,
                                   .breakers = breakers,
                                   .board = board,
                                   .into = what.into,
                                   .options = options.download,
                                   .stop = stop};
    std::vector<outcome> outcomes(what.models.size());
    std::atomic<std::size_t> next = 0;
    auto const work = [&] {
        for (std::size_t file = next++; file < outcomes.size(); file = next++)
            outcomes[file] = download(context, what.models[file], file);
    };
    std::vector<std::jthread> workers;
    for (std::size_t i = 0; i < std::min(options.parallel, outcomes.size()); ++i)
        workers.emplace_back(work);
    workers.clear();  // joins
    return outcomes;
}

/// One sentence for each failure; the first failure.
recoup::result<void> report(installation const& what, std::vector<outcome> const& outcomes,
                            std::FILE* errors) {
    recoup::result<void> first = recoup::success();
    for (std::size_t file = 0; file < outcomes.size(); ++file) {
        auto const& result = *outcomes[file];
        if (result) continue;
        std::fprintf(errors, "launcher: %s: %s\n", printable(what.models[file].name).c_str(),
                     result.error().message().c_str());
        if (first) first = result.error();
    }
    return first;
}

/// A recorded success is returned without a call, but files may have gone since: who asks for an
/// installation gets one.
void forget_success(recoup::sqlite_store& store, installation const& what) {
    std::string const key = install_key(what);
    recoup::operation_ref const id{.name = install_operation, .key = key};
    auto const found = store.load(id);
    if (!found) return;  // the operation meets the same failure, and tells
    if (auto const& record = found.value();
        record && record->status == recoup::record_status::succeeded)
        static_cast<void>(store.erase(id, record->revision));
}

}  // namespace

int install(recoup::sqlite_store& store, installation const& what, install_options const& options,
            std::stop_token const& stop) {
    make_folders(what.into);
    check_disk_space(what.into, what.models);
    forget_success(store, what);
    bool begun = false;
    auto const recovered = recoup::with_recovery(
        [&](recoup::attempt& attempt) -> recoup::result<installation> {
            begun = true;
            attempt.save_checkpoint(what);  // what `resume` and `status` read
            auto const done =
                report(what, download_all(store, what, options, stop), options.errors);
            if (!done) return done.error();
            return what;
        },
        only_after_a_crash{},
        recoup::persist(store,
                        {.name = install_operation,
                         .when = recoup::persist_when::start,
                         .retain = plans_kept_for},
                        [&] { return install_key(what); }));
    auto const result = recovered();
    if (result) return 0;
    if (!begun || result.error().stopped() == recoup::stop_reason::store_failed)
        std::fprintf(options.errors, "launcher: %s\n", result.error().message().c_str());
    return static_cast<int>(exit_code_of(result.error()));
}

}  // namespace launcher
