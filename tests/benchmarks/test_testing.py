"""How often assert_releases_gil() and methods that people write by hand are wrong.

Prints the share of wrong answers for calls that are known to hold or to release the GIL. Asserts
nothing.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import timeit
from collections.abc import Callable
from typing import NamedTuple

import pytest

from benchmarks.burners import burners
from benchmarks.paired import Benchmark
from gildemo import duty_cycle
from gildemo.testing import assert_releases_gil
from helpers import gil_enabled

pytestmark = [
    pytest.mark.timeout(2400),
    pytest.mark.skipif(not gil_enabled(), reason="there is no GIL to release"),
]

TRIALS = int(os.environ.get("GILDEMO_TRIALS", "100"))
Call = Callable[[], object]


class Case(NamedTuple):
    call: Call
    releases: bool


def python_loop(steps: int) -> int:
    total = 0
    for i in range(steps):
        total += i & 3
    return total


# Steps that take 20 ms now, and stay the same work for every method if the machine gets busier.
STEPS = int(0.02 * 100_000 / min(timeit.repeat(lambda: python_loop(100_000), number=1, repeat=9)))

CASES = {
    "hold 20 ms": Case(lambda: duty_cycle(0.02), False),
    "hold 200 ms": Case(lambda: duty_cycle(0.2), False),
    "pure Python, 20 ms": Case(lambda: python_loop(STEPS), False),
    "release 2 ms": Case(lambda: duty_cycle(0.0, 0.002), True),
    "release 20 ms": Case(lambda: duty_cycle(0.0, 0.02), True),
    "release 200 ms": Case(lambda: duty_cycle(0.0, 0.2), True),
    # More than the 10 % that count as releasing.
    "hold 10 ms, release 10 ms": Case(lambda: duty_cycle(0.01, 0.01), False),
    "200 x (50 us, 50 us)": Case(lambda: duty_cycle(50e-6, 50e-6, 200), False),
}

# Each method returns whether the call releases the GIL, or None if it can't tell.


def gildemo(call: Call) -> bool | None:
    try:
        assert_releases_gil(call)
    except AssertionError as error:
        return None if "too close" in str(error) else False
    return True


def counter(call: Call) -> bool:
    """Another thread counts: if it makes progress during the call, the GIL was free."""
    count = 0
    stop = False

    def work() -> None:
        nonlocal count
        while not stop:
            count += 1

    thread = threading.Thread(target=work)
    thread.start()
    try:
        before = count
        call()
        return count > before
    finally:
        stop = True
        thread.join()


def barrier(call: Call) -> bool:
    """Two threads start together: if the other one ran during the call, the GIL was free."""
    start = threading.Barrier(2, timeout=5.0)
    ran = threading.Event()

    def work() -> None:
        start.wait()
        ran.set()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        start.wait()
        call()
        return ran.is_set()
    finally:
        thread.join()


def event(call: Call) -> bool:
    """With a very long switch interval, another thread runs only if the call releases the GIL."""
    go = threading.Event()
    ran = False

    def work() -> None:
        nonlocal ran
        go.wait()
        ran = True

    thread = threading.Thread(target=work)
    thread.start()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000.0)
    try:
        go.set()
        call()
        return ran
    finally:
        sys.setswitchinterval(interval)
        go.set()
        thread.join()


def speedup(call: Call) -> bool:
    """Two calls in two threads take less time than one after another."""
    began = time.perf_counter()
    call()
    call()
    middle = time.perf_counter()
    threads = [threading.Thread(target=call) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return (middle - began) / (time.perf_counter() - middle) > 1.5


METHODS: dict[str, Callable[[Call], bool | None]] = {
    "gildemo": gildemo,
    "counter": counter,
    "barrier": barrier,
    "event": event,
    "speedup": speedup,
}


def row(case: Case) -> str:
    """The methods take turns, so that other load of the machine affects all of them alike."""
    answers: dict[str, list[bool | None]] = {name: [] for name in METHODS}
    for _ in range(TRIALS):
        for name, method in METHODS.items():
            answers[name].append(method(case.call))
    cells = [sum(a is not case.releases for a in given) / TRIALS for given in answers.values()]
    # These are counted among the wrong answers.
    undecided = answers["gildemo"].count(None)
    return "".join(f"{cell:>10.0%}" for cell in cells) + f"{undecided:>12}"


@pytest.mark.parametrize("number", [0, 3], ids=["alone", "3 burners"])
def test_wrong_answers(
    benchmark: Benchmark, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    def table() -> None:
        with capsys.disabled(), burners(number):
            title = f"{number} burners" if number else "alone"
            print(f"\n\nwrong answers, {title}, {TRIALS} trials per cell")
            print(f"{'':36}" + "".join(f"{name:>10}" for name in METHODS) + f"{'undecided':>12}")
            for name, case in CASES.items():
                truth = "releases" if case.releases else "holds"
                print(f"{name:26}{truth:10}{row(case)}", flush=True)

    benchmark.pedantic(table, rounds=1)
