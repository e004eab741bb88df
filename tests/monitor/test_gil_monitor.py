"""GilMonitor: its results for loads whose true values are known."""

from __future__ import annotations

import _thread
import itertools
import json
import math
import os
import platform
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable

import pytest

from gildemo import GilMonitor, GilRecord, duty_cycle, spin
from gildemo.monitor import ThreadRecord
from helpers import gil_enabled, retried

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(not gil_enabled(), reason="GilMonitor needs a GIL"),
]
sees_waiting = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="who waits is seen with glibc only"
)


def watch(**targets: Callable[[], object]) -> GilRecord:
    """Run each target in a thread of its name, all under one monitor."""
    threads = [threading.Thread(target=target, name=name) for name, target in targets.items()]
    with GilMonitor() as monitor:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    # On a very busy machine the sampler may not have run.
    assert monitor.record.samples or not targets
    return monitor.record


def named(record: GilRecord, name: str) -> ThreadRecord:
    (thread,) = (thread for thread in record.threads if thread.name == name)
    return thread


def slack(record: GilRecord) -> float:
    # Three standard deviations of a share of one half, and an allowance for a busy machine.
    return 0.02 + 3 * 0.5 / math.sqrt(max(1, record.samples))


def run_thread(name: str, target: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=target, name=name)
    thread.start()
    thread.join()
    return thread


class Load:
    """A callable that runs duty_cycle() and adds up what it returns."""

    def __init__(self, period: float, share: float, seconds: float) -> None:
        self.args = (period * share, period * (1 - share), round(seconds / period))
        self.held = self.total = 0.0

    def __call__(self) -> None:
        held, released = duty_cycle(*self.args)
        self.held += held
        self.total += held + released


def pure_python(seconds: float) -> Callable[[], None]:
    end = time.monotonic() + seconds

    def work() -> None:
        while time.monotonic() < end:
            pass

    return work


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.75, 1.0])
@pytest.mark.parametrize("period", [0.01, 0.001, 0.0001, 0.00002])
@retried
def test_held_is_what_was_held(period: float, share: float) -> None:
    load = Load(period, share, 0.5 if 0 < share < 1 else 0.2)
    record = watch(load=load)
    truth = load.held / record.duration
    # The true value is unknown while the thread starts and ends.
    unknown = max(0.0, 1 - load.total / record.duration)
    for held in (record.held, named(record, "load").held):
        assert held == pytest.approx(truth, abs=0.02 + 3 * record.error / 1.96 + unknown)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
@retried
def test_held_by_each_of_two(share: float) -> None:
    # With shorter periods, much of the time is handoffs, where the true value is unknown.
    loads = {name: Load(0.01, share, 0.5) for name in ("one", "two")}
    record = watch(**loads)
    for name, load in loads.items():
        truth = load.held / record.duration
        assert named(record, name).held == pytest.approx(truth, abs=slack(record))


@pytest.mark.skipif(
    sys.platform != "linux" or len(os.sched_getaffinity(0)) > 4,
    reason="the team of sampler threads is for Linux with up to four CPUs",
)
@pytest.mark.parametrize("period", [1e-4, 2e-5])
def test_held_by_two_that_hand_it_to_and_fro(period: float) -> None:
    """With two CPUs, the delay of a sample depends on what it would see."""
    right = 0
    for _ in range(5):
        one, two = Load(period, 0.25, 0.7), Load(period, 0.25, 0.7)
        record = watch(one=one, two=two)
        off = record.held - (one.held + two.held) / record.duration
        # A hundredth of 20 us is known neither as held nor as released.
        right += abs(off) < (0.02 if period > 5e-5 else 0.025)
        if right == 3:
            return
    pytest.fail("most records are wrong")


@sees_waiting
@retried
def test_competing_threads_wait() -> None:
    work = pure_python(0.6)
    record = watch(one=work, two=work)
    assert record.held > 0.9
    for name in ("one", "two"):
        assert 0.25 < (named(record, name).waiting or 0.0) < 0.75


@retried
def test_threads_that_released_it_neither_hold_nor_wait() -> None:
    spins = watch(one=lambda: spin(2**27), two=lambda: spin(2**27))
    waits = watch(one=lambda: time.sleep(0.2), two=lambda: threading.Event().wait(0.2))
    for record, name in itertools.product((spins, waits), ("one", "two")):
        assert max(named(record, name).held, named(record, name).waiting or 0.0) < 0.05


@retried
def test_name_of_a_thread_that_was_there_before_and_ends() -> None:
    end = threading.Event()
    thread = threading.Thread(target=lambda: (end.wait(), duty_cycle(0.05)), name="before")
    thread.start()
    with GilMonitor() as monitor:
        end.set()
        thread.join()
        del thread
    assert named(monitor.record, "before").held > 0


