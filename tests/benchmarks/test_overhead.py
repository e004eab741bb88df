"""The cost of calling and importing gildemo, without any work."""

from __future__ import annotations

import os
import signal
import sys
import time
import timeit
from collections.abc import Iterator
from zlib import adler32

import pytest

import gildemo
from benchmarks.paired import Benchmark, Pairs, Spread, alternate, report

CALLS = 100_000
ROUNDS = 50
IMPORTS = 100

# A C function that does nothing: os.fspath() has one parameter and returns a str as it is, so
# what it takes is the cost of a call.
EMPTY = "fspath('')"


def in_ns(pairs: Pairs) -> str:
    scale = 1e9 / CALLS
    subject, reference = Spread.of(pairs.subject), Spread.of(pairs.reference)
    return (
        f"{pairs.difference().text(scale, 'ns more')}, "
        f"{subject.median * scale:.1f} and {reference.median * scale:.1f} ns per call"
    )


def compare_statements(
    benchmark: Benchmark, subject: str, reference: str, names: dict[str, object]
) -> str:
    """Time both in loops of their own, as calling them from here costs more than they do."""
    timers = [timeit.Timer(statement, globals=names) for statement in (subject, reference)]
    subject_timer, reference_timer = timers
    pairs = alternate(
        benchmark,
        lambda: subject_timer.timeit(CALLS),
        lambda: reference_timer.timeit(CALLS),
        ROUNDS,
    )
    return in_ns(pairs)


@pytest.mark.parametrize(
    ("subject", "reference"),
    [
        pytest.param("spin(0, release_gil=False)", EMPTY, id="held"),
        pytest.param("spin(0)", EMPTY, id="released"),
        # With the same arguments, so that only detaching and attaching differ …
        pytest.param("spin(0, release_gil=True)", "spin(0, release_gil=False)", id="detaching"),
        # … and the same in CPython: zlib releases the GIL for more than 5 KiB.
        pytest.param("adler32(long)", "adler32(short)", id="detaching-in-zlib"),
    ],
)
def test_spin_nothing(
    benchmark: Benchmark, capsys: pytest.CaptureFixture[str], subject: str, reference: str
) -> None:
    benchmark.group = f"{CALLS:,} calls: spin(0)"
    assert gildemo.spin(0, release_gil=False) == gildemo.spin(0)
    names: dict[str, object] = {
        "spin": gildemo.spin,
        "fspath": os.fspath,
        "adler32": adler32,
        "short": bytes(5 * 1024),
        "long": bytes(5 * 1024 + 1),
    }
    text = compare_statements(benchmark, subject, reference, names)
    report(benchmark, capsys, f"{subject} against {reference}", text)


@pytest.fixture
def living_child() -> Iterator[int]:
    """The pid of a child that outlives the benchmark, and not the test."""
    pid = os.posix_spawnp("sleep", ["sleep", "600"], os.environ)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@pytest.mark.parametrize("keyword", ["", ", release_gil=False"], ids=["released", "held"])
def test_waitpid(
    benchmark: Benchmark, capsys: pytest.CaptureFixture[str], living_child: int, keyword: str
) -> None:
    benchmark.group = f"{CALLS:,} calls: waitpid() of a living child"
    assert gildemo.waitpid(living_child, os.WNOHANG) == (0, 0)
    assert os.waitpid(living_child, os.WNOHANG) == (0, 0)
    names: dict[str, object] = {
        "gildemo_waitpid": gildemo.waitpid,
        "os_waitpid": os.waitpid,
        "pid": living_child,
        "WNOHANG": os.WNOHANG,
    }
    subject = f"gildemo_waitpid(pid, WNOHANG{keyword})"
    text = compare_statements(benchmark, subject, "os_waitpid(pid, WNOHANG)", names)
    report(benchmark, capsys, f"{subject} against os.waitpid(pid, WNOHANG)", text)


def seconds_of_python(statement: str) -> float:
    """Return how long an interpreter takes to start, run a statement and exit."""
    began = time.perf_counter()
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", statement], os.environ)
    _, status = os.waitpid(pid, 0)
    seconds = time.perf_counter() - began
    assert status == 0
    return seconds


# The second compares two equal statements, to show the noise of the machine.
@pytest.mark.parametrize("subject", ["import gildemo", "pass"])
def test_import(benchmark: Benchmark, capsys: pytest.CaptureFixture[str], subject: str) -> None:
    benchmark.group = "a Python process"
    pairs = alternate(
        benchmark, lambda: seconds_of_python(subject), lambda: seconds_of_python("pass"), IMPORTS
    )
    text = (
        f"{pairs.difference().text(1e3, 'ms more', digits=2)}, "
        f"{Spread.of(pairs.subject).median * 1e3:.2f} and "
        f"{Spread.of(pairs.reference).median * 1e3:.2f} ms per process"
    )
    report(benchmark, capsys, f"python -c {subject!r} against 'pass'", text)
