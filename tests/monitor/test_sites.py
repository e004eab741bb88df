"""Where the GIL was held, for programs whose truth is known."""

from __future__ import annotations

import json
import os
import platform
import random
import re
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from gildemo import GilMonitor, GilRecord, duty_cycle
from gildemo.monitor import Profile, Site
from helpers import gil_enabled, retried

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(not gil_enabled(), reason="GilMonitor needs a GIL"),
]
FREE_THREADED = "t" in sys.abiflags
has_sites = pytest.mark.skipif(FREE_THREADED, reason="a free-threaded build has no sites")
sees_waiting = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="glibc counts who waits"
)


def watch(*targets: Callable[[], object], interval: float | None = None) -> GilRecord:
    """Run each in a thread, all under one monitor."""
    threads = [threading.Thread(target=target) for target in targets]
    with GilMonitor(interval) as monitor:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return monitor.record


def profile_of(record: GilRecord) -> Profile:
    assert record.profile.unavailable is None
    return record.profile


def functions(record: GilRecord) -> dict[str, Site]:
    return {site.function: site for site in profile_of(record).sites(by="function")}


def compute(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def holds_8_ms() -> float:
    return duty_cycle(8e-3)[0]


def holds_half_a_ms() -> float:
    return duty_cycle(0.5e-3)[0]


def holds_a_tenth_of_a_ms() -> float:
    return duty_cycle(0.1e-3)[0]


@has_sites
@retried
def test_shares_of_functions() -> None:
    held = {holds_8_ms: 0.0, holds_half_a_ms: 0.0, holds_a_tenth_of_a_ms: 0.0}
    # In a random order: each function may be next to any other.
    calls = [holds_8_ms] * 100 + [holds_half_a_ms] * 1200 + [holds_a_tenth_of_a_ms] * 4000
    random.Random(1).shuffle(calls)

    def work() -> None:
        for call in calls:
            held[call] += call()

    record = watch(work)
    total = record.held * record.duration
    sites = functions(record)
    for call, seconds in held.items():
        site = sites[call.__name__]
        assert site.held_self / total == pytest.approx(
            seconds / total, abs=0.01 + site.error / total
        )
    assert sum(site.held_self for site in sites.values()) > 0.98 * total
    assert sites[f"{test_shares_of_functions.__name__}.<locals>.work"].held_total > 0.95 * total


@has_sites
@retried
def test_calls_on_one_line() -> None:
    held = [0.0, 0.0]

    def work() -> None:
        for _ in range(10):
            held[0] += duty_cycle(0.01)[0]; held[1] += duty_cycle(0.02)[0]  # fmt: skip  # noqa: E702

    record = watch(work)
    name = f"{test_calls_on_one_line.__name__}.<locals>.work"
    sites = [site for site in profile_of(record).sites(by="line") if site.function == name]
    assert sites[0].line == work.__code__.co_firstlineno + 2
    assert sites[0].held_self == pytest.approx(sum(held), abs=0.02)
    sites = [site for site in profile_of(record).sites(by="call") if site.function == name]
    longer, shorter = sites[:2]
    assert (shorter.held_self, longer.held_self) == pytest.approx(held, abs=0.02)
    assert longer.column is not None
    assert shorter.column is not None
    assert longer.column - shorter.column == len("held[0] += duty_cycle(0.01)[0]; ")


def fibonacci(n: int) -> int:
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


@has_sites
def test_recursion() -> None:
    record = watch(lambda: fibonacci(29), lambda: fibonacci(27))
    profile = profile_of(record)
    site = functions(record)["fibonacci"]
    assert site.held_total == pytest.approx(site.held_self)
    assert site.held_total > 0.9 * profile.held
    # There are 29 levels, which are called in two places.
    assert len(profile.nodes) < 300


@has_sites
@sees_waiting
@retried
def test_waiting_adds_up() -> None:
    stop = threading.Event()

    def tick() -> None:
        while not stop.is_set():
            time.sleep(0.001)

    def match() -> None:
        re.match(r"(a+)+$", "a" * 23 + "b")

    def dump() -> None:
        data = list(range(100_000))
        for _ in range(10):
            json.dumps(data)

    def work() -> None:
        match()
        dump()
        compute(0.3)

    ticker = threading.Thread(target=tick)
    ticker.start()
    try:
        record = watch(work, work, work)
    finally:
        stop.set()
        ticker.join()
    profile = profile_of(record)
    assert profile.waiting_known
    waited = sum(thread.waiting or 0.0 for thread in record.threads) * record.duration
    caused = sum(site.caused_self or 0.0 for site in profile.sites())
    assert caused == pytest.approx(waited, rel=0.05)
    sites = functions(record)
    # Each makes two others and the ticker wait, but at the beginning and the end.
    for name in (f"{test_waiting_adds_up.__name__}.<locals>.match", "compute"):
        site = sites[name]
        assert 1.5 < (site.caused_total or 0.0) / site.held_total < 3.5


@has_sites
@retried
def test_sites_of_one_thread_do_not_depend_on_another() -> None:
    def work(name: str, seconds: float) -> Callable[[], None]:
        namespace: dict[str, Any] = {"compute": compute}
        exec(f"def {name}():\n    compute({seconds})", namespace)
        function: Callable[[], None] = namespace[name]
        return function

    record = watch(work("one", 0.5), work("two", 0.5))
    total = profile_of(record).held
    for name in ("one", "two"):
        assert functions(record)[name].held_total == pytest.approx(total / 2, rel=0.25)
    threads = {node.thread for node in profile_of(record).nodes if node.thread is not None}
    assert len(threads) >= 2
    assert all(0 <= thread < len(record.threads) for thread in threads)


def test_without_sites() -> None:
    with GilMonitor(sites=False) as monitor:
        compute(0.05)
    profile = monitor.record.profile
    assert (profile.nodes, profile.unavailable) == ((), "the monitor was started with sites=False")
    assert GilRecord.from_dict(monitor.record.to_dict()) == monitor.record


@pytest.mark.skipif(not FREE_THREADED, reason="others have sites")
def test_unavailable_on_a_free_threaded_build() -> None:
    with GilMonitor() as monitor:
        compute(0.05)
    assert monitor.record.profile is not None
    assert "free-threaded" in (monitor.record.profile.unavailable or "")
    assert monitor.record.profile.sites() == ()


@has_sites
def test_snapshots() -> None:
    with GilMonitor(1e-3) as monitor:
        compute(0.1)
        first = monitor.snapshot()
        compute(0.1)
    one, two = profile_of(first), profile_of(monitor.record)
    assert 0.05 < one.held < two.held
    assert one.stacks < two.stacks
    assert Profile.from_dict(json.loads(json.dumps(two.to_dict()))) == two


@has_sites
def test_started_by_code_with_a_very_long_location_table() -> None:
    filler = "x = [1, 2, 3]; y = x[0] + x[1] * x[2]\n" * 4000
    source = f"{filler}monitor.start()\n"
    code = compile(source, "long.py", "exec")
    assert len(code.co_linetable) > 1 << 16
    monitor = GilMonitor()
    exec(code, {"monitor": monitor})
    assert monitor.stop().profile.unavailable is None


@has_sites
def test_more_monitors_than_code_watchers() -> None:
    # CPython 3.12 and 3.13 have eight.
    for _ in range(2):
        monitors = [GilMonitor(1e-3) for _ in range(10)]
        for monitor in monitors:
            monitor.start()
        compute(0.1)
        for monitor in monitors:
            monitor.stop()
        for monitor in monitors:
            assert functions(monitor.record)["compute"].held_self > 0.03


SECCOMP = """
    import ctypes, struct
    libc = ctypes.CDLL(None, use_errno=True)
    program = [(0x20, 0, 0, 0)]  # the number of the system call
    for i, number in enumerate(DENIED):
        program.append((0x15, len(DENIED) - i, 0, number))
    program += [(0x06, 0, 0, 0x7FFF0000), (0x06, 0, 0, 0x00050001)]  # allow, or EPERM
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
    filter = Program(len(program), ctypes.addressof(code))
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.prctl(22, 2, ctypes.byref(filter)) == 0

    import os, time
    from gildemo import GilMonitor
    def compute():
        end = time.perf_counter() + 0.3
        while time.perf_counter() < end:
            pass
    before = os.listdir("/proc/self/fd")
    with GilMonitor(1e-3) as monitor:
        compute()
        assert os.listdir("/proc/self/fd") == before
    profile = monitor.record.profile
    held = {site.function: site.held_self for site in profile.sites(by="function")}
    print(profile.unavailable, held.get("compute", 0) > 0.2)
"""


@has_sites
@pytest.mark.skipif(platform.machine() != "x86_64", reason="system calls have other numbers")
@pytest.mark.skipif(sys.platform != "linux", reason="seccomp is Linux's")
@pytest.mark.parametrize(
    ("denied", "expected"),
    [
        ("[310, 311]", "None True"),  # process_vm_readv and _writev
        ("[310, 311, 319]", "None True"),  # and memfd_create
        ("[310, 311, 319, 17]", "this system lets no thread copy memory"),  # and pread64
    ],
)
def test_in_a_sandbox(denied: str, expected: str) -> None:
    program = f"DENIED = {denied}\n" + textwrap.dedent(SECCOMP)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(expected)


CHURN = """
    import asyncio, itertools, json, os, sys, threading, time, warnings
    warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
    from gildemo import GilMonitor
    try:
        import _interpreters as interpreters
    except ImportError:
        import _xxsubinterpreters as interpreters
    stop = threading.Event()

    def code():
        for k in itertools.count():
            if stop.is_set():
                return
            name = f"made_{k % 997}_{k % 97}"
            text = "\\n" * (k % 97) + f"def {name}(x):\\n  for _ in range(20): x += 1\\n"
            namespace = {}
            exec(compile(text, f"made_{k % 13}.py", "exec"), namespace)
            for _ in range(30):
                namespace[name](1)

    def threads():
        while not stop.is_set():
            some = [threading.Thread(target=sum, args=(range(200),)) for _ in range(5)]
            for thread in some:
                thread.start()
            for thread in some:
                thread.join()

    def descend(n):
        return n if n == 0 else descend(n - 1) + 1

    def deep():
        while not stop.is_set():
            descend(30), descend(800), descend(300)

    def generators():
        def numbers(n):
            if n:
                yield from numbers(n - 1)
            yield n
        async def wait(n):
            await (wait(n - 1) if n else asyncio.sleep(0))
        while not stop.is_set():
            for _ in range(20):
                sum(numbers(40))
            asyncio.run(wait(40))

    def memory():
        while not stop.is_set():
            some = [bytearray(300000) for _ in range(20)]
            json.dumps([{"a": i} for i in range(500)])

    def subinterpreters():
        while not stop.is_set():
            one = interpreters.create()
            interpreters.run_string(one, "def f(n): return n if n < 2 else f(n-1) + f(n-2)\\nf(12)")
            interpreters.destroy(one)
            time.sleep(0.002)

    def forks():
        while not stop.is_set():
            pid = os.fork()
            if pid == 0:
                os._exit(0)
            os.waitpid(pid, 0)
            time.sleep(0.01)

    loops = (code, threads, deep, generators, memory, globals()[ALSO])
    with GilMonitor(1e-4) as monitor:
        running = [threading.Thread(target=loop) for loop in loops]
        for thread in running:
            thread.start()
        time.sleep(SECONDS)
        stop.set()
        for thread in running:
            thread.join()
    profile = monitor.record.profile
    assert profile.unavailable is None
    sites = profile.sites(by="function")
    for site in sites:
        if site.function.startswith("made_"):
            assert site.line == int(site.function.rpartition("_")[2]) + 1, site
    held = {site.function: site.held_total for site in sites}
    assert held["code"] > 0 and held["deep"] > 0 and held["generators"] > 0
    print("right", profile.stacks, profile.torn / profile.stacks < 0.05, len(profile.nodes) < 65537)
    print(profile.stacks, profile.torn, len(profile.nodes), len(profile.frames), file=sys.stderr)
"""


# Not both: CPython itself hangs when it forks while another thread makes a subinterpreter.
@has_sites
@pytest.mark.parametrize("also", ["subinterpreters", "forks"])
def test_churn(also: str) -> None:
    """Code, threads and stacks that come and go. GILDEMO_CHURN: for how many seconds."""
    seconds = float(os.environ.get("GILDEMO_CHURN", "3"))
    program = f"SECONDS = {seconds}\nALSO = {also!r}\n" + textwrap.dedent(CHURN)
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", program],
        capture_output=True,
        text=True,
        timeout=60 + 2 * seconds,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"right \d+ True True\n", done.stdout), done.stdout
    print(done.stderr)