def test_no_sample_after_the_end() -> None:
    """stop() releases the GIL to wait for the native threads, and no sample sees that."""
    for _ in range(100):
        monitor = GilMonitor(1e-3)
        monitor.start()
        duty_cycle(0.004)
        record = monitor.stop()
        assert record.timeline[-1][2] is not None


def test_names() -> None:
    """For threads that started before, that have ended, and that still run."""
    end = threading.Event()
    unnamed: list[int] = []

    def without_a_name() -> None:
        unnamed.append(threading.get_native_id())
        end.wait()

    before, during = (threading.Thread(target=end.wait, name=name) for name in ("old", "new"))
    before.start()
    with GilMonitor() as monitor:
        gone = run_thread("gone", lambda: duty_cycle(0.02))
        during.start()
        _thread.start_new_thread(without_a_name, ())
        while not unnamed:
            duty_cycle(0.0, 0.01)
        duty_cycle(0.0, 0.1)
    end.set()
    before.join()
    during.join()
    names = {thread.native_id: thread.name for thread in monitor.record.threads}
    for thread in (threading.current_thread(), before, gone, during):
        assert names[thread.native_id or 0] == thread.name
    assert names[unnamed[0]] == f"thread {unnamed[0]}"


@retried
def test_longest_hold() -> None:
    load = Load(0.2, 1.0, 0.2)
    record = watch(load=load, waiter=pure_python(0.4))
    assert 0.15 <= named(record, "load").longest_hold <= load.held + 0.2 * record.duration
    assert record.longest_hold == max(thread.longest_hold for thread in record.threads)


@retried
def test_cpu() -> None:
    truth = []

    def work() -> None:
        spin(2**27)
        truth.append(time.thread_time())

    record = watch(work=work)
    cpu = named(record, "work").cpu
    assert (cpu is None) == (sys.platform != "linux")
    # Its CPU clock is read for the last time some time before it ends.
    assert cpu is None or 0.8 * truth[0] < cpu < 1.1 * truth[0]
    assert 0 < record.cpu < record.duration


@retried
def test_switches() -> None:
    rounds = 1000
    ping, pong = threading.Lock(), threading.Lock()
    pong.acquire()

    def alternate(mine: threading.Lock, other: threading.Lock) -> None:
        for _ in range(rounds):
            mine.acquire()
            other.release()

    few = watch().switches
    many = watch(one=lambda: alternate(ping, pong), two=lambda: alternate(pong, ping)).switches
    assert few is many is None or (few is not None and few < 20)
    # Switches after the last sample are not counted. And a thread that wakes up may find that the
    # GIL was taken again.
    assert many is None or 0.9 * 2 * rounds < many < 2 * 2 * rounds


@retried
def test_threads_whose_addresses_are_used_again() -> None:
    """A thread state at the address of an earlier one belongs to another thread."""
    busy, idle = Load(2e-4, 1.0, 2e-4), Load(2e-4, 0.0, 2e-4)
    # In 3.11 the name of an ended thread is known only while something refers to it.
    ended: list[threading.Thread] = []

    def start_many() -> None:
        while len(ended) < 3000:
            ended.extend((run_thread("busy", busy), run_thread("idle", idle)))

    record = watch(starter=start_many)
    shares: defaultdict[str, float] = defaultdict(float)
    for thread in record.threads:
        shares[thread.name] += thread.held
    truth = busy.held / record.duration
    assert truth > 0.1
    # Both kinds take the same time to start and to end.
    assert shares["busy"] - shares["idle"] == pytest.approx(truth, abs=slack(record) + 0.03)
    assert shares["(other)"] < 0.02


@retried
def test_one_heavy_thread_among_thousands() -> None:
    load = Load(0.004, 0.25, 0.02)
    ended: list[threading.Thread] = []

    def heavy() -> None:
        while len(ended) < 3000:
            load()

    def start_many() -> None:
        while len(ended) < 3000:
            ended.append(run_thread("short", int))

    record = watch(heavy=heavy, starter=start_many)
    truth = load.held / record.duration
    assert truth > 0.1
    assert named(record, "heavy").held == pytest.approx(truth, abs=slack(record) + 0.02)
    assert max(thread.held for thread in record.threads if thread.name == "short") < truth / 4
    assert sum(thread.held for thread in record.threads) == pytest.approx(record.held)


