// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/category.hpp>
#include <recoup/core/stop_reason.hpp>

#include <chrono>
#include <cstdint>
#include <exception>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

namespace recoup::inline v1 {

namespace detail {
struct failure_access;
std::string printable_message(std::string_view text);
}  // namespace detail

/// What an operation, or one attempt, ended with instead of a value.
///
/// Regular, and cheap to make: only a text or an exception costs an allocation, an error code none.
/// Copies share both, so that copying never throws.
class failure {
  public:
    failure() noexcept = default;

    /// From an error code; its category is found by the classifier.
    failure(std::error_code code) noexcept
        : code_value_{code.value()}, code_category_{&code.category()} {}

    /// From an error enumeration (`std::errc`, a user's own, …).
    template <class Enum>
        requires(std::is_error_code_enum_v<Enum> || std::is_error_condition_enum_v<Enum>)
    failure(Enum code) noexcept : failure{to_code(code)} {}

    /// Of a known category: no classifier is asked, unless a user's own rule says otherwise.
    explicit failure(recoup::category what) noexcept : category_{what}, marks_{classified_mark} {}

    /// Of a known category, with the code that says more.
    failure(recoup::category what, std::error_code code) noexcept : failure{code} {
        category_ = what;
        marks_ |= classified_mark;
    }

    /// Of a known category, with a text for people.
    failure(recoup::category what, std::string message) : failure{what} {
        text_ = std::make_shared<std::string const>(std::move(message));
    }

    /// Of a known category, with a code and a text for people.
    failure(recoup::category what, std::error_code code, std::string message)
        : failure{what, code} {
        text_ = std::make_shared<std::string const>(std::move(message));
    }

    /// From an exception; `value()` throws it again.
    explicit failure(std::exception_ptr exception, std::error_code code = {}) noexcept
        : exception_{std::move(exception)} {
        if (code) {
            code_value_ = code.value();
            code_category_ = &code.category();
        }
    }

    /// What kind of failure it is.
    [[nodiscard]] constexpr recoup::category category() const noexcept { return category_; }

    /// The error code, or one that is false where there was none.
    [[nodiscard]] std::error_code code() const noexcept {
        return code_category_ ? std::error_code{code_value_, *code_category_} : std::error_code{};
    }

    /// The callable's own exception, or null where there was none.
    [[nodiscard]] std::exception_ptr const& exception() const noexcept { return exception_; }

    /// A text for people: the one given, else the exception's, else the code's, else the category's.
    ///
    /// Throws: std::bad_alloc.
    [[nodiscard]] std::string message() const;

    /// How many attempts were made, over all restarts.
    [[nodiscard]] constexpr std::uint32_t attempts() const noexcept { return attempts_; }

    /// Why the operation ended; `none` for a failure that has not ended one.
    [[nodiscard]] constexpr stop_reason stopped() const noexcept { return stopped_; }

    /// Whether trying again can help: a rule's word, else what holds for the category.
    [[nodiscard]] constexpr recoup::recoverability recoverability() const noexcept {
        return (marks_ & recoverability_mark) != 0 ? recoverability_
                                                   : info(category_).recoverability;
    }

    /// How long the other side asked us to wait, where it did.
    [[nodiscard]] constexpr std::optional<std::chrono::milliseconds> retry_after() const noexcept {
        if (retry_after_ms_ < 0) return std::nullopt;
        return std::chrono::milliseconds{retry_after_ms_};
    }

    /// Notes that the other side asked us to wait; negative is zero, above 24 days is 24 days.
    failure& retry_after(std::chrono::milliseconds wait) & noexcept {
        constexpr auto most = std::int64_t{INT32_MAX};
        auto const count = std::int64_t{wait.count()};
        retry_after_ms_ = static_cast<std::int32_t>(count < 0 ? 0 : count > most ? most : count);
        return *this;
    }
    failure&& retry_after(std::chrono::milliseconds wait) && noexcept {
        return std::move(this->retry_after(wait));
    }

    /// The same failure under another category; as if a rule had said so.
    [[nodiscard]] failure as(recoup::category what) && noexcept {
        category_ = what;
        marks_ |= classified_mark;
        return std::move(*this);
    }
    [[nodiscard]] failure as(recoup::category what) const& noexcept {
        return failure{*this}.as(what);
    }

