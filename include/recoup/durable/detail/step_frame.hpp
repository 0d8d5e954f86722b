// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/classify/default_classifier.hpp>
#include <recoup/core/encoding.hpp>
#include <recoup/core/returns.hpp>
#include <recoup/detail/guarded_call.hpp>
#include <recoup/durable/detail/operation_run.hpp>
#include <recoup/durable/operation_interrupted.hpp>
#include <recoup/durable/step_options.hpp>
#include <recoup/store/detail/record_codec.hpp>
#include <recoup/store/detail/recorded_failure.hpp>

#include <cstdint>
#include <exception>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

// One step of an operation: looked up, and replayed or recorded.

namespace recoup::inline v1::detail {

/// Names that begin so are the library's own.
inline constexpr std::string_view reserved_step_prefix = "recoup:";

/// Calls `invoke`; whatever it throws becomes a failure, but an interruption and the end of a thread.
template <class Result, class Invoke>
Result call_guarded(Invoke&& invoke) {
    return guarded_call<Result, operation_interrupted>(
        [&]() -> Result { return invoke_to_result<Result>(std::forward<Invoke>(invoke)); });
}

inline void classify_by_default(failure& what) noexcept {
    if (!failure_access::classified(what))
        failure_access::set_category(what, default_classifier::classify(what).category);
}

/// What an encoded result of a step or an operation is, as a result.
template <class Value>
result<Value> decode_result(std::string const& bytes, char const* of) {
    if constexpr (std::is_void_v<Value>) {
        if (bytes.empty()) return success();
    } else {
        if (auto value = encoding<Value>::decode(bytes))
            return result<Value>{in_place<Value>{}, *std::move(value)};
    }
    return failure{category::corruption, errc::value_unreadable,
                   std::string{"the recorded result of "} + of + " is of another type"};
}

template <class Value>
constexpr void require_result() {
    if constexpr (!std::is_void_v<Value>) {
        require_encoding<Value>();
        if constexpr (encodable<Value>)
            static_assert(decodable<Value>,
                          "recoup: this result can be recorded but not read again: return a type "
                          "that owns what it shows, such as std::string");
    }
}

/// The bytes of a value; a value that has none is a failure.
template <class Value>
result<std::string> encode_result(result<Value> const& outcome) {
    if constexpr (std::is_void_v<Value>) {
        static_cast<void>(outcome);
        return std::string{};
    } else {
        try {
            return detail::encode(outcome.assume_value());
        } catch (std::bad_alloc const&) {
            throw;
        } catch (...) {  // a text that is not UTF-8 is no JSON, say
            return failure{std::current_exception()}.as(category::invalid_input);
        }
    }
}

/// What each step has in common: it is looked up, and its result replayed or recorded.
template <class Value>
class step_frame {
  public:
    using value = Value;
    using outcome = result<value>;

    /// `own`: the step is the library's, and so is its name.
    step_frame(operation_run& run, step_options const& options, bool own = false)
        : run_{run}, options_{options}, own_{own} {
        require_result<value>();
    }
    step_frame(step_frame const&) = delete;
    step_frame& operator=(step_frame const&) = delete;

    /// Gives what is recorded, or what `make()` gives, which records it.
    template <class Fingerprint, class Make>
    outcome run(Fingerprint&& fingerprint, Make&& make) {
        auto opened = open(fingerprint);
        if (!opened.has_value()) return fail(std::move(opened).assume_error());
        auto& found = opened.assume_value();
        auto const closing = open_mark{run_, found};
        if (found.known && found.row.fingerprint != fingerprint_)
            return fail(failure{category::invalid_input, errc::step_mismatch,
                                "step " + shown() + " of operation " + display(run_.id()) +
                                    " was recorded with other arguments, which must not change "
                                    "from run to run"});
        if (found.replayed) return replay(found.row);
        row_ = std::move(found.row);
        known_ = found.known;
        if (known_ && row_.status == step_status::undone) renew();
        row_.fingerprint = fingerprint_;
        if (known_ && in_doubt()) {
            if (auto end = settle_doubt()) return *std::move(end);
        }
        if (known_ && row_.state.empty() && row_.attempts != UINT32_MAX) ++row_.attempts;
        if (writes_intent()) {
            row_.status = step_status::begun;
            row_.last_failure.reset();
            auto written = run_.write_step(row_);
            if (!written.has_value()) return not_written(std::move(written).assume_error());
            run_.check();
        }
        return make();
    }

    /// Records the value that `got` holds.
    outcome record(outcome got) {
        auto bytes = encode_result<value>(got);
        if (!bytes.has_value()) return fail(std::move(bytes).assume_error());
        return record(std::move(bytes).assume_value(), std::move(got));
    }

    outcome record(std::string bytes, outcome got) {
        row_.status = step_status::done;
        row_.value = std::move(bytes);
        row_.state.clear();
        auto written = run_.write_step(row_);
        if (!written.has_value()) return not_written(std::move(written).assume_error());
        return recorded(std::move(got));
    }