@retried
def test_one_after_more_threads_than_there_is_room_for() -> None:
    before, after = Load(0.004, 0.5, 0.3), Load(0.004, 0.5, 0.3)

    def start_many() -> None:
        run_thread("before", before)
        for _ in range(9000):
            _thread.start_new_thread(int, ())
        run_thread("after", after)

    record = watch(starter=start_many)
    for name, load in (("before", before), ("after", after)):
        truth = load.held / record.duration
        assert truth > 0.02
        # In 3.11 the names of these threads are lost when they end.
        shares = [t.held for t in record.threads if t.name == name or sys.version_info < (3, 12)]
        assert min(abs(share - truth) for share in shares) < slack(record) / 2
    assert len(record.threads) <= 8192


@retried
def test_timeline() -> None:
    work = pure_python(0.6)
    record = watch(one=work, two=work)
    line = record.timeline
    assert (line[-1][1] - line[0][0]) / 1e9 == pytest.approx(record.duration)
    assert all(start <= end for start, end, _ in line)
    assert all(a[1] == b[0] and a[2] != b[2] for a, b in itertools.pairwise(line))
    # A busy machine gives them fewer turns, but most of these are seen.
    assert len(line) > (record.switches or 50) / 2 > 5
    for place, thread in enumerate(record.threads):
        share = sum(end - start for start, end, who in line if who == place) / 1e9
        assert share / record.duration == pytest.approx(thread.held, abs=0.1)


@sees_waiting
@retried
def test_waits() -> None:
    work = pure_python(0.6)
    record = watch(one=work, two=work)
    line = record.timeline
    for thread in record.threads:
        waits = [(start, end) for start, end, state in thread.intervals if state == "waits"]
        bounds = [line[0][0], *itertools.chain.from_iterable(waits), line[-1][1]]
        assert bounds == sorted(bounds)
        total = sum(end - start for start, end in waits) / (line[-1][1] - line[0][0])
        # A wait of 5 ms is noticed late, but it has ended once its thread holds the GIL.
        assert 0.5 * (thread.waiting or 0.0) <= total < (thread.waiting or 0.0) + 0.1


@sees_waiting
@retried
def test_no_wait_goes_on_after_the_thread() -> None:
    begin, work = time.monotonic_ns(), pure_python(0.2)
    record = watch(one=work, two=work, three=work, last=lambda: time.sleep(0.6))
    line = record.timeline
    assert begin < line[0][0] < line[-1][1] < time.monotonic_ns()
    for name in ("one", "two", "three"):
        assert named(record, name).intervals[-1][1] < begin + 0.75 * (line[-1][1] - begin)


@retried
def test_it_samples_more_often_where_the_gil_changes_hands() -> None:
    still = watch(still=lambda: time.sleep(0.3))
    busy = watch(busy=Load(1e-4, 0.5, 0.3))
    assert 2 * still.samples / still.duration < busy.samples / busy.duration


@retried
def test_a_time_with_more_samples_counts_for_no_more() -> None:
    load = Load(1e-4, 0.5, 0.3)

    def work() -> None:
        time.sleep(0.3)
        load()

    record = watch(work=work)
    truth = load.held / record.duration
    assert 0.2 < truth < 0.3
    for held in (record.held, named(record, "work").held):
        assert held == pytest.approx(truth, abs=0.02 + 3 * record.error / 1.96)


@retried
def test_an_interval_is_kept_to() -> None:
    with GilMonitor(1e-3) as monitor:
        duty_cycle(5e-5, 5e-5, 5000)
    # Eight samples are at random times in eight intervals; the last eight may not be complete.
    slices = monitor.record.duration / 1e-3
    assert 0.8 * slices < monitor.record.samples < slices + 8


def test_error_without_a_sample() -> None:
    with GilMonitor(10) as monitor:
        pass
    assert (monitor.record.samples, monitor.record.held, monitor.record.error) == (0, 0.0, 1.0)


@retried
def test_error_after_some_samples() -> None:
    work = pure_python(0.3)
    assert 0 < watch(one=work, two=work).error < 0.05


@pytest.fixture(scope="module")
def record() -> GilRecord:
    work = pure_python(0.1)
    return watch(one=work, two=work)


def test_round_trip(record: GilRecord) -> None:
    text = json.dumps(record.to_dict(), allow_nan=False)
    assert GilRecord.from_dict(json.loads(text)) == record


def test_record_of_a_newer_version(record: GilRecord) -> None:
    newer = record.to_dict()
    newer["new"] = newer["threads"][0]["new"] = 1
    assert GilRecord.from_dict(newer) == record


def test_record_of_an_older_version() -> None:
    thread = {"name": "one", "native_id": 1, "held": 0.5}
    older = {"duration": 1.0, "samples": 9, "held": 0.5, "error": 0.1, "threads": [thread]}
    assert GilRecord.from_dict(older) == GilRecord(
        1.0, 9, 0.5, 0.1, threads=(ThreadRecord("one", 1, 0.5),)
    )