    /// Equal in category, code, attempts and reason; exceptions by identity, texts by content.
    friend bool operator==(failure const& left, failure const& right) noexcept {
        return left.category_ == right.category_ && left.code() == right.code() &&
               left.attempts_ == right.attempts_ && left.stopped_ == right.stopped_ &&
               left.exception_ == right.exception_ &&
               left.retry_after_ms_ == right.retry_after_ms_ && left.text() == right.text();
    }

    /// `network_timeout: Connection timed out (generic:110); 3 attempts, stopped: attempts_exhausted`;
    /// credentials are removed and control characters escaped.
    template <class Traits>
    friend std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out,
                                                        failure const& what) {
        return out << what.describe();
    }

    /// The line that streaming prints.
    [[nodiscard]] std::string describe() const;

  private:
    friend struct detail::failure_access;

    template <class Enum>
    static std::error_code to_code(Enum code) noexcept {
        if constexpr (std::is_error_code_enum_v<Enum>) {
            return code;  // found by make_error_code
        } else {
            auto const condition = std::error_condition{code};
            return {condition.value(), condition.category()};
        }
    }

    [[nodiscard]] std::string_view text() const noexcept {
        return text_ ? std::string_view{*text_} : std::string_view{};
    }

    static constexpr std::uint8_t classified_mark = 1;
    static constexpr std::uint8_t recoverability_mark = 2;

    recoup::category category_ = recoup::category::unknown;
    stop_reason stopped_ = stop_reason::none;
    recoup::recoverability recoverability_ = recoup::recoverability::unknown;
    // Not bit fields: those are read before they are written, which stalls where the memory has just
    // held another failure.
    std::uint8_t marks_ = 0;
    std::uint32_t attempts_ = 0;
    std::int32_t retry_after_ms_ = -1;
    std::int32_t code_value_ = 0;
    std::error_category const* code_category_ = nullptr;
    std::exception_ptr exception_;
    std::shared_ptr<std::string const> text_;
};

namespace detail {

/// What the engine may change of a failure, and users may not.
struct failure_access {
    static bool classified(failure const& what) noexcept {
        return (what.marks_ & failure::classified_mark) != 0;
    }
    static bool has_text(failure const& what) noexcept { return what.text_ != nullptr; }
    static void set_category(failure& what, category found) noexcept {
        what.category_ = found;
        what.marks_ |= failure::classified_mark;
    }
    static void set_unclassified(failure& what) noexcept {
        what.marks_ &= static_cast<std::uint8_t>(~failure::classified_mark);
    }
    static void set_recoverability(failure& what, recoverability found) noexcept {
        what.recoverability_ = found;
        what.marks_ |= failure::recoverability_mark;
    }
    static void set_end(failure& what, stop_reason why, std::uint32_t attempts) noexcept {
        what.stopped_ = why;
        what.attempts_ = attempts;
    }
    static void set_code(failure& what, std::error_code code) noexcept {
        what.code_value_ = code.value();
        what.code_category_ = &code.category();
    }
};

/// The text of an exception; of one that is not a std::exception, that it is not.
inline std::string exception_text(std::exception_ptr const& exception) {
    try {
        std::rethrow_exception(exception);
    } catch (std::exception const& caught) {
        return caught.what();
    } catch (...) {
        return "an exception that is not derived from std::exception";
    }
}

}  // namespace detail

inline std::string failure::message() const {
    if (text_) return *text_;
    if (exception_) return detail::exception_text(exception_);
    if (code_category_) return code().message();
    return std::string{to_string(category_)};
}

inline std::string failure::describe() const {
    auto line = std::string{to_string(category_)};
    if (text_ || exception_ || code_category_) line += ": " + detail::printable_message(message());
    if (code_category_) {
        line += " (";
        line += code_category_->name();
        line += ':' + std::to_string(code_value_) + ')';
    }
    if (stopped_ != stop_reason::none) {
        line += "; " + std::to_string(attempts_) + (attempts_ == 1 ? " attempt" : " attempts");
        line += ", stopped: ";
        line += to_string(stopped_);
    }
    return line;
}

}  // namespace recoup::inline v1

#include <recoup/core/redact.hpp>
