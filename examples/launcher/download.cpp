// SPDX-License-Identifier: BSL-1.0
#include "launcher/download.hpp"

#include "launcher/failures.hpp"
#include "launcher/state.hpp"
#include "support/sha256.hpp"

#include <optional>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <recoup/json.hpp>
#include <recoup/recoup.hpp>

namespace launcher {

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::uint32_t mismatches_max = 3;  // of finished files: each costs the whole download
constexpr std::uint32_t lies_max = 4;        // answers about another file than the index's
constexpr auto results_kept_for = std::chrono::hours{24 * 30};

/// Whether the finished file is there and right; nothing when stopped while looking.
std::optional<bool> is_in_place(fs::path const& target, model const& what,
                                std::stop_token const& stop) {
    support::unique_fd const file{::open(target.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    struct stat status{};
    if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode) ||
        static_cast<std::uint64_t>(status.st_size) != what.size)
        return false;
    auto const digest = support::sha256_of_file(file.get(), stop);
    if (!digest) return std::nullopt;
    return *digest == what.sha256;
}

/// Another mirror may do better at once: what failed lies with this one and will not change soon.
bool only_another_mirror_helps(recoup::failure const& failure) noexcept {
    switch (exit_code_of(failure)) {
        case errc::not_served:
        case errc::redirect_loop: return true;
        default: return false;
    }
}

bool is_a_lie(recoup::failure const& failure) noexcept {
    return failure.code() == errc::wrong_size || failure.code() == errc::wrong_range;
}

/// The download of one model; the attempts of one process share it.
class model_download {
  public:
    model_download(download_context const& context, model const& what, std::size_t file)
        : context_(context), model_(what), file_(file), target_(context.into / what.target) {}

    /// One attempt, as recoup calls it.
    recoup::result<download_record> attempt(recoup::attempt& attempt) {
        read_record(attempt);
        auto const there = is_in_place(target_, model_, context_.stop);
        if (!there) return stopped();
        if (*there) return finished("is already in place, verified");

        auto opened = part_file::open(target_);
        if (!opened) return opened.error();
        part_file part = std::move(opened).value();
        if (auto ready = prepare(part, attempt); !ready) return ready.error();
        if (record_.bytes < model_.size)
            if (auto fetched = fetch(part, attempt); !fetched) return fetched.error();
        if (auto right = verify(part, attempt); !right) return right.error();
        if (auto placed = part.place(); !placed) return placed.error();
        return finished("verified and installed as " + target_.string());
    }

    /// What recoup says about the operation.
    void observe(recoup::event const& event) {
        if (event.kind == recoup::event_kind::attempt_failed) {
            ++record_.failures[std::string(to_string(event.failure->category()))];
        } else if (event.kind == recoup::event_kind::retry_scheduled) {
            std::chrono::duration<double> const delay = event.delay;
            context_.board.wait(file_, event.delay, event.failure->message(),
                                event.failure->message() + "; trying again in " +
                                    std::to_string(delay.count()).substr(0, 4) + " s");
        }
    }

  private:
    /// Takes over what earlier processes left. Attempts of this process share `record_`, which
    /// knows more than the checkpoint: the failures since.
    void read_record(recoup::attempt& attempt) {
        context_.board.attempt(file_, attempt.number());
        if (!begun_) {
            record_ = attempt.checkpoint<download_record>().value_or(download_record{});
            continued_ = attempt.resumed();
            begun_ = true;
        }
        record_.attempts = attempt.number();
    }

    /// Makes the .part file what the record says that it is.
    recoup::result<void> prepare(part_file& part, recoup::attempt& attempt) {
        auto const size = part.size();
        if (!size) return size.error();
        if (size.value() < record_.bytes) {  // somebody shortened or removed it
            record_.start_over();
            attempt.save_checkpoint(record_);
        }
        if (auto cut = part.truncate(record_.bytes); !cut) return cut;
        if (std::exchange(continued_, false) && record_.bytes > 0) {
            record_.resumed_at = record_.bytes;
            context_.board.enter(file_, phase::downloading, {},
                                 "continues at byte " + std::to_string(record_.bytes));
        }
        context_.board.bytes(file_, record_.bytes);
        return part.reserve(model_.size);
    }

    /// Fetches the missing bytes from the best mirror. Mirrors whose breaker is open and mirrors
    /// that will not change their mind are passed over at once; for the rest, recoup's retry waits.
    recoup::result<void> fetch(part_file& part, recoup::attempt& attempt) {
        std::optional<recoup::failure> last;
        for (std::string const& mirror : mirrors_to_try(model_, record_, failures_)) {
            auto fetched = fetch_from(mirror, part, attempt);
            if (fetched) return fetched;
            recoup::failure const& failure = fetched.error();
            bool const rejected = failure.stopped() == recoup::stop_reason::breaker_open;
            if (!rejected) ++failures_[mirror];
            if (is_a_lie(failure)) {
                ++record_.strikes[mirror];
                if (++lies_ >= lies_max)  // no mirror is left to believe
                    return recoup::failure{failure}.as(recoup::category::invalid_input);
            }
            // A failure says more about the end of an attempt than a breaker's rejection.
            if (!rejected || !last) last = failure;
            if (!rejected && !only_another_mirror_helps(failure)) break;
        }
        return *last;
    }

