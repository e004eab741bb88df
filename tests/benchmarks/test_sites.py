"""What reading stacks finds, beside other profilers of the GIL, and what it costs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import textwrap
import time
from collections import defaultdict
from pathlib import Path

import pytest

from benchmarks.paired import Benchmark, Spread, alternate, report
from gildemo import GilMonitor
from helpers import gil_enabled

pytestmark = pytest.mark.skipif(not gil_enabled(), reason="GilMonitor needs a GIL")

ROUNDS = 40
SECONDS = 2.0

# Three functions that hold the GIL for known times, and release it after that.
PROGRAM = """
    import gildemo, sys, threading, time

    def long_holds():
        return gildemo.duty_cycle(8e-3, 2e-3)[0]

    def medium_holds():
        return gildemo.duty_cycle(5e-4, 2e-3)[0]

    def short_holds():
        return gildemo.duty_cycle(1e-4, 5e-4)[0]

    sums = {}
    def run(function):
        held, end = 0.0, time.monotonic() + float(sys.argv[1])
        while time.monotonic() < end:
            held += function()
        sums[function.__name__] = held

    threads = [
        threading.Thread(target=run, args=(f,)) for f in (long_holds, medium_holds, short_holds)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("truth", *(f"{name}={held / sum(sums.values()):.4f}" for name, held in sums.items()))
"""

Shares = dict[str, float]


def shares(weights: dict[str, float]) -> Shares:
    found = {name: held for name, held in weights.items() if name.endswith("_holds")}
    total = sum(found.values()) or 1.0
    return {name: held / total for name, held in sorted(found.items())}


def folded(text: str) -> Shares:
    """The shares in collapsed stacks, by the first of the three functions from the inside."""
    weights: defaultdict[str, float] = defaultdict(float)
    for line in text.splitlines():
        stack, weight = line.rsplit(" ", 1)
        names = re.findall(r"\w+_holds", stack)
        weights[names[-1] if names else "?"] += float(weight)
    return shares(weights)


def truth(output: str) -> Shares:
    (line,) = re.findall(r"^truth (.*)$", output, re.MULTILINE)
    return shares({name: float(held) for name, held in (p.split("=") for p in line.split())})


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


def compared(name: str, seen: Shares, true: Shares) -> str:
    worst = max(abs(seen.get(function, 0.0) - true[function]) for function in true)
    text = ", ".join(f"{function} {seen.get(function, 0.0):.3f}" for function in true)
    return f"{name}: {text}; at most {worst:.3f} off"


def test_shares(benchmark: Benchmark, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(PROGRAM), encoding="utf-8")
    output = tmp_path / "out.folded"
    subject = [str(program), "5"]

    def rows() -> list[str]:
        watch = [sys.executable, "-m", "gildemo", "watch", "--profile", str(output)]
        true = truth(run(*watch, *subject))
        found = [compared("gildemo", folded(output.read_text(encoding="utf-8")), true)]
        if py_spy := shutil.which("py-spy", path=str(Path(sys.executable).parent)):
            record = [py_spy, "record", "--gil", "-f", "raw", "-r", "1000", "-o", str(output)]
            true = truth(run(*record, "--", sys.executable, *subject))
            found.append(compared("py-spy", folded(output.read_text(encoding="utf-8")), true))
        if sys.version_info >= (3, 15):
            sampling = [sys.executable, "-m", "profiling.sampling", "run", "--mode", "gil"]
            options = ["-r", "1khz", "-a", "--collapsed", "-o", str(output)]
            true = truth(run(*sampling, *options, *subject))
            seen = folded(output.read_text(encoding="utf-8"))
            found.append(compared("profiling.sampling", seen, true))
        return found

    found: list[str] = benchmark.pedantic(rows, rounds=1)
    report(benchmark, capsys, "shares of held time", "".join(f"\n    {row}" for row in found))


def deep(frames: int, end: float) -> None:
    """Run `frames` Python frames deep, and call and return all the time."""
    if frames > 0:
        deep(frames - 1, end)
        return
    while time.monotonic() < end:
        leaf()


def leaf() -> int:
    return sum(range(20))


@pytest.mark.parametrize("interval", [None, 2e-4], ids=["default interval", "0.2 ms"])
def test_cost(
    benchmark: Benchmark, capsys: pytest.CaptureFixture[str], interval: float | None
) -> None:
    """Report the CPU time of the monitor with and without sites, 20 frames deep."""
    shares: dict[bool, list[float]] = {True: [], False: []}

    def watch(sites: bool) -> float:
        with GilMonitor(interval, sites=sites) as monitor:
            deep(20, time.monotonic() + SECONDS)
        record = monitor.record
        shares[sites].append(record.cpu / record.duration)
        return record.cpu

    pairs = alternate(benchmark, lambda: watch(True), lambda: watch(False), 10)
    del pairs
    texts = [Spread.of(shares[sites]).text(100, "% of a CPU", digits=2) for sites in (True, False)]
    report(benchmark, capsys, "20 frames", f"{texts[0]} with sites, {texts[1]} without")


def test_slowdown(benchmark: Benchmark, capsys: pytest.CaptureFixture[str]) -> None:
    """Report how much longer Python code takes with sites than without a monitor."""

    def work() -> float:
        began = time.perf_counter()
        nested(20)
        return time.perf_counter() - began

    def watched() -> float:
        with GilMonitor():
            return work()

    pairs = alternate(benchmark, watched, work, ROUNDS)
    text = f"{pairs.ratio().text(1, 'times as long', digits=4)}, {ROUNDS} pairs"
    report(benchmark, capsys, "20 frames, with sites", text)


def nested(frames: int) -> None:
    if frames > 0:
        nested(frames - 1)
        return
    for _ in range(500_000):
        leaf()
