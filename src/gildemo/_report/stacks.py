"""Profiles as they are shown: without the frames of machinery, and with short names of files."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from gildemo.monitor.profile import Frame, Node, Profile

# Code that only starts the program's own code: what it holds counts for its caller.
_MACHINERY = (
    "<frozen importlib._bootstrap>",
    "<frozen importlib._bootstrap_external>",
    *(f"{os.sep}{name}" for name in ("threading.py", f"concurrent{os.sep}futures{os.sep}")),
)


def is_machinery(frame: Frame) -> bool:
    """Whether a frame is of threading, concurrent.futures or importlib."""
    return any(part in frame.file for part in _MACHINERY)


def without_machinery(profile: Profile) -> Profile:
    """Return the profile with the frames of machinery folded into their callers.

    A stack without any other frame stays as it is.
    """
    nodes: list[Node] = []
    indexes: list[int] = []  # for each old node, the new one that it is a part of
    for node in profile.nodes:
        parent = None if node.parent is None else indexes[node.parent]
        is_folded = node.frame is not None and is_machinery(profile.frames[node.frame])
        if is_folded and parent is not None and nodes[parent].frame is not None:
            nodes[parent] = _joined(nodes[parent], node)
            indexes.append(parent)
        else:
            indexes.append(len(nodes))
            nodes.append(node._replace(parent=parent))
    return dataclasses.replace(profile, nodes=tuple(nodes))


def _joined(node: Node, folded: Node) -> Node:
    return node._replace(
        held=node.held + folded.held,
        caused=node.caused + folded.caused,
        samples=node.samples + folded.samples,
        squared_weights=node.squared_weights + folded.squared_weights,
    )


def stack(profile: Profile, node: Node) -> Iterator[Frame]:
    """Yield the frames of a node and of its callers, the innermost first."""
    while node.frame is not None:
        yield profile.frames[node.frame]
        if node.parent is None:
            return
        node = profile.nodes[node.parent]


def root(profile: Profile, node: Node) -> Node:
    """Return the root above a node: the one of its thread."""
    while node.parent is not None:
        node = profile.nodes[node.parent]
    return node


@cache
def short_file(file: str) -> str:
    """Return a path relative to the current folder, or to the folder that it is imported from."""
    folders = [Path.cwd(), *(Path(entry) for entry in sys.path if entry)]
    for folder in folders:
        try:
            return str(Path(file).relative_to(folder))
        except ValueError:
            continue
    return file


def place(frame: Frame) -> str:
    """Return "file:line" of a frame."""
    line = frame.first_line if frame.line is None else frame.line
    return short_file(frame.file) if line is None else f"{short_file(frame.file)}:{line}"
