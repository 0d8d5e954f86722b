// SPDX-License-Identifier: BSL-1.0
// Owns a store until it is told to end (SIGTERM): `inspect_owner sqlite|journal PATH [deaf]`.
//
// It runs the operation `copy/running`, which goes on until it is cancelled; keeps `copy-broken/broken`,
// which fails until the file PATH.mended is there; and `parse/old`, of version 1, which is blocked. It saves the call `tick/count` all the time. `deaf`: it never looks for requests. When it is ready it
// makes PATH.ready.
#include <recoup/durable.hpp>
#include <recoup/recoup.hpp>
#include <recoup/store/journal_store.hpp>
#include <recoup/store/sqlite_store.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <tuple>

namespace {

using namespace std::chrono_literals;

std::atomic<bool> ended{false};
static_assert(std::atomic<bool>::is_always_lock_free);

recoup::result<int> run_until_cancelled(recoup::operation& op) {
    static_cast<void>(op.step("plan", [] { return std::string{"two files"}; }));
    op.progress("waiting for the second file");
    static_cast<void>(op.sleep_for(1h));
    return 0;
}

recoup::result<int> copy_where_there_is_room(recoup::operation& op, std::string const& path) {
    return op.step("try", [&]() -> recoup::result<int> {
        if (std::filesystem::exists(path + ".mended")) return 42;
        return recoup::failure{recoup::category::disk_full, "no room for the copy"};
    });
}

/// An operation of before the definition changed.
template <class Store>
void record_old_version(Store& store) {
    recoup::operation_record old;
    old.id = {"", "parse", "old"};
    old.version = "1";
    old.input = recoup::detail::encode_arguments(std::tuple<>{});
    old.created = old.updated = recoup::real_clock::system_now();
    store.start(old, 0).value();
}

template <class Store>
bool is_ready(Store& store) {
    auto const running = store.find(recoup::operation_ref{"", "copy", "running"}, 1s).value();
    auto const old = store.find(recoup::operation_ref{"", "parse", "old"}, 1s).value();
    return running && !running->progress.empty() && old &&
           old->status == recoup::operation_status::blocked;
}

template <class Store>
int own(std::string const& path, Store& store, bool deaf) {
    record_old_version(store);
    recoup::operations_options options;
    options.poll = 20ms;
    options.housekeeping = !deaf;
    recoup::operations ops{store, options};
    auto const broken = ops.define("copy-broken", [path](recoup::operation& op) {
        return copy_where_there_is_room(op, path);
    });
    auto const running = ops.define("copy", run_until_cancelled);
    static_cast<void>(ops.define("parse", recoup::operation_options{.version = "2"},
                                 [](recoup::operation&) -> recoup::result<int> { return 2; }));
    static_cast<void>(broken.run("broken"));
    std::jthread const worker{[&] { static_cast<void>(running.run("running")); }};
    ops.resume_async();
    while (!is_ready(store)) std::this_thread::sleep_for(1ms);
    recoup::record tick;
    tick.id = {"", "tick", "count"};
    for (std::uint64_t turn = 0; !ended; ++turn) {
        tick.checkpoint = recoup::encoding<std::uint64_t>::encode(turn);
        tick.updated = recoup::real_clock::system_now();
        auto const saved = store.save(tick);
        if (!saved.has_value()) {
            std::fprintf(stderr, "save failed: %s\n", saved.error().message().c_str());
            return 3;
        }
        tick.revision = saved.value();
        if (turn == 0) std::ofstream{path + ".ready"} << "ready\n";
        std::this_thread::sleep_for(5ms);
    }
    ops.shutdown(2s);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) return 2;
    std::signal(SIGTERM, [](int) { ended = true; });
    std::string const path = argv[2];
    auto const deaf = argc > 3;
    if (std::string{argv[1]} == "journal") {
        auto store = recoup::journal_store::open(path).value();
        return own(path, *store, deaf);
    }
    recoup::sqlite_store_options options;
    options.accepted_file_systems = {"tmpfs", "ramfs", "fuse", "9p"};
    auto store = recoup::sqlite_store::open(path, options).value();
    if constexpr (recoup::durable_store<recoup::sqlite_store>)
        return own(path, *store, deaf);
    else
        return 2;
}
