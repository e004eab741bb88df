"""The error of GilMonitor for loads with a known true value, and what watching costs."""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.paired import Benchmark, Spread, alternate, report
from gildemo import GilMonitor, GilRecord, duty_cycle, spin
from gildemo.tasks import fibo
from helpers import gil_enabled

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(not gil_enabled(), reason="GilMonitor needs a GIL"),
]

SECONDS = 2.0
PERIODS = {"10 ms": 1e-2, "1 ms": 1e-3, "100 us": 1e-4, "20 us": 2e-5}
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
ROUNDS = 40


def in_threads(targets: list[Callable[[], object]]) -> float:
    """Return the seconds from the first thread's start to the last one's end."""
    threads = [threading.Thread(target=target) for target in targets]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began


def hold(threads: int, period: float, share: float) -> float:
    """Hold the GIL for a share of the time, in all threads together; return the true share."""
    held: list[float] = []
    each = share / threads
    cycles = round(SECONDS / period)

    def load() -> None:
        held.append(duty_cycle(period * each, period * (1 - each), cycles)[0])

    seconds = in_threads([load] * threads)
    return sum(held) / seconds


class Knocker:
    """gilknocker 0.4, which requests the GIL now and then and measures how long that takes."""

    def __init__(self) -> None:
        try:
            self.module: Any = importlib.import_module("gilknocker")
        except ImportError:
            self.module = None

    def text(self, threads: int, period: float, share: float) -> str:
        if self.module is None:
            return "not installed"
        knocker = self.module.KnockKnock()
        knocker.start()
        truth = hold(threads, period, share)
        seen = float(knocker.contention_metric)
        knocker.stop()
        return f"{seen:.4f} for {truth:.4f}, {seen - truth:+.4f}"


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", PERIODS)
def test_truth(
    benchmark: Benchmark, capsys: pytest.CaptureFixture[str], name: str, threads: int
) -> None:
    """duty_cycle() can read the clock only after a thread has got the GIL, and before the thread
    releases it. Of a period of 20 us, that may leave out a hundredth.
    """
    period = PERIODS[name]
    knocker = Knocker()

    def rows() -> list[str]:
        found = []
        for share in SHARES:
            with GilMonitor() as monitor:
                truth = hold(threads, period, share)
            record = monitor.record
            found.append(
                f"truth {truth:.4f}, gildemo {record.held:.4f}, {record.held - truth:+.4f} "
                f"(error {record.error:.4f}); gilknocker {knocker.text(threads, period, share)}"
            )
        return found

    found: list[str] = benchmark.pedantic(rows, rounds=1)
    title = f"{name}, {threads} thread{'s'[: threads > 1]}"
    report(benchmark, capsys, title, "".join(f"\n    {row}" for row in found))


WORK: dict[str, list[Callable[[], object]]] = {
    "spin(), 1 thread": [lambda: spin(2**28)],
    "spin(), 2 threads": [lambda: spin(2**28)] * 2,
    "pure Python, 1 thread": [lambda: fibo(31)],
    "pure Python, 2 threads": [lambda: fibo(30)] * 2,
}


# The control compares the load with itself: its ratio shows the noise of the machine.
@pytest.mark.parametrize("subject", ["monitor", "control"])
@pytest.mark.parametrize("name", WORK)
def test_slowdown(
    benchmark: Benchmark, capsys: pytest.CaptureFixture[str], name: str, subject: str
) -> None:
    benchmark.group = f"slowdown: {name}"

    def alone() -> float:
        return in_threads(WORK[name])

    def watched() -> float:
        with GilMonitor():
            return in_threads(WORK[name])

    pairs = alternate(benchmark, watched if subject == "monitor" else alone, alone, ROUNDS)
    text = f"{pairs.ratio().text(1, 'times as long', digits=4)}, {ROUNDS} pairs"
    report(benchmark, capsys, f"{name}, {subject}", text)


@pytest.mark.parametrize("kind", ["asleep", "pure Python"])
def test_own_cpu(benchmark: Benchmark, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    """Report the CPU time that watching four threads takes, and how many samples it yields."""

    def work() -> None:
        end = time.monotonic() + SECONDS
        if kind == "asleep":
            time.sleep(SECONDS)
        while time.monotonic() < end:
            pass

    def watched() -> None:
        with GilMonitor() as monitor:
            in_threads([work] * 4)
        records.append(monitor.record)

    records: list[GilRecord] = []
    benchmark.pedantic(watched, rounds=5)
    shares = Spread.of([record.cpu / record.duration for record in records])
    samples = Spread.of([record.samples / record.duration for record in records])
    text = f"{shares.text(100, '% of a CPU')}, {samples.text(1, 'samples a second', digits=0)}"
    report(benchmark, capsys, f"4 threads, {kind}", text)