    /// The row is in the store.
    outcome recorded(outcome got) {
        run_.keep_undo(row_, options_.undo);
        run_.emit(event_kind::step_recorded, options_.name, nullptr, row_.attempts);
        return got;
    }

    /// The callable failed, which is no result: only what the next run must know is recorded.
    outcome failed(outcome got, bool keeps_attempts) {
        auto& what = got.assume_error();
        classify_by_default(what);
        if (writes_intent() && !keeps_attempts) {
            row_.last_failure = to_record(what);
            auto written = run_.write_step(row_);
            if (!written.has_value()) return not_written(std::move(written).assume_error());
        }
        return unless_stopping(fail(std::move(what)));
    }

    outcome fail(failure what) {
        classify_by_default(what);
        run_.emit(event_kind::step_failed, options_.name, &what, row_.attempts);
        return outcome{in_place<failure>{}, std::move(what)};
    }

    outcome not_written(failure what) {
        if (run_.why() != interruption::none) throw operation_interrupted{};
        return fail(std::move(what));
    }

    /// A failure of what was asked to stop is nobody's business.
    outcome unless_stopping(outcome got) {
        if (run_.stopping()) run_.check();
        return got;
    }

    [[nodiscard]] operation_run& run_of() const noexcept { return run_; }
    [[nodiscard]] step_options const& options() const noexcept { return options_; }
    [[nodiscard]] step_record& row() noexcept { return row_; }
    [[nodiscard]] std::string shown() const {
        return operation_run::shown(options_.name, options_.id);
    }

  private:
    template <class Fingerprint>
    result<opened_step> open(Fingerprint& fingerprint) {
        if (options_.name.empty() || !valid_identifier(options_.name) ||
            !valid_identifier(options_.id))
            return failure{
                category::invalid_input, errc::key_invalid,
                "the name and id of a step are at most 512 bytes of printable UTF-8, and "
                "the name is not empty"};
        if (!own_ && options_.name.starts_with(reserved_step_prefix))
            return failure{category::invalid_input, errc::key_invalid,
                           "the name of step " + shown() +
                               " begins with \"recoup:\", as the "
                               "library's own do"};
        if (options_.in_doubt == recoup::in_doubt::probe && !options_.probe)
            return failure{category::configuration,
                           "step " + shown() + " is to be probed when in doubt, and has no probe"};
        try {
            fingerprint_ = fingerprint();
        } catch (std::bad_alloc const&) {
            throw;
        } catch (...) {
            return failure{std::current_exception()}.as(category::invalid_input);
        }
        return run_.open_step(options_.name, options_.id);
    }

    /// It was undone, and begins anew.
    void renew() {
        row_.status = step_status::begun;
        row_.value.clear();
        row_.last_failure.reset();
        row_.attempts = 0;
    }

    outcome replay(step_record const& row) {
        auto read = decode_result<value>(row.value, "a step");
        if (!read.has_value()) return fail(std::move(read).assume_error());
        run_.keep_undo(row, options_.undo);
        run_.emit(event_kind::step_replayed, options_.name, nullptr, row.attempts);
        return read;
    }

    [[nodiscard]] bool writes_intent() const noexcept {
        return options_.in_doubt != recoup::in_doubt::rerun;
    }

    /// Whether the row says that the callable was begun, and not how that ended.
    [[nodiscard]] bool in_doubt() const {
        if (!writes_intent() || row_.attempts == 0) return false;
        if (row_.state.empty()) return !row_.last_failure;
        auto const kept = decode_record(row_.state);
        if (!kept.value) return true;
        if (kept.value->status == record_status::failed) return false;
        // Between two attempts there is no doubt. Behind the wait the next one may have begun.
        return kept.value->due <= run_.ports().clock().system_now();
    }

    /// Returns: the end, where the callable is not run.
    std::optional<outcome> settle_doubt() {
        if (options_.in_doubt == recoup::in_doubt::stop) {
            run_.interrupt(interruption::in_doubt,
                           failure{category::unknown, errc::operation_blocked,
                                   "in doubt: step " + shown() +
                                       " had begun when its process ended, and may have happened; "
                                       "retry runs it again"});
            throw operation_interrupted{};
        }
        auto found = call_guarded<result<std::optional<std::string>>>([&] {
            return result<std::optional<std::string>>{in_place<std::optional<std::string>>{},
                                                      options_.probe()};
        });
        if (!found.has_value()) return unless_stopping(fail(std::move(found).assume_error()));
        if (!found.assume_value()) return std::nullopt;
        auto bytes = *std::move(found).assume_value();
        auto read = decode_result<value>(bytes, "the probe");
        if (!read.has_value()) return fail(std::move(read).assume_error());
        return record(std::move(bytes), std::move(read));
    }

    operation_run& run_;
    step_options const& options_;
    bool const own_;
    std::uint64_t fingerprint_ = 0;
    step_record row_{};
    bool known_ = false;  ///< an earlier run has recorded something of it
};

}  // namespace recoup::inline v1::detail
