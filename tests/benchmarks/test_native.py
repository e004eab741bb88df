"""spin() with the GIL released in Python threads, compared with the same loop in C threads."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import threading
import time
from pathlib import Path

import pytest

import gildemo
from benchmarks.paired import Benchmark, alternate, report
from gildemo.executors import usable_cpus

# About half a second, of which a thread that starts 0.1 ms late costs 0.02 %.
STEPS = 1 << 28
ROUNDS = 15

pytestmark = pytest.mark.skipif(sys.platform == "darwin", reason="macOS has no pthread_barrier_t")


@pytest.fixture(scope="session")
def spin_pthreads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the C program with the compiler and the flags that setuptools uses for _core."""
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    if shutil.which(compiler[0]) is None:
        pytest.skip(f"there is no {compiler[0]}")
    flags = [
        *shlex.split(sysconfig.get_config_var("CFLAGS") or "-O3"),
        *shlex.split(sysconfig.get_config_var("CCSHARED") or ""),
        *shlex.split(os.environ.get("CFLAGS", "")),
        "-std=c11",
        "-pthread",
    ]
    source = Path(__file__).with_name("spin_pthreads.c")
    program = tmp_path_factory.mktemp("native") / "spin_pthreads"
    subprocess.run([*compiler, *flags, str(source), "-o", str(program)], check=True)
    return program


def in_c_threads(program: Path, threads: int, steps: int) -> tuple[float, list[int]]:
    """Return the seconds from the first thread's start to the last one's end, and all states."""
    command = [str(program), str(threads), str(steps)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    nanoseconds, *states = map(int, output.split())
    return nanoseconds * 1e-9, states


def in_python_threads(threads: int, steps: int) -> tuple[float, list[int]]:
    """Return the same for Python threads, with the clock read at the same points."""
    start = threading.Barrier(threads)
    began = [0] * threads
    states = [0] * threads

    def run(i: int) -> None:
        start.wait()
        began[i] = time.perf_counter_ns()
        states[i] = gildemo.spin(steps, release_gil=True)

    workers = [threading.Thread(target=run, args=(i,)) for i in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return (time.perf_counter_ns() - min(began)) * 1e-9, states


@pytest.mark.parametrize("threads", sorted({1, max(2, usable_cpus())}))
@pytest.mark.parametrize("subject", ["spin", "control"])
def test_spin_and_c_threads(
    benchmark: Benchmark,
    capsys: pytest.CaptureFixture[str],
    spin_pthreads: Path,
    subject: str,
    threads: int,
) -> None:
    """The control compares the C program with itself: its ratio shows the machine's noise."""
    benchmark.group = f"{threads} thread{'s'[: threads > 1]} x {STEPS:,} steps"
    state = gildemo.spin(STEPS, release_gil=False)

    def c() -> float:
        seconds, states = in_c_threads(spin_pthreads, threads, STEPS)
        assert states == [state] * threads
        return seconds

    def python() -> float:
        seconds, states = in_python_threads(threads, STEPS)
        assert states == [state] * threads
        return seconds

    pairs = alternate(benchmark, python if subject == "spin" else c, c, ROUNDS)
    name = f"{subject} / C, {threads} threads, {ROUNDS} pairs"
    # Other load on the machine affects some of the pairs, but hardly the fastest runs.
    fastest = min(pairs.subject) / min(pairs.reference)
    text = f"{pairs.ratio().text(1, 'times as long', digits=4)}, the fastest runs {fastest:.4f}"
    report(benchmark, capsys, name, text)
