// SPDX-License-Identifier: BSL-1.0
#include "launcher/checkpointed_sink.hpp"

#include <algorithm>
#include <utility>

namespace launcher {

checkpointed_sink::checkpointed_sink(part_file& part, download_record& record, std::string mirror,
                                     checkpoint_interval interval, std::function<void()> save,
                                     std::function<void(std::uint64_t)> show)
    : part_(part),
      record_(record),
      mirror_(std::move(mirror)),
      interval_(interval),
      save_(std::move(save)),
      show_(std::move(show)),
      written_(record.bytes) {}

recoup::result<void> checkpointed_sink::begin(std::uint64_t offset, std::string const& etag) {
    if (offset != written_) {
        // The whole file comes instead of its end. The record must give up the old bytes before
        // they are overwritten, or a crash in between would leave it speaking of a mixture.
        record_.start_over();
        save_();
        if (auto emptied = part_.truncate(0); !emptied) return emptied;
        written_ = 0;
    }
    if (etag.empty())
        record_.etags.erase(mirror_);
    else
        record_.etags[mirror_] = etag;
    show_(written_);
    return recoup::success();
}

recoup::result<void> checkpointed_sink::write(std::span<std::byte const> bytes) {
    while (!bytes.empty()) {
        // Cut at the interval, so that no crash costs more than that, however much comes at once.
        std::uint64_t const room = interval_.bytes - (written_ - record_.bytes);
        auto const piece = bytes.first(std::min<std::uint64_t>(room, bytes.size()));
        if (auto written = part_.write(written_, piece); !written) return written;
        written_ += piece.size();
        bytes = bytes.subspan(piece.size());
        show_(written_);
        bool const due = written_ - record_.bytes >= interval_.bytes ||
                         std::chrono::steady_clock::now() - saved_at_ >= interval_.time;
        if (!due) continue;
        if (auto saved = checkpoint(); !saved) return saved;
    }
    return recoup::success();
}

recoup::result<void> checkpointed_sink::checkpoint() {
    saved_at_ = std::chrono::steady_clock::now();
    if (written_ == record_.bytes) return recoup::success();
    if (auto synced = part_.sync(); !synced) return synced;
    record_.sources[mirror_] += written_ - record_.bytes;
    record_.bytes = written_;
    save_();
    return recoup::success();
}

}  // namespace launcher
