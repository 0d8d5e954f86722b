// SPDX-License-Identifier: BSL-1.0
#include "inspect/ask.hpp"

#include "inspect/exit_code.hpp"
#include "inspect/text.hpp"

#include <recoup/core/clock.hpp>
#include <recoup/platform/file.hpp>
#include <recoup/store/detail/request_box.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

#include <nlohmann/json.hpp>

namespace inspect {

namespace {

using recoup::operation_status;
using outcome = answer::outcome;
using request_kind = recoup::operation_request::kind;

std::string named(recoup::operation_id const& id) {
    return printable(id.name) + " " + printable(id.key);
}

/// The operation that is meant; ends the program where there is none.
recoup::operation_record find(store& in, recoup::operation_id const& id) {
    if (auto found = value_of(in.find(id))) return std::move(*found);
    if (value_of(in.load(id)))
        throw problem(exit_code::refused,
                      named(id) +
                          " is a call, not a durable operation: it runs when the program "
                          "calls it again");
    throw problem(exit_code::not_found,
                  "no operation " + named(id) + " is recorded in " + in.location());
}

/// Refuses at once what an owner would refuse.
void check_state(question const& what, recoup::operation_record const& seen) {
    auto const ended = has_ended(seen.status);
    auto const fits = what.what == request_kind::cancel ? !ended
                      : what.what == request_kind::accept
                          ? seen.status == operation_status::blocked
                          : seen.status != operation_status::running &&
                                seen.status != operation_status::succeeded;
    if (!fits)
        throw problem(exit_code::refused, "operation " + named(seen.id) + " is " +
                                              std::string{to_string(seen.status)} + ": " +
                                              std::string{to_string(what.what)} + " does not fit");
}

recoup::system_time now() { return recoup::real_clock::system_now(); }

/// Opens the store as its owner and does there what `request` says, behind what was asked before.
///
/// Returns: false where somebody else owns it.
bool apply_here(std::string const& where, recoup::operation_request const* request,
                open_options const& how) {
    auto const mine = open_to_own(where, how);
    if (!mine) return false;
    while (value_of(mine->apply_waiting(now())) != 0) {}
    if (request != nullptr) value_of(mine->apply(*request, now()));
    return true;
}

/// Waits until the request has been taken, or does it here where its owner ends meanwhile.
outcome wait(std::string const& where, recoup::detail::request_box const& box,
             std::string const& ticket, question const& what, open_options const& how) {
    constexpr recoup::duration between_looks = std::chrono::milliseconds{20};
    auto const until = recoup::saturating_add(recoup::real_clock::now(), what.wait);
    auto const location = box.path().substr(0, box.path().rfind('.'));
    while (true) {
        if (!value_of(box.waiting(ticket))) return outcome::taken;
        if (!owner_of(location) && apply_here(where, nullptr, how)) return outcome::applied;
        auto const left = until - recoup::real_clock::now();
        if (left <= recoup::duration::zero()) return outcome::waiting;
        recoup::platform::pause(std::min(left, between_looks));
    }
}

}  // namespace

store_facts facts_of(store const& open) {
    return {open.location(), open.kind(), open.shared(),
            open.shared() ? std::nullopt : owner_of(open.location())};
}

answer ask(std::string const& where, question const& what, open_options const& how) {
    answer got;
    {
        auto const seen = open_to_look(where);
        got.store = facts_of(*seen);
        got.before = find(*seen, what.id);
    }
    check_state(what, *got.before);
    recoup::operation_request const request{what.what, got.before->number, what.version};
    if (got.store.shared || !got.store.owner) {
        if (apply_here(where, &request, how)) {
            got.how = outcome::applied;
        } else {
            got.store.owner = owner_of(got.store.location);  // it came just now
            if (!got.store.owner) got.store.owner = owner_info{};
        }
    }
    if (!got.store.shared && got.store.owner) {
        recoup::detail::request_box box{got.store.location};
        auto const ticket = value_of(box.put(request));
        got.how = wait(where, box, ticket, what, how);
    }
    got.after = value_of(open_to_look(where)->find(what.id));
    return got;
}

std::string answer_text(question const& what, answer const& got) {
    auto const wanted = std::string{to_string(what.what)} + " " + named(what.id) + ": ";
    auto const state = got.after ? "it is " + std::string{to_string(got.after->status)} +
                                       (got.after->cancel_requested ? ", cancel requested" : "")
                                 : std::string{"it is not there any more"};
    auto const owner = got.store.owner ? owner_text(*got.store.owner) : "nobody";
    switch (got.how) {
        case outcome::applied:
            return wanted + "done here, since " +
                   (got.store.shared  ? "the store is shared"
                    : got.store.owner ? "its owner has ended"
                                      : "nobody owns the store") +
                   "; " + state + "\n";
        case outcome::taken:
            return wanted + "taken by the owner, " + owner + "; " +
                   (got.changed() ? state : state + " as before") + "\n";
        case outcome::waiting: break;
    }
    return wanted + "not taken yet by the owner, " + owner +
           "; the request waits for it, or for the next one\n";
}

nlohmann::json answer_json(question const& what, answer const& got, layout const& how) {
    auto const name = got.how == outcome::applied ? "applied"
                      : got.how == outcome::taken ? "taken"
                                                  : "waiting";
    auto owner = nlohmann::json();
    if (got.store.owner)
        owner = {{"process", got.store.owner->process},
                 {"program", got.store.owner->program},
                 {"since", got.store.owner->since}};
    return {
        {"format", 1},
        {"request", to_string(what.what)},
        {"outcome", name},
        {"owner", std::move(owner)},
        {"changed", got.changed()},
        {"operation", got.after ? operation_json(*got.after, got.store, how) : nlohmann::json()}};
}

}  // namespace inspect
