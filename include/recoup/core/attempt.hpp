// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/ambient_trace.hpp>
#include <recoup/core/encoding.hpp>
#include <recoup/core/errc.hpp>
#include <recoup/core/result.hpp>
#include <recoup/core/time.hpp>
#include <recoup/platform/time.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

namespace recoup::inline v1 {

class attempt;

namespace detail {

using token_bytes = std::array<std::uint8_t, 16>;

/// Where an attempt's progress goes: a persistence session, or nowhere but memory.
class progress_sink {
  public:
    /// Effects: keeps the checkpoint and the token of the operation's state as durably as it can.
    /// Returns: null, or why what rests on them must not be done: the store failed, and no work is
    /// wanted without it, or another writer owns the operation.
    virtual failure const* save_progress() = 0;

    /// The same is to be done on another thread: what observers are told of it waits for `returns`.
    virtual void leaves() noexcept {}
    virtual void returns() noexcept {}

  protected:
    ~progress_sink() = default;
};

struct operation_state;
struct attempt_access;

/// Makes the stop token of a running attempt when it is asked for.
class stop_maker {
  public:
    /// Effects: sets `state.stop`.
    virtual void make_stop(operation_state& state) = 0;

  protected:
    ~stop_maker() = default;
};

/// Whether what goes on on an attempt's thread is within it. As wide as it is, so that it is set by one store
/// together with its neighbours.
enum class runs_as : std::uint16_t { call, coroutine };

/// What attempts of one operation have in common.
struct operation_state {
    std::uint32_t attempt = 1;  ///< number of the attempt that runs or comes next
    bool resumed = false;
    bool progressed = false;  ///< the running attempt saved a checkpoint that differs from the last
    runs_as form = runs_as::call;
    std::optional<std::string> checkpoint{};
    token_bytes token{};
    progress_sink* sink = nullptr;
    steady_time give_up_at = steady_time::max();
    steady_time (*now)(void const*) noexcept = nullptr;  ///< reads `clock`
    void const* clock = nullptr;
    std::stop_token stop{};
    stop_maker* on_stop_token = nullptr;  ///< who has yet to make `stop`
    failure const* previous = nullptr;
    trace_context const* trace = nullptr;  ///< of a coroutine; else there is the ambient one
};

inline bool is_zero(token_bytes const& token) noexcept { return token == token_bytes{}; }

/// 122 random bits in the form of a UUID, version 4. Source: RFC 9562, section 5.4.
inline token_bytes make_token() {
    token_bytes token{};
    if (!platform::fill_random(token.data(), token.size()))
        throw recovery_error{
            failure{std::make_error_code(std::errc::resource_unavailable_try_again)}};
    token[6] = static_cast<std::uint8_t>((token[6] & 0x0FU) | 0x40U);
    token[8] = static_cast<std::uint8_t>((token[8] & 0x3FU) | 0x80U);
    return token;
}

/// The text of a token: 36 characters, `xxxxxxxx-xxxx-4xxx-xxxx-xxxxxxxxxxxx`.
inline std::string token_text(token_bytes const& token) {
    constexpr char digits[] = "0123456789abcdef";
    std::string text;
    text.reserve(36);
    for (std::size_t i = 0; i != token.size(); ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
        text += digits[token[i] >> 4U];
        text += digits[token[i] & 0x0FU];
    }
    return text;
}

}  // namespace detail

/// One invocation of the callable, as the callable sees it: take `recoup::attempt&` as the first
/// parameter to get it. Valid during the invocation.
///
/// Thread safety: none; an attempt belongs to the thread that runs it.
class attempt {
  public:
    explicit attempt(detail::operation_state& operation) noexcept : operation_{&operation} {}
    attempt(attempt const&) = delete;
    attempt& operator=(attempt const&) = delete;

    /// Its number, from 1, counted over all restarts.
    [[nodiscard]] std::uint32_t number() const noexcept { return operation_->attempt; }

    /// Triggered when the caller wants the operation to stop, and when the `attempt_timeout` has passed.
    ///
    /// Throws: std::bad_alloc or std::system_error where a timeout has to be watched, and there is no memory
    /// or no thread for it; nothing without one.
    [[nodiscard]] std::stop_token const& stop_token() const {
        if (operation_->on_stop_token) [[unlikely]]
            operation_->on_stop_token->make_stop(*operation_);
        return operation_->stop;
    }

