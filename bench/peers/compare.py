# SPDX-License-Identifier: BSL-1.0
"""Runs recoup and its peers side by side: the same work, in turn, over several rounds.

What cannot be had here (no node, no network, no PostgreSQL) is skipped, and said to be. `bench/run --peers`
builds recoup's side and runs this.
"""
import argparse
import contextlib
import json
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import figures

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM_AT_MOST = 180  # seconds
INSTALL_AT_MOST = 300
START_AT_MOST = 30


class Unavailable(Exception):
    """Why something cannot be compared here."""


class Failed(Exception):
    """A program did not do what it should."""


def environment(more=None):
    return {**os.environ, **(more or {})}


def complaint(stderr, stdout=""):
    """The line of what a program said that tells best what went wrong."""
    lines = [line.strip() for line in (stderr or stdout).splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"\berror\b|Error\b", line)]
    return [*errors[:1], *lines[-1:], "it said nothing"][0][:300]


def run(command, more=None, killed=False, cwd=None):
    """What `command` printed. `killed`: it must end by SIGKILL."""
    process = subprocess.Popen(command, env=environment(more), cwd=cwd, text=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    try:
        stdout, stderr = process.communicate(timeout=PROGRAM_AT_MOST)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise Failed(f"not done after {PROGRAM_AT_MOST} s: {' '.join(command)}") from None
    if process.returncode != (-signal.SIGKILL if killed else 0):
        raise Failed(f"exit status {process.returncode}: {complaint(stderr, stdout)}")
    return stdout


# ---- what the peers need ---------------------------------------------------------------------------

def node_version():
    node = shutil.which("node")
    if node is None:
        raise Unavailable("node is not installed (Debian: nodejs)")
    return run([node, "--version"]).strip()


def check_node(package, found):
    """`package`: what package.json says."""
    wanted = package.get("engines", {}).get("node", "")
    least = re.fullmatch(r">=(\d+)", wanted)
    if least and int(found.lstrip("v").split(".")[0]) < int(least[1]):
        raise Unavailable(f"it needs node {least[1]} or newer, and {found} is installed")


def prepare_node(name, folder, install):
    """Copies a program to `folder` and installs what its lock file names; the source tree stays as it is.

    Returns: the folder of the program.
    """
    source, target = os.path.join(HERE, name), os.path.join(folder, name)
    with open(os.path.join(source, "package.json"), encoding="utf-8") as file:
        check_node(json.load(file), node_version())
    os.makedirs(target, exist_ok=True)
    shutil.copy(os.path.join(HERE, "print.mjs"), folder)
    lock = "package-lock.json"
    installed = os.path.join(target, "node_modules", "recoup-installed-from.json")
    with open(os.path.join(source, lock), encoding="utf-8") as file:
        wanted = file.read()
    for file in os.listdir(source):
        shutil.copy(os.path.join(source, file), target)
    with contextlib.suppress(FileNotFoundError):
        with open(installed, encoding="utf-8") as file:
            if file.read() == wanted:
                return target
    if not install:
        raise Unavailable("its packages are not installed, and are left so (--no-install)")
    if shutil.which("npm") is None:
        raise Unavailable("npm is not installed (Debian: npm)")
    print(f"==> npm: installing what bench/peers/{name}/{lock} names", flush=True)
    try:
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=target,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=INSTALL_AT_MOST)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"npm was not done after {INSTALL_AT_MOST} s (no network?)") from None
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines()
                if line.startswith("npm error") and "log of this run" not in line]
        why = said[0].removeprefix("npm error ") if said else "no network?"
        raise Unavailable(f"npm could not install it: {why[:200]}")
    with open(installed, "w", encoding="utf-8") as file:
        file.write(wanted)
    return target


def python_with_tenacity():
    for python in dict.fromkeys((sys.executable, "/usr/bin/python3")):
        if os.path.exists(python) and subprocess.run(
                [python, "-c", "import tenacity"], capture_output=True).returncode == 0:
            return python
    raise Unavailable("tenacity is not installed (Debian: python3-tenacity)")


