"""GilMonitor: calls in the wrong order, ends, forks, signals, interpreters."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest

from gildemo import GilMonitor, GilMonitorUnavailable, duty_cycle
from helpers import gil_enabled, on_signal, retried, run_python, subinterpreter

pytestmark = pytest.mark.timeout(100)
needs_a_gil = pytest.mark.skipif(not gil_enabled(), reason="GilMonitor needs a GIL")


def native_threads() -> set[int]:
    return {thread.id for thread in psutil.Process().threads()}


def none_is_new(before: set[int]) -> bool:
    """Wait until all new threads are gone: a joined thread is listed for a moment more."""
    deadline = time.monotonic() + 30
    while (new := native_threads() - before) and time.monotonic() < deadline:
        time.sleep(0.001)
    return not new


def run_thread(target: Callable[..., object], *args: object) -> weakref.ref[threading.Thread]:
    thread = threading.Thread(target=target, args=args)
    thread.start()
    thread.join()
    return weakref.ref(thread)


@pytest.mark.skipif(gil_enabled(), reason="there is a GIL")
def test_unavailable_without_the_gil() -> None:
    with pytest.raises(GilMonitorUnavailable, match="without the GIL"):
        GilMonitor().start()
    with pytest.raises(GilMonitorUnavailable, match="without the GIL"), GilMonitor():
        pytest.fail("it runs")


@pytest.mark.parametrize("interval", [0, -1, float("nan"), float("inf"), 1e-6, 11])
def test_bad_interval(interval: float) -> None:
    with pytest.raises(ValueError, match=r"^interval must be .*1e-5 to 10 .*, not ") as caught:
        GilMonitor(interval)
    assert str(caught.value).endswith(repr(float(interval)))


@pytest.mark.parametrize("interval", ["x", (), 1j])
def test_interval_of_another_type(interval: Any) -> None:
    with pytest.raises(TypeError, match=r"^interval must be "):
        GilMonitor(interval)


def test_before_start() -> None:
    monitor = GilMonitor()
    with pytest.raises(RuntimeError, match=r"not started: call start\(\) first"):
        monitor.stop()
    with pytest.raises(RuntimeError, match=r"not started: call start\(\) first"):
        monitor.snapshot()
    with pytest.raises(RuntimeError, match="stop it first"):
        _ = monitor.record


@needs_a_gil
def test_a_monitor_serves_once() -> None:
    monitor = GilMonitor()
    monitor.start()
    with pytest.raises(RuntimeError, match="stop it first"):
        _ = monitor.record
    with pytest.raises(RuntimeError, match="already started: make a new one"):
        monitor.start()
    run_thread(monitor.stop)
    record = monitor.record
    with pytest.raises(RuntimeError, match="already stopped"):
        monitor.stop()
    with pytest.raises(RuntimeError, match="already started: make a new one"), monitor:
        pytest.fail("it runs")
    assert monitor.snapshot() == monitor.record == record


@needs_a_gil
def test_started_by_several_threads_at_once() -> None:
    def start(monitor: GilMonitor, barrier: threading.Barrier) -> bool:
        barrier.wait()
        try:
            monitor.start()
        except RuntimeError:
            return False
        return True

    before = native_threads()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            for _ in range(40):
                monitor = GilMonitor(sites=False)
                barrier = threading.Barrier(4)
                started = [pool.submit(start, monitor, barrier) for _ in range(4)]
                assert sum(future.result() for future in started) == 1
                monitor.stop()
    finally:
        sys.setswitchinterval(interval)
    assert none_is_new(before)


@needs_a_gil
def test_stopped_in_its_block() -> None:
    def stop_and_fail() -> None:
        with monitor:
            monitor.stop()
            raise ZeroDivisionError

    monitor = GilMonitor()
    with pytest.raises(ZeroDivisionError):
        stop_and_fail()
    assert monitor.record.duration >= 0


@needs_a_gil
def test_signals_that_raise() -> None:
    # Whenever a handler raises, a monitor that was started can be stopped and has a record.
    program = """
        import gildemo, signal
        class Late(Exception): pass
        armed = False
        def fail(number, frame):
            global armed
            if armed:
                armed = False
                raise Late
        signal.signal(signal.SIGALRM, fail)
        results = set()
        for i in range(300):
            monitor = gildemo.GilMonitor()
            try:
                armed = True
                signal.setitimer(signal.ITIMER_REAL, (1 + i) * 2e-6)
                monitor.start()
                monitor.stop()
                armed = False
            except Late:
                pass
            try:
                record = monitor.stop()
            except RuntimeError as error:
                results.add("not started" in str(error) or "already stopped" in str(error))
            else:
                results.add(record is monitor.record)
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(results)
    """
    assert run_python(program) == "{True}\n"


@needs_a_gil
def test_snapshots_are_cumulative() -> None:
    with GilMonitor() as monitor:
        snapshots = []
        for _ in range(5):
            duty_cycle(0.02)
            snapshots.append(monitor.snapshot())
    snapshots.append(monitor.record)
    samples = [snapshot.samples for snapshot in snapshots]
    assert samples == sorted(samples)
    assert 0 < samples[0] < samples[4]
    assert len({snapshot.timeline[0][0] for snapshot in snapshots}) == 1
    assert snapshots[4].longest_hold >= snapshots[0].longest_hold > 0


@needs_a_gil
@retried
def test_several_at_once_agree() -> None:
    with GilMonitor() as one, GilMonitor(1e-3) as two:
        truth, _ = duty_cycle(0.005, 0.005, 50)
    for record in (one.record, two.record):
        slack = 0.02 + 3 * record.error / 1.96
        assert record.held == pytest.approx(truth / record.duration, abs=slack)
    assert one.record.samples > two.record.samples


@needs_a_gil
@retried
def test_exception_in_the_with_block() -> None:
    def fail() -> None:
        with monitor:
            duty_cycle(0.05)
            raise ZeroDivisionError

    monitor = GilMonitor()
    with pytest.raises(ZeroDivisionError):
        fail()
    assert monitor.record.held > 0.5


@needs_a_gil
def test_native_thread_ends() -> None:
    before = native_threads()
    # The second one has a deadline far in the future.
    with GilMonitor(), GilMonitor(10):
        assert len(native_threads() - before) == 2
    assert none_is_new(before)


@needs_a_gil
@pytest.mark.skipif(sys.platform != "linux", reason="threads stay on a CPU on Linux only")
def test_a_thread_on_each_cpu_where_the_gil_is_fast() -> None:
    before = native_threads()
    cpus = os.sched_getaffinity(0)
    with GilMonitor():
        duty_cycle(5e-5, 5e-5, 3000)
        placed = [os.sched_getaffinity(thread) for thread in native_threads() - before]
    team = [{cpu} for cpu in cpus] if 1 < len(cpus) <= 4 else []
    assert sorted(placed, key=sorted) == sorted([cpus, *team], key=sorted)
    assert none_is_new(before)


@needs_a_gil
def test_garbage_is_collected_while_it_runs() -> None:
    before = native_threads()
    monitor = GilMonitor()
    monitor.start()
    assert len(native_threads() - before) == 1
    collected = weakref.ref(monitor)
    del monitor
    gc.collect()
    assert collected() is None
    assert none_is_new(before)


@needs_a_gil
def test_keeps_no_thread_object_alive() -> None:
    with GilMonitor() as monitor:
        collected = run_thread(duty_cycle, 0.01)
    assert len(monitor.record.threads) >= 2
    gc.collect()
    assert collected() is None


@needs_a_gil
def test_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    # In a new process, because memory that is free in this one could hide a leak.
    program = """
        import gildemo, psutil
        def resident_after(cycles):
            for _ in range(cycles):
                with gildemo.GilMonitor(1e-4):
                    gildemo.duty_cycle(0.0005, 0.0005)
            return psutil.Process().memory_info().rss
        sizes = [resident_after(100) for _ in range(4)]
        # The median, because an allocator may take a large block once.
        growths = sorted(after - before for before, after in zip(sizes, sizes[1:]))
        print(growths[1] / 2**20)
    """
    # By default, AddressSanitizer keeps freed memory for a while.
    options = os.environ.get("ASAN_OPTIONS", "")
    monkeypatch.setenv("ASAN_OPTIONS", f"{options}:quarantine_size_mb=0")
    assert float(run_python(program)) < 0.3


@needs_a_gil
def test_signals_reach_the_main_thread() -> None:
    received: list[int] = []
    with GilMonitor(), on_signal(signal.SIGUSR1, lambda: received.append(1)):
        signal.raise_signal(signal.SIGUSR1)
        assert len(received) == 1
        while len(received) < 100:
            os.kill(os.getpid(), signal.SIGUSR1)
            duty_cycle(0.0005)


@needs_a_gil
def test_takes_no_signal() -> None:
    # All of Python's threads block the signal, so it stays pending unless a native thread takes it.
    program = """
        import gildemo, os, signal
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        with gildemo.GilMonitor(1e-4):
            os.kill(os.getpid(), signal.SIGUSR1)
            gildemo.duty_cycle(0.02)
            print(signal.SIGUSR1 in signal.sigpending())
    """
    assert run_python(program) == "True\n"


@needs_a_gil
def test_fork() -> None:
    program = """
        import gildemo, os, sys, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        monitor = gildemo.GilMonitor()
        monitor.start()
        pid = os.fork()
        if pid == 0:
            for call in (monitor.stop, monitor.snapshot):
                try:
                    call()
                except RuntimeError as error:
                    print("is a fork of it: make a new one" in str(error))
            try:
                monitor.start()
            except RuntimeError as error:
                print("is a fork of it: make a new one" in str(error))
            with gildemo.GilMonitor() as own:
                gildemo.duty_cycle(0.05)
            del monitor
            print(own.record.held > 0.5, [thread.name for thread in own.record.threads])
            sys.exit()
        _, status = os.waitpid(pid, 0)
        gildemo.duty_cycle(0.05)
        print("parent", status, monitor.stop().held > 0)
    """
    name = "MainThread" if sys.platform == "linux" else "thread"
    lines = run_python(program).splitlines()
    assert lines[:3] == ["True"] * 3
    assert lines[3].startswith(f"True ['{name}")
    assert lines[4] == "parent 0 True"


@needs_a_gil
@pytest.mark.skipif(sys.platform != "linux", reason="threads wait for their turn on Linux only")
def test_fork_while_a_native_thread_waits() -> None:
    # Destroying its condition variable in the child would wait for that thread forever.
    program = """
        import gildemo, os, signal, sys, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        monitor = gildemo.GilMonitor()
        monitor.start()
        # Starts a thread on each CPU, and makes the first one wait.
        gildemo.duty_cycle(5e-5, 5e-5, 3000)
        pid = os.fork()
        if pid == 0:
            signal.alarm(30)
            del monitor
            sys.exit()
        print(os.waitpid(pid, 0)[1])
    """
    assert run_python(program) == "0\n"


@needs_a_gil
def test_many_forks() -> None:
    # A lock that a native thread holds during a fork must not stay locked in the child.
    program = """
        import gildemo, os, threading, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        statuses = set()
        with gildemo.GilMonitor(1e-5) as monitor:
            for _ in range(100):
                pid = os.fork()
                if pid == 0:
                    threading.Thread(target=int).start()
                    os._exit(0)
                statuses.add(os.waitpid(pid, 0)[1])
        print(statuses)
    """
    assert run_python(program) == "{0}\n"


@needs_a_gil
def test_signals_during_forks() -> None:
    # A handler may raise wherever Python code runs, also in the hooks of a fork.
    program = """
        import gildemo, os, signal, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        def fail(number, frame):
            raise InterruptedError
        signal.signal(signal.SIGALRM, fail)
        with gildemo.GilMonitor(1e-3) as monitor:
            for tenths in range(1, 100):
                try:
                    signal.setitimer(signal.ITIMER_REAL, tenths % 10 * 1e-4)
                    if os.fork() == 0:
                        os._exit(0)
                    signal.setitimer(signal.ITIMER_REAL, 0)
                except InterruptedError:
                    pass
            before = monitor.snapshot().samples
            gildemo.duty_cycle(0.2)
            print(monitor.snapshot().samples > before + 10)
    """
    assert run_python(program) == "True\n"


@needs_a_gil
def test_hooks_of_a_fork_may_use_monitors() -> None:
    program = """
        import gc, gildemo, os, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        class Cycle:
            def __init__(self):
                self.me, self.monitor = self, gildemo.GilMonitor()
                self.monitor.start()
        def use():
            Cycle()
            gc.collect()
            monitor.snapshot()
        # The hooks before a fork run in reverse order.
        os.register_at_fork(before=use, after_in_parent=use)
        with gildemo.GilMonitor() as monitor:
            os.register_at_fork(before=use, after_in_parent=use)
            for _ in range(3):
                pid = os.fork()
                if pid == 0:
                    os._exit(0)
                print(os.waitpid(pid, 0)[1])
            gildemo.duty_cycle(0.05)
        print(monitor.record.held > 0.2)
    """
    assert run_python(program) == "0\n0\n0\nTrue\n"


EXITS = {
    "running": "start()",
    "several": "start(); start()",
    "never started": "gildemo.GilMonitor()",
    "daemon threads": "start(); daemon(forever); daemon(forever)",
    "in a daemon thread": "daemon(lambda: (start(), started.set(), forever())); started.wait()",
    "a thread that ends later": "start(); thread(lambda: gildemo.duty_cycle(0.05, 0.05))",
    "sys.exit() in a thread": "start(); thread(sys.exit)",
    "sys.exit() in the block": "with gildemo.GilMonitor(): sys.exit()",
}


@needs_a_gil
@pytest.mark.parametrize("name", EXITS)
def test_exit_while_it_runs(name: str) -> None:
    program = """
