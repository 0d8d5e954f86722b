# SPDX-License-Identifier: BSL-1.0
"""What a call costs with tenacity, beside the bare call and the loop by hand."""
import json
import platform
import sys
import time
from importlib import metadata

from tenacity import retry, stop_after_attempt

QUICK = "--quick" in sys.argv
ROUNDS = 10 if QUICK else 40


def timed(batch, call):
    begin = time.perf_counter_ns()
    for i in range(batch):
        call(i)
    return (time.perf_counter_ns() - begin) / batch


def compare(batch, bare, call):
    """Both in turn, many times. The least of each counts: what else the machine does only adds."""
    alone = whole = float("inf")
    for _ in range(ROUNDS):
        alone = min(alone, timed(batch, bare))
        whole = min(whole, timed(batch, call))
    return alone, whole, whole - alone


def ask(question):
    return question + 1


class FailsOnce:
    def __init__(self):
        self.failed = False

    def __call__(self, question):
        self.failed = not self.failed
        if self.failed:
            raise ConnectionError("connection reset")
        return question


def by_hand(call):
    def loop(question):
        for attempt in range(3):
            try:
                return call(question)
            except Exception:
                if attempt == 2:
                    raise
    return loop


def tell(work, name, version, unit, value, **more):
    print(json.dumps({"work": work, "name": name, "version": version, "unit": unit, "value": value,
                      **more}), flush=True)


def main():
    installed = metadata.version("tenacity")
    three = retry(stop=stop_after_attempt(3))  # it waits for nothing by itself
    bare, whole, above = compare(1_000, ask, three(ask))
    tell("bare call", "Python", platform.python_version(), "ns", bare)
    tell("success at once, retry", "tenacity", installed, "ns above the bare call", above, whole=whole)
    failing = FailsOnce()
    _, whole, above = compare(300, by_hand(FailsOnce()), three(lambda q: failing(q)))
    tell("one failure, then success, no wait", "tenacity, exceptions", installed,
         "ns above the loop by hand", above, whole=whole)


main()
