"""Traces of real records, held against the rules of the format and against the records."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest

import gildemo
from gildemo import GilMonitor, GilRecord, tasks
from gildemo._report.lanes import coarsened, coverage
from gildemo._report.perfetto import HOLDS, WAITS, to_json, trace
from gildemo.monitor import ThreadRecord

# What the format's specification asks for, by phase.
REQUIRED = {
    "M": {"name", "ph", "pid", "tid", "args"},
    "X": {"name", "ph", "pid", "tid", "ts", "dur"},
    "C": {"name", "ph", "pid", "ts", "args"},
}


def record_of(work: Callable[[], object], threads: int = 2) -> GilRecord:
    workers = [threading.Thread(target=work, name=f"worker_{i}") for i in range(threads)]
    try:
        with GilMonitor() as monitor:
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
    except gildemo.GilMonitorUnavailable as why:
        pytest.skip(str(why))
    return monitor.record


@pytest.fixture(scope="module")
def records() -> dict[str, GilRecord]:
    def alternate() -> None:
        for _ in range(40):
            gildemo.duty_cycle(0.002, 0.003)

    return {
        "fibo": record_of(lambda: tasks.fibo(29)),
        "alternate": record_of(alternate),
        "sleep": record_of(lambda: time.sleep(0.05)),
    }


@pytest.fixture(scope="module")
def written(records: dict[str, GilRecord]) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(to_json(records))
    assert loaded == json.loads(json.dumps(trace(records)))
    return loaded


def tracks(trace: dict[str, Any], phase: str) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The events of a phase by the names of their process and thread ("" for none)."""
    names: dict[tuple[int, int], str] = {}
    for event in trace["traceEvents"]:
        if event["name"] in ("process_name", "thread_name"):
            names[event["pid"], event["tid"]] = event["args"]["name"]
    found = defaultdict(list)
    for event in trace["traceEvents"]:
        if event["ph"] == phase:
            thread = "" if event["tid"] == 0 else names[event["pid"], event["tid"]]
            found[names[event["pid"], 0], thread].append(event)
    return found


def test_events_have_what_their_phase_requires(written: dict[str, Any]) -> None:
    events = written["traceEvents"]
    assert {event["ph"] for event in events} == set(REQUIRED)
    for event in events:
        assert event.keys() >= REQUIRED[event["ph"]]


def test_every_thread_has_a_track_of_its_own(
    written: dict[str, Any], records: dict[str, GilRecord]
) -> None:
    named = [event for event in written["traceEvents"] if event["name"] == "thread_name"]
    expected = [thread.name for record in records.values() for thread in record.threads]
    assert [event["args"]["name"] for event in named] == expected
    tids = {event["tid"] for event in named}
    pids = {event["pid"] for event in written["traceEvents"]}
    assert len(tids) == len(named)
    assert len(pids) == len(records)
    assert not tids & pids
    sorted_by = [e for e in written["traceEvents"] if e["name"] == "thread_sort_index"]
    assert [e["tid"] for e in sorted_by] == [e["tid"] for e in named]


def test_times_are_whole_microseconds_in_order_from_zero(written: dict[str, Any]) -> None:
    timed = [event for event in written["traceEvents"] if event["ph"] != "M"]
    times = [event["ts"] for event in timed]
    assert times == sorted(times)
    assert all(type(ts) is int for ts in times)
    assert all(type(event["dur"]) is int and event["dur"] > 0 for event in timed if "dur" in event)
    for pid in {event["pid"] for event in timed}:
        assert min(event["ts"] for event in timed if event["pid"] == pid) == 0


def test_complete_events_of_a_track_are_disjoint(written: dict[str, Any]) -> None:
    complete = tracks(written, "X")
    assert complete
    for events in complete.values():
        for before, after in itertools.pairwise(events):
            assert before["ts"] + before["dur"] <= after["ts"]


def seconds(events: list[dict[str, Any]], kind: str) -> float:
    durations: list[int] = [event["dur"] for event in events if event["name"].startswith(kind)]
    return sum(durations) / 1e6


# How far the timeline may be from the counts of samples, as a fraction of the time: where the
# machine keeps the monitor from its CPU, one sample stands for a longer time than another.
TOLERANCE = 0.2


