// SPDX-License-Identifier: BSL-1.0
#include "durable/worker.hpp"

#include "durable/diary.hpp"
#include "durable/stores.hpp"

#include <recoup/observe/on_event.hpp>

#include <cstdio>

namespace orders {

std::filesystem::path diary_in(std::filesystem::path const& folder) { return folder / "diary"; }

int work(worker_options const& options) {
    auto const seen = diary{diary_in(options.folder)};
    return with_store(options.store, options.folder, [&](auto& store) {
        recoup::operations ops{store, recoup::on_event([&](recoup::event const& what) {
                                   if (what.kind == recoup::event_kind::step_replayed)
                                       seen.add("replayed", what.step);
                               })};
        auto const order = define_order(ops, seen, options.kill);
        std::printf("resumed %zu\n", ops.resume().succeeded);
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