    recoup::result<void> fetch_from(std::string const& mirror, part_file& part,
                                    recoup::attempt& attempt) {
        std::string const host = host_of(mirror);
        context_.board.enter(file_, phase::downloading, host,
                             "attempt " + std::to_string(attempt.number()) + " from " + host +
                                 " at byte " + std::to_string(record_.bytes));
        checkpointed_sink sink{part,
                               record_,
                               mirror,
                               context_.options.interval,
                               [&] { attempt.save_checkpoint(record_); },
                               [&](std::uint64_t bytes) { context_.board.bytes(file_, bytes); }};
        auto const etag = record_.etags.find(mirror);
        transfer_request const request{
            .url = mirror,
            .from = record_.bytes,
            .size = model_.size,
            .etag = etag == record_.etags.end() ? std::string{} : etag->second,
            .connect_timeout = context_.options.connect_timeout,
            .stall_timeout = context_.options.stall_timeout};
        // The breaker alone: the retry around this chooses the mirror anew each time.
        auto const guarded =
            recoup::with_recovery([&] { return transfer(request, sink, context_.stop); },
                                  recoup::retry{.max_attempts = 1}, context_.breakers.of(host));
        auto const fetched = guarded();
        // What came before a failure is kept, too.
        auto const kept = sink.checkpoint();
        return fetched ? kept : fetched;
    }

    recoup::result<void> verify(part_file& part, recoup::attempt& attempt) {
        context_.board.enter(file_, phase::verifying, {}, {});
        auto const digest = support::sha256_of_file(part.fd(), context_.stop);
        if (!digest) return stopped();
        if (*digest == model_.sha256) return recoup::success();
        strike_sources(record_);
        record_.start_over();
        ++record_.mismatches;
        attempt.save_checkpoint(record_);
        if (auto emptied = part.truncate(0); !emptied) return emptied;
        context_.board.bytes(file_, 0);
        recoup::failure const wrong =
            fail(errc::wrong_bytes, "the SHA-256 is " + digest->substr(0, 16) +
                                        "..., and the index says " + model_.sha256.substr(0, 16) +
                                        "...");
        // Trying for ever would only waste the line: after some whole files the index is doubtful.
        return record_.mismatches < mismatches_max ? wrong
                                                   : wrong.as(recoup::category::invalid_input);
    }

    recoup::result<download_record> finished(std::string const& line) {
        record_.bytes = model_.size;
        context_.board.bytes(file_, model_.size);
        context_.board.enter(file_, phase::done, {}, line);
        return record_;
    }

    [[nodiscard]] static recoup::failure stopped() {
        return fail(errc::interrupted, "stopped by the user");
    }

    download_context const& context_;
    model const& model_;
    std::size_t file_;
    fs::path target_;
    download_record record_{};
    bool begun_ = false;
    bool continued_ = false;
    std::uint32_t lies_ = 0;
    std::map<std::string, std::uint32_t> failures_;  ///< by mirror, in this process
};

/// A recorded success is returned without a call: it must not outlive the file it speaks of.
recoup::result<void> forget_if_gone(download_context const& context, model const& what) {
    std::string const key = download_key(context.into, what);
    recoup::operation_ref const id{.name = download_operation, .key = key};
    auto const found = context.store.load(id, recoup::unlimited);
    if (!found) return found.error();
    if (!found.value() || found.value()->status != recoup::record_status::succeeded)
        return recoup::success();
    auto const there = is_in_place(context.into / what.target, what, context.stop);
    if (!there) return fail(errc::interrupted, "stopped by the user");
    if (*there) return recoup::success();
    return context.store.erase(id, found.value()->revision, recoup::unlimited);
}

}  // namespace

recoup::result<download_record> download(download_context const& context, model const& what,
                                         std::size_t file) {
    context.board.enter(file, phase::checking, {}, {});
    if (auto forgotten = forget_if_gone(context, what); !forgotten) return forgotten.error();

    model_download body{context, what, file};
    auto const recovered = recoup::with_recovery(
        [&](recoup::attempt& attempt) { return body.attempt(attempt); },
        recoup::retry{.max_attempts = context.options.attempts_max,
                      .backoff = recoup::exponential(200ms, 10s),
                      .per_category = {{recoup::category::corruption,
                                        {.max_attempts = 6, .backoff = recoup::constant(100ms)}}},
                      .refill_on_progress = true},
        recoup::persist(context.store,
                        {.name = download_operation,
                         .when = recoup::persist_when::start,
                         .retain = results_kept_for},
                        [&] { return download_key(context.into, what); }),
        recoup::on_event([&](recoup::event const& event) { body.observe(event); }),
        recoup::stop_on(context.stop));
    auto result = recovered();
    if (result) {
        context.board.bytes(file, what.size);
        context.board.enter(file, phase::done, {}, {});
    } else {
        context.board.enter(file, phase::failed, result.error().message(),
                            "FAILED: " + result.error().message());
    }
    return result;
}

}  // namespace launcher
