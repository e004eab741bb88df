"""The stacks of a profile, as people want to see them: without the frames of machinery."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

from gildemo.monitor.profile import Frame, Node, Profile

# Code that only starts the program's own code: what it holds counts for its caller.
_PACKAGE = Path(__file__).parents[1]
_MACHINERY = (
    "<frozen importlib",
    "<frozen runpy>",
    *(f"{os.sep}{name}" for name in ("threading.py", f"concurrent{os.sep}futures{os.sep}")),
    *(f"{_PACKAGE}{os.sep}{name}" for name in ("_cli", "_comparison", "executors", "testing.py")),
)


def is_machinery(file: str) -> bool:
    """Whether a file is of threading, concurrent.futures, importlib, or what runs a task here."""
    return any(part in file for part in _MACHINERY)


def without_machinery(profile: Profile) -> Profile:
    """Return the profile with the frames of machinery folded into their callers.

    A stack without any other frame stays as it is.
    """
    nodes: list[Node] = []
    indexes: list[int] = []  # for each old node, the new one that it is a part of
    for node in profile.nodes:
        parent = None if node.parent is None else indexes[node.parent]
        is_folded = node.frame is not None and is_machinery(profile.frames[node.frame].file)
        if is_folded and parent is not None and nodes[parent].frame is not None:
            nodes[parent] = _joined(nodes[parent], node)
            indexes.append(parent)
        else:
            indexes.append(len(nodes))
            nodes.append(node._replace(parent=parent))
    return dataclasses.replace(profile, nodes=tuple(nodes))


def of_thread(profile: Profile, thread: int) -> Profile:
    """Return the profile in which only this one of `GilRecord.threads` held the GIL."""
    nodes = tuple(
        node
        if root(profile, node).thread == thread
        else node._replace(held=0.0, caused=0.0, samples=0, squared_weights=0.0)
        for node in profile.nodes
    )
    return dataclasses.replace(profile, nodes=nodes)


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