    /// What is left of the deadline, or of the `attempt_timeout` where that is less: `recoup::unlimited`
    /// without either, never negative.
    [[nodiscard]] duration remaining() const noexcept {
        if (operation_->give_up_at == steady_time::max()) return unlimited;
        auto const left =
            saturating_between(operation_->now(operation_->clock), operation_->give_up_at);
        return left > duration{} ? left : duration{};
    }

    /// The same for all attempts of the operation and after a restart, different for every other:
    /// hand it to the other side, which can then tell a repetition from a new request.
    ///
    /// Effects: with persistence, it is recorded before this returns for the first time, which blocks the
    /// thread: in a coroutine use `async_idempotency_token`.
    /// Throws: recovery_error where it could not be recorded and no work is wanted without a record
    /// (`on_store_failure::stop`), or another process runs the operation by now.
    [[nodiscard]] std::string idempotency_token() {
        if (detail::is_zero(operation_->token)) {
            operation_->token = detail::make_token();
            accept_token(operation_->sink ? operation_->sink->save_progress() : nullptr);
        }
        return detail::token_text(operation_->token);
    }

    /// What an earlier attempt saved last, in this process or an earlier one.
    ///
    /// Throws: recovery_error with `errc::value_unreadable` where that is not a T; it is kept.
    template <class T>
    [[nodiscard]] std::optional<T> checkpoint() const {
        static_assert(decodable<T>,
                      "recoup: this type cannot be read from a checkpoint: include "
                      "<recoup/json.hpp> and give it to_json and from_json, or "
                      "specialise recoup::encoding for it");
        if (!operation_->checkpoint) return std::nullopt;
        auto value = encoding<T>::decode(*operation_->checkpoint);
        if (!value)
            throw recovery_error{failure{category::corruption, errc::value_unreadable,
                                         "the checkpoint is not of the type that was asked for"}};
        return value;
    }

    /// Saves progress, for the next attempt and, with persistence, for the next process.
    ///
    /// Effects: with persistence it is as durable as the store when this returns. Where the store
    /// fails, an event says so, and the running attempt goes on; `on_store_failure` decides whether
    /// another one follows. It blocks the thread meanwhile: in a coroutine use `async_save_checkpoint`.
    template <class T>
    void save_checkpoint(T const& value) {
        put_checkpoint(value);
        if (operation_->sink) static_cast<void>(operation_->sink->save_progress());
    }

    /// What the call is part of, as `recoup::trace` says, or else that of the attempt on this thread which it is
    /// made in; null where there is none. Its type is complete with <recoup/observe/trace.hpp>.
    [[nodiscard]] trace_context const* trace() const noexcept {
        return operation_->form == detail::runs_as::coroutine ? operation_->trace
                                                              : detail::ambient_trace::current;
    }

    /// Whether an earlier process, or an earlier call that failed, began this operation.
    [[nodiscard]] bool resumed() const noexcept { return operation_->resumed; }

    /// What the attempt before this one failed with, in this process; null for the first.
    [[nodiscard]] failure const* previous_failure() const noexcept { return operation_->previous; }

  private:
    friend struct detail::attempt_access;

    template <class T>
    void put_checkpoint(T const& value) {
        auto bytes = detail::encode(value);
        operation_->progressed = operation_->progressed || operation_->checkpoint != bytes;
        operation_->checkpoint = std::move(bytes);
    }

    void accept_token(failure const* refused) {
        if (refused == nullptr) return;
        operation_->token = {};  // nobody has seen it: after a crash there would be another
        throw recovery_error{*refused};
    }

    detail::operation_state* operation_;
};

namespace detail {

/// For those who have progress saved without blocking.
struct attempt_access {
    static operation_state& state(attempt& of) noexcept { return *of.operation_; }
    template <class T>
    static void put_checkpoint(attempt& of, T const& value) {
        of.put_checkpoint(value);
    }
    static void accept_token(attempt& of, failure const* refused) { of.accept_token(refused); }
};

}  // namespace detail

}  // namespace recoup::inline v1