import gildemo, sys, threading
monitors, started = [], threading.Event()
def start():
    monitors.append(gildemo.GilMonitor(1e-4))
    monitors[-1].start()
def forever():
    while True: pass
def thread(target): threading.Thread(target=target).start()
def daemon(target): threading.Thread(target=target, daemon=True).start()
"""
    assert run_python(program + EXITS[name]) == ""


@needs_a_gil
def test_subinterpreter() -> None:
    """A monitor watches the GIL of its own interpreter; in 3.11 all share one."""
    program = """
import gildemo
with gildemo.GilMonitor() as monitor:
    gildemo.duty_cycle(0.2)
assert monitor.record.held > 0.9, monitor.record
unstopped = gildemo.GilMonitor()
unstopped.start()
"""
    before = native_threads()
    with subinterpreter() as run:
        run("import gildemo")
        with GilMonitor() as monitor:
            run(program)
    assert (monitor.record.held < 0.5) == (sys.version_info >= (3, 12))
    assert none_is_new(before)


@needs_a_gil
@pytest.mark.skipif(sys.version_info < (3, 12), reason="3.11 has one GIL for all interpreters")
def test_subinterpreter_of_another_thread() -> None:
    """In 3.12 it borrows the thread state of the thread that made the interpreter."""
    # GilMonitor imports threading. An interpreter of 3.12 that did so in this thread can't end.
    program = """
from gildemo import _core
monitor = _core.Monitor(1e-3, 1e-3)
monitor.start()
_core.duty_cycle(0.05)
monitor.stop()
snapshot = monitor.snapshot()
assert snapshot.held > 0.5 * (snapshot.end - snapshot.begin), snapshot
"""
    with subinterpreter() as run, ThreadPoolExecutor(1) as pool:
        pool.submit(run, program).result()
