// SPDX-License-Identifier: BSL-1.0
// Success at once: the callable, the loop written by hand, and recoup with what most calls have.
#include "call/dependency.hpp"
#include "call/hand_written.hpp"
#include "call/instant_clock.hpp"
#include "regression/paths/path.hpp"

#include <recoup/guard/deadline.hpp>
#include <recoup/observe/on_event.hpp>
#include <recoup/retry/retry.hpp>
#include <recoup/with_recovery.hpp>

#include <chrono>

using namespace std::chrono_literals;

namespace bench::regression {

namespace {

auto const ask = [](std::uint64_t question) { return answer(question); };
auto const ask_for_reply = [](std::uint64_t question) { return answer_or_error(question); };

}  // namespace

void add_success(paths& into) {
    into.push_back({"value/bare", "", [](counted_path const& of) { count(of, ask); }});
    into.push_back({"value/hand_written", "", [](counted_path const& of) {
                        hand_written::options const chosen;
                        instant_clock time;
                        count(of, [&](std::uint64_t question) {
                            return hand_written::retried_throwing(ask, question, chosen, time);
                        });
                    }});
    into.push_back({"value/recoup", "value/hand_written", [](counted_path const& of) {
                        count(of, recoup::with_recovery(ask, recoup::retry{}));
                    }});
    into.push_back({"reply/bare", "", [](counted_path const& of) { count(of, ask_for_reply); }});
    into.push_back({"reply/hand_written", "", [](counted_path const& of) {
                        hand_written::options const chosen;
                        instant_clock time;
                        count(of, [&](std::uint64_t question) {
                            return hand_written::retried(ask_for_reply, question, chosen, time);
                        });
                    }});
    into.push_back({"reply/recoup", "reply/hand_written", [](counted_path const& of) {
                        count(of, recoup::with_recovery(ask_for_reply, recoup::retry{}));
                    }});
    into.push_back({"reply/recoup_deadline", "", [](counted_path const& of) {
                        count(of, recoup::with_recovery(ask_for_reply, recoup::retry{},
                                                        recoup::deadline{1min}));
                    }});
    into.push_back({"reply/recoup_observed", "", [](counted_path const& of) {
                        std::uint64_t seen = 0;
                        count(of, recoup::with_recovery(
                                      ask_for_reply, recoup::retry{},
                                      recoup::on_event([&seen](recoup::event const&) { ++seen; })));
                    }});
}

}  // namespace bench::regression