@contextlib.contextmanager
def postgres(with_postgres):
    """A server of one's own, as the environment that finds it."""
    names = ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE")
    script = "".join(f'echo "{name}=${name}"\n' for name in names) + (
        'psql -X -A -t -c "SELECT version()" -c "SHOW fsync" -c "SHOW synchronous_commit"\n'
        "echo ready; exec cat >/dev/null")
    process = subprocess.Popen([with_postgres, "sh", "-c", script], text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
    try:
        told = []
        for line in process.stdout:
            if line.startswith("SKIPPED"):
                raise Unavailable(line.strip().partition("did not run: ")[2] or line.strip())
            if line.strip() == "ready":
                break
            told.append(line.strip())
        else:
            raise Unavailable("no PostgreSQL server could be started")
        words = dict(line.split("=", 1) for line in told[:len(names)])
        yield words, told[len(names):]
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait()


def free_ports(count):
    with contextlib.ExitStack() as open_until_all_are_known:
        sockets = [open_until_all_are_known.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextlib.contextmanager
def restate(program, scratch):
    """Restate's server on loopback, as the environment that finds it."""
    machine = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    server = os.path.join(program, "node_modules", "@restatedev", f"restate-server-linux-{machine}",
                          "bin", "restate-server")
    if not os.path.exists(server):
        raise Unavailable(f"Restate has no server for {platform.system()} on {platform.machine()}")
    ingress, admin, internal, service = free_ports(4)
    data = os.path.join(scratch, "restate")
    shutil.rmtree(data, ignore_errors=True)
    os.makedirs(data)
    settings = {
        "RESTATE_LISTEN_MODE": "tcp", "RESTATE_BIND_IP": "127.0.0.1",
        "RESTATE_BIND_ADDRESS": f"127.0.0.1:{internal}",
        "RESTATE_ADVERTISED_ADDRESS": f"http://127.0.0.1:{internal}/",
        "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{ingress}",
        "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{admin}",
        # Neither it nor its page looks for anything outside.
        "RESTATE_DISABLE_TELEMETRY": "true", "RESTATE_ADMIN__DISABLE_WEB_UI": "true",
        "RESTATE_LOG_FILTER": "error", "RESTATE_LOG_DISABLE_ANSI_CODES": "true"}
    log = os.path.join(data, "log")
    with open(log, "w", encoding="utf-8") as out:
        process = subprocess.Popen(
            [server, "--no-logo", "--node-name", "bench", "--base-dir", os.path.join(data, "data")],
            cwd=data, env=environment(settings), stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        until = time.monotonic() + START_AT_MOST
        while True:
            with contextlib.suppress(OSError, urllib.error.URLError):
                urllib.request.urlopen(f"http://127.0.0.1:{admin}/health", timeout=1).close()
                break
            if process.poll() is not None or time.monotonic() > until:
                with open(log, encoding="utf-8") as said:
                    raise Unavailable("its server did not start: " + complaint(said.read()))
            time.sleep(0.05)
        yield {"RESTATE_INGRESS": f"http://127.0.0.1:{ingress}",
               "RESTATE_ADMIN": f"http://127.0.0.1:{admin}", "SERVICE_PORT": str(service),
               "RESTATE_LOGGING": "ERROR"}
    finally:
        process.terminate()
        try:
            process.wait(START_AT_MOST)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(data, ignore_errors=True)


@contextlib.contextmanager
def awake(program):
    """No processor idles: one that does hears of a finished sync milliseconds late, and who uses more
    processes would win."""
    process = subprocess.Popen([program, "awake"], stdin=subprocess.PIPE)
    try:
        yield
    finally:
        process.stdin.close()
        process.wait()


# ---- the comparison --------------------------------------------------------------------------------

class Contest:
    """Runs contenders in turn, and keeps what they print and why one was left out."""

    def __init__(self):
        self.lines = []
        self.skipped = []

    def skip(self, name, why):
        print(f"skipped: {name}: {why}", flush=True)
        self.skipped.append({"name": name, "skipped": str(why)})

    def add(self, name, call, number):
        """Returns: why it could not be done, or None."""
        tries_max = 2
        why = None
        for once_more in range(tries_max):
            try:
                # Another number, so that what a broken round has left behind is not met again.
                self.lines += call(number + 1000 * once_more)
                return None
            except (Failed, figures.NotUnderstood) as failed:
                if name.startswith("recoup"):
                    raise Failed(f"{name}: {failed}") from None
                why = failed
                print(f" ({name}: {why})", end="", flush=True)
        return why

    def hold(self, title, rounds, contenders):
        """`contenders`: a name and a function that gives lines, each; who begins changes by the round.

        One of recoup's own that fails is an error; a peer that fails, and again when it is asked once
        more, is left out from there on.
        """
        print(f"==> {title}", end="", flush=True)
        begin = time.monotonic()
        remaining = list(contenders)
        failures = []
        for number in range(rounds):
            print(".", end="", flush=True)
            turn = number % max(len(remaining), 1)
            for name, call in remaining[turn:] + remaining[:turn]:
                why = self.add(name, call, number)
                if why:
                    failures.append((name, f"{title}: {why}"))
                    remaining = [one for one in remaining if one[0] != name]
        print(f" ({time.monotonic() - begin:.1f} s)", flush=True)
        for name, why in failures:
            self.skip(name, why)


def printed(command, more=None):
    return lambda _: figures.parse(run(command, more))


def resumed(command, place):
    """Kills a program in the middle of an operation, starts the next one and times until it goes on.

    `command(role, round)` and `place(round)`, the environment.
    """
    def once(number):
        more = place(number)
        run(command("dies", number), more, killed=True)
        begin = time.monotonic_ns()
        lines = figures.parse(run(command("resumes", number), more))
        if len(lines) != 1:
            raise Failed(f"it went on {len(lines)} times")
        line = lines[0]
        line["value"] = (line.pop("went_on_ns") - begin) / 1e6
        until_main = (line.pop("entered_ns") - begin) / 1e6
        line["note"] = f"{until_main:.0f} ms until the program began; {line.get('note', '')}"
        return [line]
    return once


def durable_contests(contest, chosen, dbos, restate_program, quick):
    ours = chosen.program
    scratch = os.path.join(chosen.folder, "scratch")
    shutil.rmtree(scratch, ignore_errors=True)
    os.makedirs(scratch)

    def folder(number, what):
        path = os.path.join(scratch, f"{what}-{number}")
        os.makedirs(path)
        return path

    rates = [("recoup, SQLite", lambda number: figures.parse(
        run([ours, "durable", "sqlite", folder(number, "rates"), *quick])))]
    resumes = []
    places = {}

    def sqlite_place(role, number):
        if role == "dies":
            places[number] = folder(number, "resume")
        return [ours, role, "sqlite", places[number]]

    resumes.append(("recoup, SQLite", resumed(sqlite_place, lambda _: None)))
    facts = {}
    with contextlib.ExitStack() as servers:
        try:
            pg, told = servers.enter_context(postgres(chosen.with_postgres))
            if told[:1]:
                facts["postgres"] = told[0].split(" on ")[0]
            if told[1:] not in (["on", "on"], []):
                raise Unavailable(f"fsync and synchronous_commit are {told[1:]}, not on")
            rates.append(("recoup, PostgreSQL",
                          lambda number: figures.parse(run(
                              [ours, "durable", "postgres", f"rates_{number}", *quick], pg))))
            resumes.append(("recoup, PostgreSQL", resumed(
                lambda role, number: [ours, role, "postgres", f"resume_{number}"], lambda _: pg)))
            if dbos:
                on_dbos = ["node", "--no-deprecation", os.path.join(dbos, "durable.mjs")]
                rates.append(("DBOS Transact", printed([*on_dbos, "rates", *quick], pg)))
                resumes.append(("DBOS Transact", resumed(
                    lambda role, number: [*on_dbos, role, f"resume-{number}"], lambda _: pg)))
        except Unavailable as why:
            contest.skip("recoup, PostgreSQL", why)
            if dbos:
                contest.skip("DBOS Transact", f"it needs PostgreSQL: {why}")
        if restate_program:
            try:
                place = servers.enter_context(restate(restate_program, scratch))
                on_restate = ["node", os.path.join(restate_program, "durable.mjs")]
                rates.append(("Restate", printed([*on_restate, "rates", *quick], place)))
                resumes.append(("Restate", resumed(
                    lambda role, number: [*on_restate, role, f"resume-{number}"], lambda _: place)))
            except Unavailable as why:
                contest.skip("Restate", why)
        servers.enter_context(awake(ours))
        contest.hold("durable operations of 10 steps", 2 if quick else 5, rates)
        contest.hold("going on after kill -9", 1 if quick else 7, resumes)
    shutil.rmtree(scratch, ignore_errors=True)
    return facts


def compare(chosen):
    quick = ["--quick"] if chosen.quick else []
    contest = Contest()
    found = {}
    for name, what in (("calls", "cockatiel and opossum"), ("dbos", "DBOS Transact"),
                       ("restate", "Restate")):
        try:
            found[name] = prepare_node(name, chosen.folder, not chosen.no_install)
        except Unavailable as why:
            contest.skip(what, why)
    callers = [("recoup", printed([chosen.program, "calls", *quick]))]
    try:
        callers.append(("tenacity", printed(
            [python_with_tenacity(), "-B", os.path.join(HERE, "tenacity", "calls.py"), *quick])))
    except Unavailable as why:
        contest.skip("tenacity", why)
    if "calls" in found:
        callers.append(("cockatiel and opossum", printed(
            ["node", os.path.join(found["calls"], "calls.mjs"), *quick])))
    contest.hold("calls that succeed at once, or fail once", 2 if quick else 7, callers)
    facts = durable_contests(contest, chosen, found.get("dbos"), found.get("restate"), quick)

    tests = []
    scratch = os.path.join(chosen.folder, "original")

    def original(_):
        shutil.rmtree(scratch, ignore_errors=True)
        tests.extend(figures.parse(run([chosen.program, "original", scratch, *quick]),
                                   needed=("test", "unit", "note")))
        return []
    contest.hold("the original's tests", 1 if quick else 3, [("recoup", original)])
    shutil.rmtree(scratch, ignore_errors=True)
    rows = figures.in_order(figures.rows_of(contest.lines))
    resumed_ms = next((row["median"] for row in rows if row["work"] == "resumed after kill -9" and
                       row["name"] == "recoup, SQLite"), None)
    return rows, contest.skipped, figures.original_of(tests, resumed_ms), facts


def main():
    read = argparse.ArgumentParser(description=__doc__)
    read.add_argument("--program", required=True, help="recoup_bench_peers")
    read.add_argument("--with-postgres", required=True, help="recoup_bench_with_postgres")
    read.add_argument("--folder", required=True, help="where the peers are installed and their data lies")
    read.add_argument("--report", required=True, help="report.json, made where it is missing")
    read.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    read.add_argument("--no-install", action="store_true", help="use what is installed")
    chosen = read.parse_args()
    for name in ("program", "with_postgres", "folder"):
        setattr(chosen, name, os.path.abspath(getattr(chosen, name)))
    os.makedirs(chosen.folder, exist_ok=True)
    load_before = os.getloadavg()[0]
    try:
        rows, skipped, original, facts = compare(chosen)
        figures.add_to_report(chosen.report, rows + skipped, original, {
            "machine": f"{os.cpu_count()} processors, {platform.system()} {platform.release()}",
            "quick": chosen.quick, "load_average_before": load_before,
            "load_average_after": os.getloadavg()[0], **facts})
    except (Failed, figures.NotUnderstood, OSError) as why:
        sys.exit(f"bench/peers: {why}")
    print()
    print(figures.peers_text(rows, skipped))
    print()
    print(figures.original_text(original))
    print(f"\nmachine: {os.cpu_count()} processors, load average {load_before:.2f} before; "
          f"{facts.get('postgres', 'no PostgreSQL')}; added to {chosen.report}")


if __name__ == "__main__":
    main()
