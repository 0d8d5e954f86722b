// SPDX-License-Identifier: BSL-1.0
// A request's trace is passed on: to the callable, which sends it along, and to what is written of its calls.
// prints: the header is not taken: traceparent: at character 4 there is 'X'; expected a digit of the trace id: 0 to 9, or a to f
// prints: sent 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
// prints: event=retry_scheduled attempt=1 category=network_timeout trace_id=0af7651916cd43dd8448eb211c80319c span_id=b7ad6b7169203331
// prints: sent 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
// prints: 200
#include <recoup/observe/event_log.hpp>
#include <recoup/observe/trace.hpp>
#include <recoup/recoup.hpp>

#include <chrono>
#include <iostream>
#include <string>
#include <string_view>

using namespace std::chrono_literals;

int main() {
    auto const fetch = recoup::with_recovery(
        [](recoup::attempt& attempt) -> recoup::result<int> {
            if (attempt.trace() != nullptr)
                std::cout << "sent " << attempt.trace()->traceparent() << '\n';
            if (attempt.number() == 1) return recoup::failure{recoup::category::network_timeout};
            return 200;
        },
        recoup::retry{.max_attempts = 3, .backoff = recoup::constant(0ms)},
        recoup::log_events([](recoup::log_level, std::string const& line) {
            if (line.starts_with("event=retry_scheduled"))
                std::cout << line.substr(0, line.find(" message=")) << '\n';
        }));

    // A handler of requests would read this from their headers.
    for (std::string_view const header :
         {"00-X", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}) {
        auto const context = recoup::trace_context::parse(header);
        if (context)
            std::cout << fetch.with(recoup::trace(context.value()))().value() << '\n';
        else
            std::cout << "the header is not taken: " << context.error().message() << '\n';
    }
}
