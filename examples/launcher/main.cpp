// SPDX-License-Identifier: BSL-1.0
// Installs the models that a ComfyUI workflow names, and survives whatever happens meanwhile.
#include "launcher/install.hpp"
#include "launcher/model_index.hpp"
#include "launcher/state.hpp"
#include "launcher/status.hpp"

#include <csignal>
#include <cstdio>
#include <ctime>
#include <exception>
#include <thread>

#include <CLI/CLI.hpp>

namespace {

using launcher::errc;

struct arguments {
    std::filesystem::path workflow{};
    std::filesystem::path index{};
    std::filesystem::path into{};
    std::filesystem::path state = launcher::default_state_file();
    std::uint64_t checkpoint_bytes = launcher::checkpoint_interval{}.bytes;
    unsigned stall_seconds = 15;
    bool json = false;
    launcher::state_options state_options{};
    launcher::install_options options{};
};

/// Turns SIGINT and SIGTERM into a stop token. Made before any other thread, which then inherit the
/// blocked signals, so that they are taken by nobody but the thread in here.
class stop_on_signal {
  public:
    stop_on_signal() {
        sigemptyset(&signals_);
        sigaddset(&signals_, SIGINT);
        sigaddset(&signals_, SIGTERM);
        pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
        waiter_ = std::jthread([this](std::stop_token const& done) {
            constexpr timespec pause{.tv_sec = 0, .tv_nsec = 100'000'000};
            while (!done.stop_requested())
                if (sigtimedwait(&signals_, nullptr, &pause) > 0) source_.request_stop();
        });
    }
    [[nodiscard]] std::stop_token token() const noexcept { return source_.get_token(); }

  private:
    sigset_t signals_{};
    std::stop_source source_;
    std::jthread waiter_;
};

int install(arguments const& given) {
    launcher::installation const what{
        .workflow = std::filesystem::absolute(given.workflow),
        .into = std::filesystem::absolute(given.into).lexically_normal(),
        .models = launcher::plan_installation(given.workflow, given.index)};
    if (what.models.empty()) {
        std::puts("the workflow names no model files: there is nothing to install");
        return 0;
    }
    stop_on_signal const signals;
    auto const store = launcher::open_state(given.state, given.state_options);
    return launcher::install(*store, what, given.options, signals.token());
}

/// Looking for what was recorded makes no new state file.
void check_state_exists(arguments const& given) {
    if (!std::filesystem::exists(given.state))
        throw launcher::problem(errc::nothing_recorded,
                                "there is no state file '" + given.state.string() + "'");
}

int resume(arguments const& given) {
    check_state_exists(given);
    stop_on_signal const signals;
    auto const store = launcher::open_state(given.state, given.state_options);
    auto const known = launcher::installations(*store);
    if (known.empty())
        throw launcher::problem(errc::nothing_recorded,
                                "the state file '" + given.state.string() +
                                    "' holds no installation that could be resumed");
    int code = 0;
    std::size_t unfinished = 0;
    for (auto const& [what, record] : known) {
        if (record.status == recoup::record_status::succeeded) continue;
        ++unfinished;
        int const ended = launcher::install(*store, what, given.options, signals.token());
        if (code == 0) code = ended;
        if (signals.token().stop_requested()) break;
    }
    if (unfinished == 0) std::puts("everything is installed: there is nothing to resume");
    return code;
}

int status(arguments const& given) {
    check_state_exists(given);
    auto const store = launcher::open_state(
        given.state,
        {.read_only = true, .accepted_file_systems = given.state_options.accepted_file_systems});
    std::fputs(
        (given.json ? launcher::status_json(*store) : launcher::status_table(*store)).c_str(),
        stdout);
    return 0;
}

void add_state(CLI::App& command, arguments& given) {
    command.add_option("--state", given.state, "file that remembers where everything stands")
        ->capture_default_str();
    command
        .add_option("--accept-file-system", given.state_options.accepted_file_systems,
                    "kind of file system to take for the state file although it forgets "
                    "everything with the power, such as tmpfs")
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void add_tuning(CLI::App& command, arguments& given) {
    command.add_option("--parallel", given.options.parallel, "downloads at the same time")
        ->check(CLI::Range(1, 16))
        ->capture_default_str();
    command
        .add_option("--attempts", given.options.download.attempts_max,
                    "attempts of a download that makes no progress")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str();
    command
        .add_option("--checkpoint-bytes", given.checkpoint_bytes,
                    "bytes of a file between two checkpoints: what a crash can cost")
        ->check(CLI::Range(std::uint64_t{4096}, std::uint64_t{1} << 30U))
        ->capture_default_str();
    command
        .add_option("--stall-seconds", given.stall_seconds, "silence after which a mirror is left")
        ->check(CLI::Range(1U, 3600U))
        ->capture_default_str();
}

int run(CLI::App& app, arguments& given) {
    given.options.download.interval.bytes = given.checkpoint_bytes;
    given.options.download.stall_timeout = std::chrono::seconds{given.stall_seconds};
    try {
        if (app.got_subcommand("install")) return install(given);
        if (app.got_subcommand("resume")) return resume(given);
        return status(given);
    } catch (launcher::problem const& problem) {
        std::fprintf(stderr, "launcher: %s\n", problem.what());
        return problem.code().value();
    } catch (std::exception const& error) {
        std::fprintf(stderr, "launcher: %s\n", error.what());
        return static_cast<int>(errc::unexpected);
    }
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{
        "Installs the models that a ComfyUI workflow names: each verified, each download "
        "continued where it was, whatever happens.",
        "launcher"};
    app.footer(launcher::exit_code_table());
    app.require_subcommand(1);
    app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    arguments given;

    CLI::App* const install = app.add_subcommand("install", "install what a workflow names");
    install->add_option("workflow", given.workflow, "workflow as ComfyUI exports it")->required();
    install->add_option("--index", given.index, "index of models: mirrors, sizes, checksums")
        ->required();
    install->add_option("--into", given.into, "folder to install into")->required();
    add_state(*install, given);
    add_tuning(*install, given);

    CLI::App* const resume = app.add_subcommand("resume", "go on with what is unfinished");
    add_state(*resume, given);
    add_tuning(*resume, given);

    CLI::App* const status = app.add_subcommand("status", "show where everything stands");
    add_state(*status, given);
    status->add_flag("--json", given.json, "for programs");

    try {
        app.parse(argc, argv);
    } catch (CLI::ParseError const& error) {
        return app.exit(error) == 0 ? 0 : static_cast<int>(errc::usage);
    }
    return run(app, given);
}
