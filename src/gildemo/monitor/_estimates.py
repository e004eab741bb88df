"""Turns the raw sums of a Monitor into the fractions of a GilRecord, with their errors."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from gildemo import _core
from gildemo.monitor._confidence import equal_samples, half_width
from gildemo.monitor._intervals import Interval, thread_intervals
from gildemo.monitor._profiles import profile_of
from gildemo.monitor._stacks import stack
from gildemo.monitor.profile import Profile
from gildemo.monitor.record import STATES, GilRecord, LongHold, Share, ThreadRecord


def record_of(snapshot: _core.Snapshot, names: Mapping[int, str]) -> GilRecord:
    """Return the record of what a monitor has seen so far.

    names: the names of threads, by native id.
    """
    threads, indexes = _threads(snapshot, names)
    profile, nodes = profile_of(snapshot.profile, indexes)
    return GilRecord(
        duration=(snapshot.end - snapshot.begin) / 1e9,
        samples=snapshot.samples,
        held=_fraction(snapshot.held, snapshot.weight),
        error=_error(snapshot),
        switches=snapshot.switches,
        longest_hold=max((thread.longest_hold for thread in threads), default=0.0),
        threads=tuple(threads),
        timeline=tuple(_timeline(snapshot, indexes)),
        timeline_nodes=tuple(nodes.get(segment.node) for segment in snapshot.segments),
        longest_holds=tuple(
            _long_hold(hold, indexes, profile, nodes, threads) for hold in snapshot.long_holds
        ),
        resolution=snapshot.resolution / 1e9,
        cpu=snapshot.cpu / 1e9,
        profile=profile,
        pid=os.getpid(),
    )


def share_of(held: int, weight: int, squared_weights: float) -> Share:
    """Return a thread's share of the time, from what Monitor.held_by() returned."""
    share = _fraction(held, weight)
    samples = equal_samples(weight, squared_weights)
    return Share(share, half_width(share * (1 - share), samples), samples)


def _threads(
    snapshot: _core.Snapshot, names: Mapping[int, str]
) -> tuple[list[ThreadRecord], dict[int, int]]:
    """Return the threads of the record, and for each thread of the snapshot its index there."""
    rows = snapshot.threads
    # Row 0 is for threads without a row of their own. A thread without a native id had ended
    # before its first sample.
    others = [index for index, row in enumerate(rows) if index == 0 or row.native_id == 0]
    threads: list[ThreadRecord] = []
    indexes: dict[int, int] = {}
    if any(rows[index].held for index in others):
        threads.append(_other_threads([rows[index] for index in others], snapshot))
        indexes.update(dict.fromkeys(others, 0))
    intervals = thread_intervals(snapshot)
    for index in sorted(set(range(len(rows))) - set(others)):
        indexes[index] = len(threads)
        threads.append(_thread(rows[index], snapshot, names, intervals.get(index, ())))
    return threads, indexes


def _other_threads(rows: Iterable[_core.ThreadSums], snapshot: _core.Snapshot) -> ThreadRecord:
    held = _fraction(sum(row.held for row in rows), snapshot.weight)
    seconds = held * (snapshot.end - snapshot.begin) / 1e9
    return ThreadRecord(
        name="(other)",
        native_id=None,
        held=held,
        longest_hold=max(row.longest_hold for row in rows) / 1e9,
        lifetime=seconds,
        states={**dict.fromkeys(STATES, 0.0), "holds": seconds},
    )


def _thread(
    row: _core.ThreadSums,
    snapshot: _core.Snapshot,
    names: Mapping[int, str],
    intervals: Sequence[Interval],
) -> ThreadRecord:
    duration = (snapshot.end - snapshot.begin) / 1e9
    held = _fraction(row.held, snapshot.weight)
    states = _states(row, held * duration)
    waiting = states["waits"] / duration if duration else 0.0
    slept = states["in_system_call"]
    calls = sum(row.system_calls.values())
    return ThreadRecord(
        name=names.get(row.native_id, f"thread {row.native_id}"),
        native_id=row.native_id,
        held=held,
        waiting=waiting if snapshot.waiting_known else None,
        longest_hold=row.longest_hold / 1e9,
        cpu=None if row.cpu is None else row.cpu / 1e9,
        lifetime=sum(states.values()),
        states=states,
        intervals=tuple(intervals),
        system_calls={name: slept * n / calls for name, n in row.system_calls.items()},
    )


def _states(row: _core.ThreadSums, held: float) -> dict[str, float]:
    """Return the seconds that a thread spent in each state.

    There are few samples of the states other than "holds", so they only divide the rest of the
    lifetime.

    held: the seconds for which the thread held the GIL.
    """
    rest = max(0.0, row.lifetime / 1e9 - held)
    others = {state: row.samples[state] for state in STATES if state != "holds"}
    total = sum(others.values())
    if total == 0:
        others, total = {**others, "not_observed": 1}, 1
    return {"holds": held, **{state: rest * n / total for state, n in others.items()}}


def _timeline(
    snapshot: _core.Snapshot, indexes: Mapping[int, int]
) -> Iterable[tuple[int, int, int | None]]:
    ends = [segment.begin for segment in snapshot.segments[1:]] + [snapshot.end]
    for segment, end in zip(snapshot.segments, ends, strict=True):
        # The holder is negative if no thread holds the GIL. It then has no index.
        yield segment.begin, end, indexes.get(segment.holder)


def _long_hold(
    hold: _core.LongHold,
    indexes: Mapping[int, int],
    profile: Profile,
    nodes: Mapping[int | None, int],
    threads: Sequence[ThreadRecord],
) -> LongHold:
    node = nodes.get(hold.node)
    return LongHold(
        begin=hold.begin,
        seconds=(hold.end - hold.begin) / 1e9,
        thread=indexes.get(hold.holder),
        stack=() if node is None else tuple(stack(profile, profile.nodes[node])),
        waiters=tuple(
            index
            for index, thread in enumerate(threads)
            if any(
                state == "waits" and start < hold.end and end > hold.begin
                for start, end, state in thread.intervals
            )
        ),
    )


def _fraction(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _error(snapshot: _core.Snapshot) -> float:
    if snapshot.samples == 0:
        return 1.0
    samples = equal_samples(snapshot.weight, snapshot.squared_weights)
    return half_width(snapshot.variance / snapshot.squared_weights, samples)
