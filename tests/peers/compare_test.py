# SPDX-License-Identifier: BSL-1.0
import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import compare

LINE = {"work": "w", "name": "n", "version": "1", "unit": "ns", "value": 1}
SCRIPT = os.path.abspath(compare.__file__)


class WithFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        quiet = contextlib.redirect_stdout(io.StringIO())
        self.said = quiet.__enter__()
        self.addCleanup(quiet.__exit__, None, None, None)

    def program(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n" + text)
        os.chmod(path, 0o755)
        return path

    def path_of(self, *programs):
        """A folder with these programs alone, as PATH."""
        path = os.path.join(self.folder, "path")
        os.makedirs(path)
        for one in programs:
            os.symlink(shutil.which(one), os.path.join(path, one))
        return mock.patch.dict(os.environ, {"PATH": path})


class WhatIsSkipped(WithFolder):
    def prepare(self, install=True):
        return compare.prepare_node("calls", os.path.join(self.folder, "peers"), install)

    def test_no_node_is_said(self):
        with self.path_of(), self.assertRaisesRegex(compare.Unavailable, "^node is not installed"):
            self.prepare()

    def test_a_node_that_is_too_old_is_told_with_both_versions(self):
        compare.check_node({"engines": {"node": ">=20"}}, "v20.1.0")
        compare.check_node({}, "v4.0.0")
        with self.assertRaisesRegex(compare.Unavailable, "needs node 20 or newer, and v18.19.0"):
            compare.check_node({"engines": {"node": ">=20"}}, "v18.19.0")

    @unittest.skipUnless(shutil.which("node"), "node is not installed")
    def test_nothing_is_installed_where_it_must_not_be(self):
        with self.assertRaisesRegex(compare.Unavailable, "left so"):
            self.prepare(install=False)
        self.assertFalse(os.path.exists(os.path.join(self.folder, "peers", "calls", "node_modules")))

    @unittest.skipUnless(shutil.which("node"), "node is not installed")
    def test_no_npm_is_said(self):
        with self.path_of("node"), self.assertRaisesRegex(compare.Unavailable, "^npm is not inst"):
            self.prepare()

    @unittest.skipUnless(shutil.which("npm"), "npm is not installed")
    def test_no_network_is_said(self):
        nowhere = {"npm_config_registry": "http://127.0.0.1:1/", "npm_config_fetch_retries": "0",
                   "npm_config_cache": os.path.join(self.folder, "cache")}
        with mock.patch.dict(os.environ, nowhere), \
                self.assertRaisesRegex(compare.Unavailable, "npm could not install it: .*CONN"):
            self.prepare()

    def test_no_postgres_is_said_as_its_starter_says_it(self):
        starter = self.program("starter", 'echo "SKIPPED: sh did not run: no server is installed"')
        with self.assertRaisesRegex(compare.Unavailable, "^no server is installed$"):
            with compare.postgres(starter):
                self.fail("there is no server")

    def test_a_starter_that_breaks_is_no_server(self):
        with self.assertRaisesRegex(compare.Unavailable, "no PostgreSQL server"):
            with compare.postgres(self.program("starter", "exit 1")):
                self.fail("there is no server")

    def test_a_whole_run_without_peers_ends_well_and_tells_what_it_left_out(self):
        # Stands for recoup's side, which is measured elsewhere: here it is who runs it that is tested.
        ours = self.program("ours", f"""
            case $1 in
                calls) echo '{json.dumps({**LINE, "work": "call"})}' ;;
                durable) echo '{json.dumps({**LINE, "work": "steps"})}' ;;
                dies) kill -9 $$ ;;
                resumes) echo '{json.dumps({**LINE, "work": "resumed", "entered_ns": 1,
                                            "went_on_ns": 2})}' ;;
                original) echo '{json.dumps({"test": "memory", "as_it_was_taken": 1,
                                             "as_it_should_be": 2, "unit": "MB", "note": "n"})}' ;;
                awake) while read -r line; do :; done ;;
            esac""")
        starter = self.program("starter", 'echo "SKIPPED: sh did not run: no server is installed"')
        report = os.path.join(self.folder, "report.json")
        with self.path_of():
            done = subprocess.run(
                [sys.executable, "-B", SCRIPT, "--program", ours, "--with-postgres", starter,
                 "--folder", os.path.join(self.folder, "peers"), "--report", report, "--quick"],
                capture_output=True, text=True, timeout=100)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for name in ("cockatiel and opossum", "DBOS Transact", "Restate"):
            self.assertIn(f"skipped: {name}: node is not installed", done.stdout)
        self.assertIn("skipped: recoup, PostgreSQL: no server is installed", done.stdout)
        with open(report, encoding="utf-8") as file:
            written = json.load(file)
        self.assertEqual({one["name"] for one in written["peers"] if "skipped" in one} -
                         {"tenacity"}, {"cockatiel and opossum", "DBOS Transact", "Restate",
                                        "recoup, PostgreSQL"})
        self.assertEqual([one["work"] for one in written["peers"] if one.get("name") == "n"],
                         ["call", "steps", "resumed"])
        self.assertEqual(written["original"][0]["reported_by_the_original"], 0.003)


class Contests(WithFolder):
    def setUp(self):
        super().setUp()
        self.contest = compare.Contest()
        self.turns = []

    def contender(self, name, breaks=lambda number: False):
        def call(number):
            self.turns.append((name, number))
            if breaks(number):
                raise compare.Failed("broken")
            return [{**LINE, "name": name}]
        return name, call

    def test_who_begins_changes_by_the_round(self):
        self.contest.hold("t", 3, [self.contender("a"), self.contender("b")])
        self.assertEqual([name for name, _ in self.turns], ["a", "b", "b", "a", "a", "b"])

    def test_a_peer_that_failed_once_is_asked_once_more(self):
        self.contest.hold("t", 2, [self.contender("a", lambda number: number == 1)])
        self.assertEqual(self.turns, [("a", 0), ("a", 1), ("a", 1001)])
        self.assertEqual((len(self.contest.lines), self.contest.skipped), (2, []))

    def test_a_peer_that_fails_is_left_out_and_the_others_go_on(self):
        self.contest.hold("t", 2, [self.contender("a", lambda _: True), self.contender("b")])
        self.assertEqual(self.contest.skipped, [{"name": "a", "skipped": "t: broken"}])
        self.assertEqual([line["name"] for line in self.contest.lines], ["b", "b"])
        self.assertIn("skipped: a: t: broken", self.said.getvalue())

    def test_recoups_own_failure_is_an_error(self):
        with self.assertRaisesRegex(compare.Failed, "recoup, SQLite: broken"):
            self.contest.hold("t", 1, [self.contender("recoup, SQLite", lambda _: True)])


class Programs(WithFolder):
    def test_one_that_fails_is_told_with_its_error(self):
        broken = self.program("broken", "echo 'at line 7' >&2\necho 'Error: no way' >&2\n"
                                        "echo 'Node.js v20' >&2\nexit 3")
        with self.assertRaisesRegex(compare.Failed, "^exit status 3: Error: no way$"):
            compare.run([broken])

    def test_one_that_should_have_been_killed_and_was_not_is_a_failure(self):
        with self.assertRaisesRegex(compare.Failed, "exit status 0"):
            compare.run([self.program("ends", "exit 0")], killed=True)

    def test_going_on_is_timed_from_the_start_of_the_next_process(self):
        both = self.program("both", f"""
            [ $1 = resumes ] || kill -9 $$
            {sys.executable} -c 'import json, time; print(json.dumps({{**{json.dumps(LINE)}, "entered_ns":
                time.monotonic_ns(), "went_on_ns": time.monotonic_ns() + 5000000000}}))'""")
        call = compare.resumed(lambda role, _: [both, role], lambda _: None)
        found, = call(0)
        self.assertGreater(found["value"], 5000)
        self.assertLess(found["value"], 15000)
        self.assertNotIn("went_on_ns", found)

    def test_going_on_twice_is_a_failure(self):
        both = self.program("both", f"[ $1 = resumes ] || kill -9 $$\n"
                                    f"echo '{json.dumps(LINE)}'\necho '{json.dumps(LINE)}'")
        with self.assertRaisesRegex(compare.Failed, "went on 2 times"):
            compare.resumed(lambda role, _: [both, role], lambda _: None)(0)


if __name__ == "__main__":
    unittest.main()
