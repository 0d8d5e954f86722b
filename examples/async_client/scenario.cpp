// SPDX-License-Identifier: BSL-1.0
#include "async_client/scenario.hpp"

#include "async_client/fetch.hpp"
#include "support/child_process.hpp"
#include "support/loopback_server.hpp"
#include "support/text_file.hpp"

#include <array>
#include <atomic>
#include <csignal>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/thread_pool.hpp>

#include <recoup/async/asio.hpp>
#include <recoup/guard/attempt_timeout.hpp>
#include <recoup/guard/bulkhead.hpp>
#include <recoup/guard/deadline.hpp>
#include <recoup/observe/on_event.hpp>
#include <recoup/retry/retry.hpp>

namespace async_client {

namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;
using asio::ip::tcp;

constexpr auto patience = 30s;
constexpr std::uint64_t answers_a_phase = 100;
constexpr std::uint64_t failures_a_phase = 20;
constexpr auto file_name = "page.txt";

/// What the clients have met, counted on all threads.
struct tally {
    std::atomic<std::uint64_t> answered{0};
    std::atomic<std::uint64_t> failed{0};
    std::atomic<std::uint64_t> wrong{0};
    std::array<std::atomic<std::uint64_t>, recoup::category_count> failures{};
    std::atomic<std::uint32_t> running{0};
    std::atomic<std::uint32_t> most_running{0};
    std::atomic<clock::rep> longest{0};
    std::atomic<bool> over{false};
    std::mutex mutex{};
    std::string first_failure{};  // under the mutex

    [[nodiscard]] std::uint64_t failed_attempts() const noexcept {
        std::uint64_t sum = 0;
        for (auto const& one : failures) sum += one;
        return sum;
    }
};

template <class Number>
void raise_to(std::atomic<Number>& most, Number seen) noexcept {
    for (auto before = most.load(); before < seen && !most.compare_exchange_weak(before, seen);) {}
}

/// How many attempts run just now: an attempt counts as long as this lives.
class running_mark {
  public:
    explicit running_mark(tally& counts) noexcept : counts_{counts} {
        raise_to(counts_.most_running, ++counts_.running);
    }
    running_mark(running_mark const&) = delete;
    running_mark& operator=(running_mark const&) = delete;
    ~running_mark() { --counts_.running; }

  private:
    tally& counts_;
};

/// A server that can be killed and started again on the same port.
class mortal_server {
  public:
    explicit mortal_server(scenario_options const& options) : options_{options} {
        start(0);
        auto const& url = running_->url();
        port_ = static_cast<unsigned short>(std::stoul(url.substr(url.rfind(':') + 1)));
    }

    [[nodiscard]] tcp::endpoint endpoint() const {
        return {asio::ip::address_v4::loopback(), port_};
    }
    void kill() { running_.reset(); }
    void start_again() { start(port_); }
    void freeze() { running_->process().freeze(); }
    void thaw() {
        if (running_) running_->process().send_signal(SIGCONT);
    }

  private:
    void start(unsigned short port) {
        running_ = std::make_unique<support::loopback_server>(
            options_.server, options_.folder / "served", options_.folder,
            "server-" + std::to_string(++lives_),
            std::vector<std::string>{"--port", std::to_string(port)});
    }

    scenario_options const& options_;
    std::unique_ptr<support::loopback_server> running_;
    unsigned short port_ = 0;
    int lives_ = 0;
};

/// Asks again and again, one request after the other.
template <class Get>
asio::awaitable<void> ask_until_over(Get const& get, tcp::endpoint server, std::string const& body,
                                     tally& counts) {
    while (!counts.over) {
        auto const began = clock::now();
        recoup::result<std::string> const got = co_await get(server, std::string{"/"} + file_name);
        raise_to(counts.longest, (clock::now() - began).count());
        if (got && got.value() == body) {
            ++counts.answered;
        } else if (got) {
            ++counts.wrong;
        } else {
            ++counts.failed;
            std::lock_guard const lock{counts.mutex};
            if (counts.first_failure.empty()) counts.first_failure = got.error().describe();
        }
    }
}

/// Makes a phase out of what is counted from its beginning to its end.
class phase_recorder {
  public:
    phase_recorder(std::string name, tally& counts) : counts_{counts}, answered_{counts.answered} {
        made_.name = std::move(name);
        for (std::size_t i = 0; i != failures_.size(); ++i) failures_[i] = counts.failures[i];
        failed_ = counts.failed_attempts();
    }

