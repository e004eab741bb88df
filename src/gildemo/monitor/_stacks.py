"""The stacks of a profile without machinery, that is, without code that only runs other code."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

from gildemo.monitor.profile import Frame, Node, Profile

_PACKAGE = str(Path(__file__).parents[1]) + os.sep

# Code that only calls other code. Its held time counts for its caller.
_CALLERS = (
    "<frozen importlib",
    "<frozen runpy>",
    f"{os.sep}threading.py",
    f"{os.sep}concurrent{os.sep}futures{os.sep}",
    f"{_PACKAGE}testing.py",
)
# The code of this package that is a task, and not what runs one.
_TASKS = f"{_PACKAGE}tasks.py"


def is_machinery(file: str) -> bool:
    """Return whether the code in a file only runs other code."""
    return _is_runner(file) or any(part in file for part in _CALLERS)


def _is_runner(file: str) -> bool:
    """Return whether a file is of this package, which runs programs and tasks."""
    return file.startswith(_PACKAGE) and file not in (_TASKS, f"{_PACKAGE}testing.py")


def without_machinery(profile: Profile) -> Profile:
    """Return the profile with the frames of machinery folded into their callers.

    If this package runs a program or a task, the stack begins with that; what the package itself
    holds counts for the thread. Other machinery without a caller keeps its own held time.
    """
    nodes: list[Node] = []
    roots: list[int] = []  # for each new node, the root above it
    owners: list[int] = []  # for each old node, the new node that is the parent of its callees
    for node in profile.nodes:
        parent = None if node.parent is None else owners[node.parent]
        file = "" if node.frame is None else profile.frames[node.frame].file
        if parent is None or not is_machinery(file):
            owners.append(_add(nodes, roots, node, parent))
            continue
        owner = roots[parent] if _is_runner(file) else parent
        if nodes[owner].frame is not None or _is_runner(file):
            nodes[owner] = _joined(nodes[owner], node)
        elif node.samples:
            _add(nodes, roots, node, owner)
        owners.append(owner)
    return dataclasses.replace(profile, nodes=tuple(nodes))


def _add(nodes: list[Node], roots: list[int], node: Node, parent: int | None) -> int:
    index = len(nodes)
    nodes.append(node._replace(parent=parent))
    roots.append(index if parent is None else roots[parent])
    return index


def of_thread(profile: Profile, thread: int) -> Profile:
    """Return the profile with the held time of one thread only.

    thread: an index in GilRecord.threads.
    """
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
    """Return the root above a node, which stands for its thread."""
    while node.parent is not None:
        node = profile.nodes[node.parent]
    return node