def test_durations_agree_with_the_record(
    written: dict[str, Any], records: dict[str, GilRecord]
) -> None:
    complete = tracks(written, "X")
    for name, record in records.items():
        for place, thread in enumerate(record.threads):
            held = seconds(complete.get((name, thread.name), []), HOLDS) / record.duration
            timeline = sum(end - start for start, end, who in record.timeline if who == place)
            assert held == pytest.approx(timeline / 1e9 / record.duration, abs=0.01)
            assert held == pytest.approx(thread.held, abs=TOLERANCE)


def test_long_waits_agree_with_the_record() -> None:
    both = threading.Barrier(2)

    def compete() -> None:
        for _ in range(3):
            gildemo.duty_cycle(0.1)
        # A thread that ends while the other one competes is not sampled again.
        both.wait()

    record = record_of(compete)
    complete = tracks(trace({"": record}), "X")
    for thread in record.threads:
        if thread.waiting is None:
            pytest.skip("who waits can't be seen here")
        if thread.name.startswith("worker"):
            waited = seconds(complete["", thread.name], WAITS) / record.duration
            assert waited > 0.2
            assert waited == pytest.approx(thread.waiting, abs=TOLERANCE)


def test_counter_agrees_with_the_record(
    written: dict[str, Any], records: dict[str, GilRecord]
) -> None:
    for (name, _), events in tracks(written, "C").items():
        record = records[name]
        values = [event["args"]["%"] for event in events]
        assert len(values) <= 501
        assert all(0 <= value <= 100 for value in values)
        assert events[-1]["ts"] == pytest.approx(record.duration * 1e6, abs=1000)
        assert values[-1] == 0
        mean = sum(values[:-1]) / len(values[:-1])
        assert mean / 100 == pytest.approx(record.held, abs=TOLERANCE)


def made_up(
    timeline: tuple[tuple[int, int, int | None], ...], *intervals: tuple[tuple[int, int, str], ...]
) -> GilRecord:
    threads = tuple(
        ThreadRecord(f"t{i}", i, 0.5, intervals=parts) for i, parts in enumerate(intervals)
    )
    duration = (timeline[-1][1] - timeline[0][0]) / 1e9 if timeline else 0.0
    return GilRecord(duration, 100, 1.0, 0.1, None, 0.1, threads, timeline, 0.0, 0.0)


def test_coverage() -> None:
    assert coverage([(0, 50), (75, 100)], 100, 4) == [1.0, 1.0, 0.0, 1.0]
    assert coverage([(5, 15), (18, 19)], 20, 2) == [0.5, 0.6]
    assert coverage([(5, 35)], 40, 4) == [0.5, 1.0, 1.0, 0.5]
    assert coverage([], 10, 3) == [0.0] * 3


def test_coarsened_states_keep_the_coverage() -> None:
    holds = [(t, t + 100) for t in range(0, 1_000_000, 1000)]
    waits = [(t + 200, t + 500) for t in range(0, 1_000_000, 1000)]
    states = {"holds": holds, "waits": waits}
    assert coarsened(states, 1_000_000, 2000) is states
    coarse = coarsened(states, 1_000_000, 100)
    total = {state: sum(b - a for a, b in parts) for state, parts in coarse.items()}
    assert total["holds"] == pytest.approx(100_000, abs=20_000)
    assert total["waits"] == pytest.approx(300_000, abs=20_000)


def test_record_in_which_nothing_was_seen() -> None:
    assert trace({}) == {"traceEvents": [], "displayTimeUnit": "ms"}
    events = trace({"nothing": made_up(())})["traceEvents"]
    assert [event["ph"] for event in events] == ["M", "M"]


def test_a_full_timeline_is_written() -> None:
    count = 131_072
    timeline = tuple((i * 200_000, (i + 1) * 200_000, i % 2) for i in range(count))
    lines: list[list[tuple[int, int, str]]] = [[], []]
    for start, end, holder in timeline:
        lines[holder].append((start, end, "holds"))
        lines[1 - holder].append((start, end, "waits"))
    text = to_json({"long": made_up(timeline, *map(tuple, lines))})
    events = json.loads(text)["traceEvents"]
    assert sum(event["name"] == HOLDS for event in events) == count
    assert sum(event["ph"] == "C" for event in events) == 11
