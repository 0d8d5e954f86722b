# SPDX-License-Identifier: BSL-1.0
import json
import os
import tempfile
import unittest

import figures


def line(work, name, value, **more):
    return {"work": work, "name": name, "version": "1", "unit": "ns", "value": value, **more}


class Parsing(unittest.TestCase):
    def test_lines_are_read_and_empty_ones_passed_over(self):
        first, second = line("a", "x", 1.5), line("a", "y", 2, note="n")
        text = f"{json.dumps(first)}\n\n{json.dumps(second)}\n"
        self.assertEqual(figures.parse(text), [first, second])

    def test_a_line_that_was_cut_off_is_an_error_that_quotes_it(self):
        with self.assertRaisesRegex(figures.NotUnderstood, "line 2 is not JSON.*wor"):
            figures.parse(json.dumps(line("a", "x", 1)) + '\n{"wor')

    def test_a_line_without_what_is_needed_is_an_error_that_names_it(self):
        with self.assertRaisesRegex(figures.NotUnderstood, "lacks name, version"):
            figures.parse('{"work": "a", "unit": "ns"}')

    def test_a_number_is_no_line(self):
        with self.assertRaisesRegex(figures.NotUnderstood, "lacks work"):
            figures.parse("17")


class Aggregation(unittest.TestCase):
    def test_each_work_and_name_is_a_row_of_median_least_and_greatest_over_the_rounds(self):
        rows = figures.rows_of([line("a", "x", 3), line("a", "y", 7), line("a", "x", 1),
                                line("a", "x", 8)])
        self.assertEqual(rows, [
            {"work": "a", "name": "x", "version": "1", "unit": "ns", "median": 3, "low": 1, "high": 8,
             "rounds": 3, "note": ""},
            {"work": "a", "name": "y", "version": "1", "unit": "ns", "median": 7, "low": 7, "high": 7,
             "rounds": 1, "note": ""}])

    def test_the_note_tells_the_median_of_the_whole_call(self):
        rows = figures.rows_of([line("a", "x", 1, whole=w, note="slow") for w in (10, 30, 20)])
        self.assertEqual(rows[0]["note"], "the whole call 20.0 ns; slow")

    def test_rows_of_one_work_stand_together(self):
        rows = figures.rows_of([line("a", "x", 1), line("b", "x", 1), line("a", "y", 1)])
        self.assertEqual([(row["work"], row["name"]) for row in figures.in_order(rows)],
                         [("a", "x"), ("a", "y"), ("b", "x")])


def test_line(test, taken, should):
    return {"test": test, "as_it_was_taken": taken, "as_it_should_be": should, "unit": "%",
            "note": "why"}


class TheOriginal(unittest.TestCase):
    def test_medians_stand_beside_what_it_reported_and_when(self):
        lines = [test_line("recovery success", taken, 99) for taken in (70, 60, 80)]
        self.assertEqual(figures.original_of(lines, None), [
            {"test": "recovery success", "as_it_was_taken": 70, "as_it_should_be": 99,
             "reported_by_the_original": 70.0, "unit": "%",
             "note": "why; reported by the original on 2025-09-14, 70 % in its later run"}])

    def test_its_average_is_the_mean_of_the_two_overheads_each_way(self):
        made = figures.original_of([test_line("decorator overhead", 2, 0.5),
                                    test_line("persistence overhead, memory store", 800, 1.5)], None)
        average = made[-1]
        self.assertEqual((average["test"], average["as_it_was_taken"], average["as_it_should_be"],
                          average["reported_by_the_original"]), ("average overhead", 401, 1.0, 354.98))

    def test_what_it_did_not_measure_stays_empty(self):
        test = "persistence overhead, SQLite FULL, failures recorded (the default)"
        made = figures.original_of([test_line(test, None, 5)], 12.5)
        self.assertIsNone(made[0]["as_it_was_taken"])
        self.assertIsNone(made[0]["reported_by_the_original"])
        self.assertTrue(made[0]["note"].endswith("the original did not measure it"))
        self.assertEqual((made[1]["test"], made[1]["as_it_should_be"]),
                         ("recovery time, of a killed process", 12.5))

    def test_they_stand_in_the_order_of_its_report(self):
        lines = [test_line(test, 1, 1) for test in ("memory", "load, 20 users", "another",
                                                    "recovery success", "decorator overhead")]
        self.assertEqual([one["test"] for one in figures.original_of(lines, None)],
                         ["decorator overhead", "recovery success", "memory", "load, 20 users",
                          "another"])


class Tables(unittest.TestCase):
    def test_columns_are_aligned_and_numbers_to_the_right(self):
        self.assertEqual(figures.table(("name", "ns"), [("a", "1"), ("longer", "10")]),
                         "  name    ns\n  a        1\n  longer  10")
        self.assertEqual(figures.table(("name", "note"), [("a", "5 ms"), ("b", "11 ms later")]),
                         "  name  note\n  a     5 ms\n  b     11 ms later")

    def test_numbers_have_as_many_digits_as_are_worth_reading(self):
        shown = [figures.number_text(value) for value in
                 (None, 0, 0.00093, 0.5, 12.34, 123.4, 8412.2, -7122.4)]
        self.assertEqual(shown, ["–", "0", "0.00093", "0.50", "12.3", "123", "8,412", "-7,122"])

    def test_what_was_skipped_is_told_with_its_reason(self):
        self.assertIn("skipped: Restate: no node",
                      figures.peers_text([], [{"name": "Restate", "skipped": "no node"}]))


class Reports(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "report.json")

    def read(self):
        with open(self.path, encoding="utf-8") as file:
            return json.load(file)

    def test_what_the_report_holds_already_stays(self):
        with open(self.path, "w", encoding="utf-8") as file:
            json.dump({"requirements": {"a": 1}, "peers": ["old"]}, file)
        figures.add_to_report(self.path, ["new"], ["one"], {"quick": True})
        self.assertEqual(self.read(), {"requirements": {"a": 1}, "peers": ["new"],
                                       "original": ["one"], "peers_environment": {"quick": True}})

    def test_a_missing_report_is_made(self):
        figures.add_to_report(self.path, [], [], {})
        self.assertEqual(self.read()["peers"], [])
        self.assertIn("report_timestamp", self.read())

    def test_a_file_that_is_no_report_is_left_as_it_is(self):
        with open(self.path, "w", encoding="utf-8") as file:
            file.write("[1]")
        with self.assertRaises(figures.NotUnderstood):
            figures.add_to_report(self.path, [], [], {})
        self.assertEqual(self.read(), [1])


if __name__ == "__main__":
    unittest.main()
