// SPDX-License-Identifier: BSL-1.0
// One failed attempt, then success, with no real wait; and the classification of an error code alone.
#include "call/dependency.hpp"
#include "call/hand_written.hpp"
#include "call/instant_clock.hpp"
#include "regression/paths/path.hpp"

#include <recoup/classify/default_classifier.hpp>
#include <recoup/core/on.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/with_recovery.hpp>

#include <array>
#include <cerrno>
#include <system_error>

namespace bench::regression {

namespace {

/// Codes of several kinds, some of which nobody knows.
std::array<std::error_code, 8> const codes = [] {
    using std::errc;
    return std::array{make_error_code(errc::connection_reset),
                      make_error_code(errc::timed_out),
                      make_error_code(errc::permission_denied),
                      make_error_code(errc::not_enough_memory),
                      make_error_code(errc::invalid_argument),
                      std::error_code{ECONNREFUSED, std::system_category()},
                      std::error_code{EPIPE, std::system_category()},
                      std::error_code{4'711, std::generic_category()}};
}();

}  // namespace

void add_failed_once(paths& into) {
    into.push_back({"failed_once/hand_written", "", [](counted_path const& of) {
                        hand_written::options const chosen;
                        instant_clock time;
                        fails_once call;
                        count(of, [&](std::uint64_t question) {
                            return hand_written::retried(call, question, chosen, time);
                        });
                    }});
    into.push_back(
        {"failed_once/recoup", "failed_once/hand_written", [](counted_path const& of) {
             instant_clock time;
             count(of, recoup::with_recovery(fails_once{}, recoup::retry{}, recoup::on(time)));
         }});
    into.push_back({"thrown_once/hand_written", "", [](counted_path const& of) {
                        hand_written::options const chosen;
                        instant_clock time;
                        throws_once call;
                        count(of, [&](std::uint64_t question) {
                            return hand_written::retried_throwing(call, question, chosen, time);
                        });
                    }});
    into.push_back(
        {"thrown_once/recoup", "thrown_once/hand_written", [](counted_path const& of) {
             instant_clock time;
             count(of, recoup::with_recovery(throws_once{}, recoup::retry{}, recoup::on(time)));
         }});
    into.push_back({"classified_code/hand_written", "", [](counted_path const& of) {
                        count(of, [](std::uint64_t question) {
                            return hand_written::classify(codes[question % codes.size()]);
                        });
                    }});
    into.push_back(
        {"classified_code/recoup", "classified_code/hand_written", [](counted_path const& of) {
             count(of, [](std::uint64_t question) {
                 return recoup::default_classifier::classify(
                     recoup::failure{codes[question % codes.size()]});
             });
         }});
}

}  // namespace bench::regression
