"""What threads do while they neither hold the GIL nor wait for it."""

from __future__ import annotations

import concurrent.futures
import itertools
import queue
import socket
import sys
import threading
import time
import zlib
from collections.abc import Callable

import pytest

from gildemo import GilMonitor, GilRecord, duty_cycle
from gildemo.monitor import STATES, ThreadRecord
from helpers import gil_enabled, retried

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(not gil_enabled(), reason="GilMonitor needs a GIL"),
    pytest.mark.skipif(sys.platform != "linux", reason="nothing else says what threads do"),
]
has_sites = pytest.mark.skipif("t" in sys.abiflags, reason="a free-threaded build has no sites")

SECONDS = 0.3


def watch(work: Callable[[], object], meanwhile: Callable[[], object]) -> GilRecord:
    """Run `work` in a thread of this name, and `meanwhile` in this one."""
    thread = threading.Thread(target=work, name="work")
    with GilMonitor() as monitor:
        thread.start()
        meanwhile()
        thread.join()
    return monitor.record


def later(end: Callable[[], object]) -> Callable[[], None]:
    """A function that gives the state of another thread some time before it ends it."""

    def call() -> None:
        time.sleep(SECONDS)
        end()

    return call


def share(record: GilRecord, state: str, name: str = "work") -> float:
    """The part of a thread's lifetime that it spent in a state."""
    thread = named(record, name)
    return thread.states[state] / thread.lifetime


def named(record: GilRecord, name: str) -> ThreadRecord:
    (thread,) = [thread for thread in record.threads if thread.name == name]
    return thread


def compress() -> None:
    data = bytes(range(256)) * 20_000
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        zlib.compress(data)


@retried
def test_a_call_that_released_the_gil_computes() -> None:
    assert share(watch(compress, lambda: None), "computes") > 0.8


@retried
def test_a_read_from_a_socket_is_in_a_system_call() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        record = watch(lambda: ours.recv(1), later(lambda: theirs.send(b"x")))
    assert share(record, "in_system_call") > 0.8
    calls = named(record, "work").system_calls
    assert max(calls, key=lambda name: calls[name]) == "recv"
    assert sum(calls.values()) == pytest.approx(named(record, "work").states["in_system_call"])


@has_sites
@retried
def test_a_lock_of_ones_own_is_locked() -> None:
    lock = threading.Lock()
    lock.acquire()
    record = watch(lambda: lock.acquire(), later(lock.release))
    assert share(record, "locked") > 0.8


@has_sites
@pytest.mark.parametrize("kind", ["event", "queue", "simple queue", "join"])
@retried
def test_a_thread_without_work_is_idle(kind: str) -> None:
    event: threading.Event = threading.Event()
    tasks: queue.Queue[int] = queue.Queue()
    simple: queue.SimpleQueue[int] = queue.SimpleQueue()
    sleeper = threading.Thread(target=lambda: time.sleep(SECONDS), name="sleeper")

    def wait_for_a_task() -> None:
        # As the worker of a pool does it.
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            pool.submit(int).result()
            simple.get()

    def join() -> None:
        sleeper.start()
        sleeper.join()

    cases: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "event": (event.wait, event.set),
        "queue": (tasks.get, lambda: tasks.put(1)),
        "simple queue": (wait_for_a_task, lambda: simple.put(1)),
        "join": (join, lambda: None),
    }
    work, end = cases[kind]
    record = watch(work, later(end))
    name = "work" if kind != "simple queue" else "ThreadPoolExecutor"
    (thread,) = [t for t in record.threads if t.name.startswith(name)]
    assert thread.states["idle"] / thread.lifetime > 0.8
    assert thread.states["locked"] < 0.1 * thread.lifetime


@retried
def test_states_add_up_to_the_lifetime() -> None:
    record = watch(lambda: duty_cycle(0.002, 0.002, 50), lambda: duty_cycle(0.002, 0.002, 50))
    for thread in record.threads:
        assert set(thread.states) == set(STATES)
        assert sum(thread.states.values()) == pytest.approx(thread.lifetime)
        assert thread.states["holds"] == pytest.approx(thread.held * record.duration)
        assert thread.lifetime <= record.duration * 1.05
        spans = [(start, end) for start, end, _ in thread.intervals]
        assert spans == sorted(spans)
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))


@retried
def test_the_longest_holds_are_kept_in_order() -> None:
    lengths = (0.02, 0.08, 0.04)

    def hold() -> None:
        for seconds in lengths:
            duty_cycle(seconds, 0.01)

    record = watch(hold, lambda: None)
    holds = record.longest_holds
    assert len(holds) <= 10
    assert [hold.seconds for hold in holds] == sorted((h.seconds for h in holds), reverse=True)
    assert holds[0].seconds == pytest.approx(record.longest_hold)
    (first, second) = holds[:2]
    assert first.seconds == pytest.approx(0.08, rel=0.3)
    assert second.seconds == pytest.approx(0.04, rel=0.3)
    assert first.thread is not None
    assert record.threads[first.thread].name == "work"
    assert GilRecord.from_dict(record.to_dict()) == record


@has_sites
@retried
def test_a_long_hold_has_its_stack_and_who_waited() -> None:
    def hold_it() -> None:
        duty_cycle(0.1)

    record = watch(hold_it, lambda: None)
    longest = record.longest_holds[0]
    assert longest.stack[0].function.endswith("hold_it")
    waiters = [record.threads[index].name for index in longest.waiters]
    if record.threads[0].waiting is not None:
        assert waiters == ["MainThread"]
