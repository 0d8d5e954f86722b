// SPDX-License-Identifier: BSL-1.0
// Shows what metrics count to Prometheus: `prometheus_example 127.0.0.1:9464` serves until it is ended, for
// share/grafana/recoup.json; without an address it makes some calls, scrapes itself, and prints of that:
// prints: recoup_calls_total{watch="fetch-page"} 100
// prints: recoup_calls_succeeded_total{watch="fetch-page"} 95
// prints: recoup_calls_failed_total{watch="fetch-page"} 5
// prints: recoup_calls_recovered_total{watch="fetch-page"} 20
// prints: recoup_attempts_total{watch="fetch-page"} 130
// prints: recoup_attempts_failed_total{watch="fetch-page",category="network_connection"} 35
// prints: recoup_calls_stopped_total{watch="fetch-page",reason="attempts_exhausted"} 5
// prints: recoup_breaker_state{breaker="page server",state="closed"} 1
// prints: recoup_reading{gauge="waiting downloads"} 0
#include <recoup/observe/metrics.hpp>
#include <recoup/observe/prometheus.hpp>
#include <recoup/recoup.hpp>

#include <chrono>
#include <cstddef>
#include <iostream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

#include <curl/curl.h>
#include <prometheus/exposer.h>

using namespace std::chrono_literals;

namespace {

/// What a program does with metrics: it wraps its callables, and names its breakers and queues.
class downloads {
  public:
    downloads() {
        metrics->watch("page server", breaker_);
        metrics->gauge("waiting downloads",
                       [this] { return static_cast<double>(room_.snapshot().waiting); });
    }

    /// Of 20 calls one fails for good, and four succeed at their second attempt.
    void fetch_some(int calls) {
        auto const fetch = recoup::with_recovery(
            [](recoup::attempt& attempt, int number) -> recoup::result<int> {
                if (number % 20 == 0 || (number % 5 == 1 && attempt.number() == 1))
                    return recoup::failure{recoup::category::network_connection};
                return number;
            },
            recoup::retry{.max_attempts = 3, .backoff = recoup::constant(0ms)}, breaker_, room_,
            metrics->watch("fetch-page"));
        for (auto number = 0; number != calls; ++number) static_cast<void>(fetch(number));
    }

    std::shared_ptr<recoup::metrics> const metrics = std::make_shared<recoup::metrics>();

  private:
    recoup::circuit_breaker breaker_;
    recoup::bulkhead room_{{.at_once = 4, .waiting = 100}};
};

std::size_t keep(char const* bytes, std::size_t size, std::size_t count, void* text) {
    static_cast<std::string*>(text)->append(bytes, size * count);
    return size * count;
}

std::string scraped(int port) {
    std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> const client{curl_easy_init(),
                                                                     &curl_easy_cleanup};
    std::string text;
    auto const url = "http://127.0.0.1:" + std::to_string(port) + "/metrics";
    curl_easy_setopt(client.get(), CURLOPT_URL, url.c_str());
    curl_easy_setopt(client.get(), CURLOPT_NOPROXY, "*");
    curl_easy_setopt(client.get(), CURLOPT_WRITEFUNCTION, &keep);
    curl_easy_setopt(client.get(), CURLOPT_WRITEDATA, &text);
    if (auto const code = curl_easy_perform(client.get()); code != CURLE_OK)
        throw std::runtime_error{url + ": " + curl_easy_strerror(code)};
    return text;
}

/// What is not zero of some families, and all readings.
void print_some(std::string const& text) {
    std::istringstream lines{text};
    for (std::string line; std::getline(lines, line);) {
        auto const is_zero = line.ends_with("} 0");
        for (std::string_view const wanted :
             {"recoup_calls_", "recoup_attempts_", "recoup_breaker_state"})
            if (line.starts_with(wanted) && !is_zero) std::cout << line << '\n';
        if (line.starts_with("recoup_reading{")) std::cout << line << '\n';
    }
}

}  // namespace

int main(int count, char** words) {
    downloads program;
    auto const address = std::string{count > 1 ? words[1] : "127.0.0.1:0"};
    auto const shown = std::make_shared<recoup::prometheus_collectable>(program.metrics);
    prometheus::Exposer exposer{address};
    exposer.RegisterCollectable(shown);  // which it holds only weakly

    if (count == 1) {
        program.fetch_some(100);
        print_some(scraped(exposer.GetListeningPorts().at(0)));
        return 0;
    }
    std::cout << "http://" << address << "/metrics" << std::endl;
    while (true) {
        program.fetch_some(100);
        std::this_thread::sleep_for(100ms);
    }
}
