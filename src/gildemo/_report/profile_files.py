"""Profiles as files for flame graphs: collapsed stacks, and speedscope's JSON.

Collapsed stacks are what flamegraph.pl, inferno and speedscope read: a line for each stack, from
the outermost frame to the innermost, and its weight in microseconds.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from gildemo import __version__
from gildemo._sources import place
from gildemo.monitor._stacks import root, stack, without_machinery
from gildemo.monitor.profile import Frame, Profile
from gildemo.monitor.record import GilRecord

# The weight of a stack: how long it held the GIL, or how long other threads waited meanwhile.
Weight = Literal["held", "waiting"]

_UNKNOWN = "(no Python code)"
_SCHEMA = "https://www.speedscope.app/file-format-schema.json"


class _Stack(NamedTuple):
    thread: str
    frames: tuple[Frame, ...]  # the outermost first
    weight: float  # seconds


def collapsed(records: Mapping[str, GilRecord], weight: Weight) -> str:
    """Return collapsed stacks. The keys of several records are their outermost frames."""
    sums: dict[str, int] = {}
    name_of = functools.cache(_name)  # Each frame is in many stacks.
    for title, record in records.items():
        for found in _stacks(record, weight):
            names = [title] if len(records) > 1 else []
            names.append(found.thread)
            line = ";".join([*map(_escaped, names), *map(name_of, found.frames)])
            sums[line] = sums.get(line, 0) + round(found.weight * 1e6)
    return "".join(f"{line} {micros}\n" for line, micros in sums.items() if micros)


def speedscope(records: Mapping[str, GilRecord], weight: Weight) -> str:
    """Return the JSON text of a speedscope file with a profile for each thread."""
    frames: dict[tuple[object, ...], int] = {}
    shared: list[dict[str, Any]] = []

    def index(name: str, file: str | None, line: int | None) -> int:
        key = (name, file, line)
        if key not in frames:
            frames[key] = len(shared)
            found = {"name": name, "file": file, "line": line}
            shared.append({part: value for part, value in found.items() if value is not None})
        return frames[key]

    profiles = []
    for title, record in records.items():
        by_thread: dict[str, list[_Stack]] = {}
        for found in _stacks(record, weight):
            by_thread.setdefault(found.thread, []).append(found)
        for thread, stacks in by_thread.items():
            samples = [
                [index(f.function, f.file, f.line) for f in found.frames]
                or [index(_UNKNOWN, None, None)]
                for found in stacks
            ]
            name = f"{title}: {thread}" if len(records) > 1 else thread
            profiles.append(_sampled(name, samples, [found.weight for found in stacks]))
    document = {
        "$schema": _SCHEMA,
        "name": f"GIL {weight}: {', '.join(records)}",
        "exporter": f"gildemo {__version__}",
        "shared": {"frames": shared},
        "profiles": profiles,
    }
    return f"{json.dumps(document, separators=(',', ':'))}\n"


def _sampled(name: str, samples: Sequence[Sequence[int]], weights: Sequence[float]) -> Any:
    return {
        "type": "sampled",
        "name": name,
        "unit": "seconds",
        "startValue": 0,
        "endValue": sum(weights),
        "samples": samples,
        "weights": weights,
    }


def _stacks(record: GilRecord, weight: Weight) -> Iterator[_Stack]:
    profile = without_machinery(record.profile)
    for node in profile.nodes:
        seconds = node.held if weight == "held" else node.caused
        if seconds > 0:
            frames = tuple(reversed(tuple(stack(profile, node))))
            yield _Stack(_thread_name(record, profile, root(profile, node).thread), frames, seconds)


def _thread_name(record: GilRecord, profile: Profile, thread: int | None) -> str:
    return "(other)" if thread is None else record.threads[thread].name


def _name(frame: Frame) -> str:
    return _escaped(f"{frame.function} ({place(frame)})")


def _escaped(name: str) -> str:
    return " ".join(name.replace(";", ",").splitlines())
