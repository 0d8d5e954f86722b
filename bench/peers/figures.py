# SPDX-License-Identifier: BSL-1.0
"""What the programs print, made into figures: medians over the rounds, tables, and report.json."""
import datetime
import json
import os
import re
import statistics

NOT_MEASURED = "the original did not measure it"

# Of the original's own report, 2025-09-14; its later run (2025-09-15) is told in the notes. In the order in
# which they are shown.
REPORTED_BY_THE_ORIGINAL = {
    "decorator overhead": (1.56, "4.80 % in its later run"),
    "persistence overhead, memory store": (708.39, "705.80 % in its later run"),
    "persistence overhead, SQLite FULL, failures recorded (the default)": (None, NOT_MEASURED),
    "persistence overhead, SQLite FULL, each start and end synced to the disk": (None, NOT_MEASURED),
    "average overhead": (354.98, "355.30 % in its later run"),
    "recovery success": (70.0, "70 % in its later run"),
    "recovery time, of an attempt": (14.411, "14.5 ms in its later run"),
    "recovery time, of a killed process": (None, NOT_MEASURED),
    "memory": (0.003, "of Python's own allocations"),
    "load, 20 users": (1591.6, "1587.2 in its later run"),
}
REPORTED = "reported by the original on 2025-09-14"


class NotUnderstood(Exception):
    """A program has printed something that is no line of figures."""


def parse(text, needed=("work", "name", "version", "unit")):
    """The lines of JSON in `text`; others are a mistake, for they may be figures that were cut off."""
    lines = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except ValueError:
            raise NotUnderstood(f"line {number} is not JSON: {line[:200]!r}") from None
        missing = [name for name in needed if not isinstance(found, dict) or name not in found]
        if missing:
            raise NotUnderstood(f"line {number} lacks {', '.join(missing)}: {line[:200]!r}")
        lines.append(found)
    return lines


def number_text(value):
    """Three or four digits, as people read them."""
    if value is None:
        return "–"
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    if size == 0 or size >= 100:
        return f"{value:.0f}"
    if size >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if size >= 0.1 else f"{value:.2g}"


def rows_of(lines):
    """One row for each work and name of `lines`, which are those of all rounds."""
    rounds = {}
    for line in lines:
        rounds.setdefault((line["work"], line["name"]), []).append(line)
    rows = []
    for (work, name), seen in rounds.items():
        values = [line["value"] for line in seen]
        notes = [seen[0]["note"]] if seen[0].get("note") else []
        wholes = [line["whole"] for line in seen if "whole" in line]
        if wholes:
            notes.insert(0, f"the whole call {number_text(statistics.median(wholes))} ns")
        rows.append({"work": work, "name": name, "version": seen[0]["version"],
                     "unit": seen[0]["unit"], "median": statistics.median(values),
                     "low": min(values), "high": max(values), "rounds": len(values),
                     "note": "; ".join(notes)})
    return rows


def in_order(rows):
    """Rows of the same work together, in the order in which each work was met first."""
    works = list(dict.fromkeys(row["work"] for row in rows))
    return sorted(rows, key=lambda row: works.index(row["work"]))


def original_of(lines, resumed_ms):
    """The original's tests. `resumed_ms`: from a killed process's restart until it went on, or None."""
    tests = {}
    for line in lines:
        tests.setdefault(line["test"], []).append(line)

    def middle(seen, name):
        values = [line[name] for line in seen if line[name] is not None]
        return statistics.median(values) if values else None

    made = []
    for test, seen in tests.items():
        made.append({"test": test, "as_it_was_taken": middle(seen, "as_it_was_taken"),
                     "as_it_should_be": middle(seen, "as_it_should_be"),
                     "unit": seen[0]["unit"], "note": seen[0]["note"]})
    by_name = {one["test"]: one for one in made}
    both = [by_name.get("decorator overhead"), by_name.get("persistence overhead, memory store")]
    if all(both):
        made.append({"test": "average overhead",
                     **{how: statistics.mean(one[how] for one in both)
                        for how in ("as_it_was_taken", "as_it_should_be")},
                     "unit": "%", "note": "the mean of the two tests, as it took it"})
    if resumed_ms is not None:
        made.append({"test": "recovery time, of a killed process", "as_it_was_taken": None,
                     "as_it_should_be": resumed_ms, "unit": "ms",
                     "note": "from the start of the next process until the operation goes on; "
                             "recoup on SQLite"})
    for one in made:
        value, more = REPORTED_BY_THE_ORIGINAL.get(one["test"], (None, NOT_MEASURED))
        one["reported_by_the_original"] = value
        if value is not None:
            more = f"{REPORTED}, {more}"
        one["note"] += f"; {more}"
        ordered = ("test", "as_it_was_taken", "as_it_should_be", "reported_by_the_original", "unit",
                   "note")
        for name in ordered:
            one[name] = one.pop(name)
    order = list(REPORTED_BY_THE_ORIGINAL)
    return sorted(made, key=lambda one: order.index(one["test"]) if one["test"] in order else len(order))


def table(head, lines):
    """Columns as wide as they need to be; numbers to the right."""
    width = [max(len(line[i]) for line in [head, *lines]) for i in range(len(head))]

    def shown(line):
        cells = [cell.ljust(width[i]) if i == 0 or line is head or not right[i] else
                 cell.rjust(width[i]) for i, cell in enumerate(line)]
        return "  " + "  ".join(cells).rstrip()

    right = [all(re.fullmatch(r"–|-?[\d.,e-]+", line[i]) for line in lines) for i in range(len(head))]
    return "\n".join([shown(head), *map(shown, lines)])


def peers_text(rows, skipped):
    text = []
    for work in dict.fromkeys(row["work"] for row in rows):
        ours = [row for row in rows if row["work"] == work]
        text.append(f"{work}, {ours[0]['unit']}")
        text.append(table(("name", "version", "median", "low", "high", "rounds", "note"), [
            (row["name"], row["version"], number_text(row["median"]), number_text(row["low"]),
             number_text(row["high"]), str(row["rounds"]), row["note"]) for row in ours]))
        text.append("")
    text += [f"skipped: {one['name']}: {one['skipped']}" for one in skipped]
    return "\n".join(text).rstrip("\n")


def original_text(tests):
    lines = [(one["test"], number_text(one["reported_by_the_original"]),
              number_text(one["as_it_was_taken"]), number_text(one["as_it_should_be"]),
              one["unit"]) for one in tests]
    notes = [f"  {one['test']}: {one['note']}" for one in tests]
    return "\n".join([
        "the original's tests, one by one, with recoup in the place of its decorator",
        table(("test", "the original", "as it was taken", "as it should be", "unit"), lines),
        "", *notes])


def add_to_report(path, peers, original, environment):
    """Puts them into the report at `path`; what it holds already stays."""
    try:
        with open(path, encoding="utf-8") as file:
            report = json.load(file)
    except FileNotFoundError:
        now = datetime.datetime.now(datetime.timezone.utc)
        report = {"report_timestamp": now.isoformat(timespec="seconds")}
    if not isinstance(report, dict):
        raise NotUnderstood(f"{path} is not a report")
    report["peers"] = peers
    report["original"] = original
    report["peers_environment"] = environment
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(report, file, indent=2, ensure_ascii=False)
        file.write("\n")
    os.replace(path + ".new", path)