    void await_failures() const {
        await([&] { return counts_.failed_attempts() >= failed_ + failures_a_phase; },
              "failed attempts");
    }

    /// The server is there from now on.
    void await_answers() {
        auto const since = clock::now();
        auto const before = counts_.answered.load();
        await([&] { return counts_.answered > before; }, "an answer");
        made_.back_after =
            std::chrono::duration_cast<std::chrono::milliseconds>(clock::now() - since);
        await([&] { return counts_.answered >= before + answers_a_phase; }, "answers");
    }

    [[nodiscard]] phase end() {
        made_.answered = counts_.answered - answered_;
        for (std::size_t i = 0; i != failures_.size(); ++i)
            if (auto const more = counts_.failures[i] - failures_[i]; more != 0)
                made_.failures.emplace(recoup::to_string(static_cast<recoup::category>(i)), more);
        return std::move(made_);
    }

  private:
    template <class Ready>
    void await(Ready ready, std::string const& what) const {
        if (!support::eventually(patience, ready))
            throw std::runtime_error{made_.name + ": no " + what + " for half a minute"};
    }

    tally& counts_;
    phase made_{};
    std::uint64_t answered_;
    std::uint64_t failed_ = 0;
    std::array<std::uint64_t, recoup::category_count> failures_{};
};

/// Ends the clients, however the scenario ends.
class clients_end {
  public:
    clients_end(tally& counts, mortal_server& server, asio::thread_pool& threads)
        : counts_{counts}, server_{server}, threads_{threads} {}
    clients_end(clients_end const&) = delete;
    clients_end& operator=(clients_end const&) = delete;
    ~clients_end() {
        counts_.over = true;
        server_.thaw();
        threads_.join();
    }

  private:
    tally& counts_;
    mortal_server& server_;
    asio::thread_pool& threads_;
};

}  // namespace

scenario_result run_scenario(scenario_options const& options) {
    auto const body = std::string(64 * 1024, 'r') + "ecoup";
    fs::create_directories(options.folder / "served");
    support::write_text(options.folder / "served" / file_name, body);
    mortal_server server{options};
    tally counts;

    // All that makes a client of one that knows nothing of failures.
    recoup::bulkhead connections{{.at_once = 8, .waiting = options.clients}};
    auto const get = recoup::with_recovery(
        [&counts](tcp::endpoint const& where,
                  std::string const& path) -> asio::awaitable<recoup::result<std::string>> {
            running_mark const mark{counts};
            co_return co_await fetch(where, path);
        },
        recoup::retry{.max_attempts = 500, .backoff = recoup::exponential(20ms, 200ms)},
        recoup::attempt_timeout{300ms}, recoup::deadline{1min}, connections,
        recoup::on_event([&counts](recoup::event const& what) {
            if (what.kind == recoup::event_kind::attempt_failed)
                ++counts.failures[static_cast<std::size_t>(what.failure->category())];
        }));

    scenario_result made{.at_once = connections.options().at_once};
    {
        asio::thread_pool threads{2};
        clients_end const end{counts, server, threads};
        for (std::uint32_t i = 0; i != options.clients; ++i)
            asio::co_spawn(threads, ask_until_over(get, server.endpoint(), body, counts),
                           asio::detached);

        phase_recorder healthy{"healthy", counts};
        healthy.await_answers();
        made.phases.push_back(healthy.end());

        phase_recorder killed{"killed", counts};
        server.kill();
        killed.await_failures();
        server.start_again();
        killed.await_answers();
        made.phases.push_back(killed.end());

        phase_recorder frozen{"frozen", counts};
        server.freeze();
        frozen.await_failures();
        server.thaw();
        frozen.await_answers();
        made.phases.push_back(frozen.end());
    }
    made.failed = counts.failed;
    made.wrong = counts.wrong;
    made.first_failure = counts.first_failure;
    made.most_at_once = counts.most_running;
    made.longest =
        std::chrono::duration_cast<std::chrono::milliseconds>(clock::duration{counts.longest});
    return made;
}

}  // namespace async_client
