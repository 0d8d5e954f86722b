// SPDX-License-Identifier: BSL-1.0
#include "durable/worker.hpp"

#include "durable/diary.hpp"
#include "durable/stores.hpp"

#include <recoup/observe/on_event.hpp>

#include <chrono>
#include <cstdio>

namespace orders {

namespace {

constexpr auto lease = std::chrono::seconds{2};
constexpr auto look_every = std::chrono::milliseconds{50};

}  // namespace

std::filesystem::path diary_in(std::filesystem::path const& folder) { return folder / "diary"; }

int work(worker_options const& options) {
    auto const seen = diary{diary_in(options.folder)};
    return with_store(options.store, {options.folder, options.database}, [&](auto& store) {
        // How soon another worker may take over, where the store is for several: on one host with a
        // kernel lock that is at once.
        auto const how = recoup::operations_options{.lease = lease, .poll = look_every};
        recoup::operations ops{store, how, recoup::on_event([&](recoup::event const& what) {
                                   if (what.kind == recoup::event_kind::step_replayed)
                                       seen.add("replayed", what.step);
                               })};
        auto const order = define_order(ops, seen, options.kill, options.how);
        std::printf("resumed %zu\n", ops.resume().succeeded);
        std::fflush(stdout);
        seen.add("asked", "order");
        auto const result = order.run(order_key, ordered_item, ordered_pieces);
        if (!result) {
            std::printf("failed: %s\n", result.error().message().c_str());
            return 1;
        }
        std::printf("result %s\n", result.value().c_str());
        return 0;
    });
}

}  // namespace orders
