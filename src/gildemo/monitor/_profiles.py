"""Turns the raw nodes of a Monitor into a Profile."""

from __future__ import annotations

from collections.abc import Mapping

from gildemo import _core
from gildemo.monitor.profile import Frame, Node, Profile


def profile_of(
    raw: _core.RawProfile | None, indexes: Mapping[int, int]
) -> tuple[Profile, dict[int | None, int]]:
    """Return the profile, and for each node of the snapshot its index there.

    Many instructions share one place in the source, so several nodes of the snapshot become one.

    indexes: for each thread of the snapshot, its index in the record.
    """
    if raw is None:
        return Profile(unavailable="the monitor was started with sites=False"), {}
    frames: dict[Frame, int] = {}
    nodes: dict[tuple[int | None, int | None, int | None], list[float]] = {}
    places: list[int] = []
    for row in raw.nodes:
        frame = None
        if row.code is not None:
            location = (row.line, row.end_line, row.column, row.end_column)
            frame = frames.setdefault(Frame(*raw.codes[row.code], *location), len(frames))
        thread = None if row.thread is None else indexes.get(row.thread)
        parent = None if row.parent is None else places[row.parent]
        sums = nodes.setdefault((parent, frame, thread), [len(nodes), 0, 0, 0, 0.0])
        places.append(int(sums[0]))
        for i, value in enumerate((row.held, row.caused, row.samples, row.squared_weights), 1):
            sums[i] += value
    profile = Profile(
        frames=tuple(frames),
        nodes=tuple(
            Node(*key, held / 1e9, caused / 1e9, int(samples), squared_weights / 1e18)
            for key, (_, held, caused, samples, squared_weights) in nodes.items()
        ),
        stacks=raw.stacks,
        torn=raw.torn,
        waiting_known=raw.waiters_known,
        unavailable=raw.unavailable,
    )
    return profile, dict(enumerate(places))
