"""Where the GIL was held: the stacks of the threads that held it, as a tree of calls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, NamedTuple, cast

from gildemo.monitor._confidence import equal_samples, half_width

By = Literal["line", "call", "function"]


class Frame(NamedTuple):
    """A place in the code where a thread was. Lines and columns are those of PEP 657."""

    function: str  # co_qualname
    file: str  # co_filename
    first_line: int | None  # of the function
    line: int | None  # of the expression that was executing, or None if the code has no lines
    end_line: int | None
    column: int | None  # in bytes of UTF-8, from 0
    end_column: int | None


class Node(NamedTuple):
    """A node of the call tree: a thread, or a frame below the frame of its caller."""

    parent: int | None  # an index in Profile.nodes, smaller than its own; None for a root
    frame: int | None  # an index in Profile.frames; None for a thread
    thread: int | None  # of a root: an index in GilRecord.threads, or None if not known
    held: float  # seconds for which this node itself held the GIL, without its callees
    caused: float  # seconds for which other threads waited for the GIL meanwhile, added up
    samples: int  # how many stacks ended here
    squared_weights: float  # the sum of the squares of the seconds that each of these stands for


@dataclass(frozen=True, slots=True)
class Site:
    """A line, call or function that held the GIL. Times are in seconds.

    `held_self` and `caused_self` count its own instructions and the C functions that it called.
    `held_total` and `caused_total` also count the Python functions that it called. A site that is
    in a stack more than once counts once.
    """

    function: str  # its co_qualname, or "(other)" for code first seen when the tables were full
    file: str
    line: int | None  # by="function": the first line of the function
    end_line: int | None  # this and the columns are None unless by="call"
    column: int | None  # in bytes of UTF-8, from 0
    end_column: int | None
    held_self: float
    held_total: float
    # How long other threads waited for the GIL meanwhile, added up. None if not known.
    caused_self: float | None
    caused_total: float | None
    error: float  # half the width of the 95 % confidence interval around `held_self`


@dataclass(frozen=True)
class Profile:
    """Which code held the GIL, and how long other threads waited meanwhile.

    The stack of the thread that held the GIL was read about once per millisecond of held time, and
    stands for that time. Direct recursion of a function is folded into one frame.
    """

    frames: tuple[Frame, ...] = ()
    nodes: tuple[Node, ...] = ()
    stacks: int = 0  # how many the monitor tried to read
    torn: int = 0  # how many of them changed during each try; their time counts for the thread only
    waiting_known: bool = True  # False where the number of waiting threads can't be read
    unavailable: str | None = None  # why no stacks could be read

    # Rows of values take much less space than objects with names.
    has_own_codec: ClassVar[bool] = True

    @cached_property
    def held(self) -> float:
        """Seconds for which any thread held the GIL, whether its stack is known or not."""
        return sum(node.held for node in self.nodes)

    def sites(self, by: By = "line") -> tuple[Site, ...]:
        """Return where the GIL was held, the sites that held it the most first.

        by="call" distinguishes the expressions of a line, by their columns. by="function" combines
        all lines of a function.
        """
        keys = [_key(frame, by) for frame in self.frames]
        sums: defaultdict[_Key, _Sums] = defaultdict(_Sums)
        for node in self.nodes:
            if node.frame is None or node.samples == 0:
                continue
            own = sums[keys[node.frame]]
            own.held_self += node.held
            own.caused_self += node.caused
        for frame, held, caused in self._outermost(keys):
            total = sums[keys[frame]]
            total.held_total += held
            total.caused_total += caused
        samples = equal_samples(self.held, sum(node.squared_weights for node in self.nodes))
        sites = [self._site(key, found, samples) for key, found in sums.items()]
        return tuple(sorted(sites, key=lambda site: (-site.held_self, -site.held_total)))

    def _site(self, key: _Key, found: _Sums, samples: float) -> Site:
        share = found.held_self / self.held
        return Site(
            *key,
            held_self=found.held_self,
            held_total=found.held_total,
            caused_self=found.caused_self if self.waiting_known else None,
            caused_total=found.caused_total if self.waiting_known else None,
            error=half_width(share * (1 - share), samples) * self.held,
        )

    def _outermost(self, keys: Sequence[_Key]) -> Iterator[tuple[int, float, float]]:
        """Yield the frames of nodes that have no caller with the same key.

        Each comes with what it and its callees held and caused. One pass over the tree does it:
        stacks can be a thousand frames deep.
        """
        held = [node.held for node in self.nodes]
        caused = [node.caused for node in self.nodes]
        samples = [node.samples for node in self.nodes]
        callees: list[list[int]] = [[] for _ in self.nodes]
        for index in reversed(range(len(self.nodes))):  # Callees come after their callers.
            parent = self.nodes[index].parent
            if parent is not None:
                held[parent] += held[index]
                caused[parent] += caused[index]
                samples[parent] += samples[index]
                callees[parent].append(index)
        to_visit = [index for index, node in enumerate(self.nodes) if node.parent is None]
        above: set[_Key] = set()
        while to_visit:
            index = to_visit.pop()
            if index < 0:  # All callees of ~index were visited.
                above.remove(keys[cast("int", self.nodes[~index].frame)])
                continue
            frame = self.nodes[index].frame
            if samples[index] and frame is not None and keys[frame] not in above:
                yield frame, held[index], caused[index]
                above.add(keys[frame])
                to_visit.append(~index)
            to_visit += callees[index]

    def to_dict(self) -> dict[str, Any]:
        """Return values that the json module can write. Frames and nodes are lists of values."""
        strings = {text: None for frame in self.frames for text in frame[:2]}
        indexes = {text: index for index, text in enumerate(strings)}
        return {
            "strings": list(strings),
            "frames": [[indexes[frame[0]], indexes[frame[1]], *frame[2:]] for frame in self.frames],
            "nodes": [list(node) for node in self.nodes],
            "stacks": self.stacks,
            "torn": self.torn,
            "waiting_known": self.waiting_known,
            "unavailable": self.unavailable,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Profile:
        """Return the profile from what `to_dict` returned, even after a round trip through JSON."""
        strings = data.get("strings", ())
        profile = cls(
            frames=tuple(
                Frame(strings[function], strings[file], *rest[: len(Frame._fields) - 2])
                for function, file, *rest in data.get("frames", ())
            ),
            nodes=tuple(Node(*row[: len(Node._fields)]) for row in data.get("nodes", ())),
            stacks=data.get("stacks", 0),
            torn=data.get("torn", 0),
            waiting_known=data.get("waiting_known", True),
            unavailable=data.get("unavailable"),
        )
        for index, node in enumerate(profile.nodes):
            if node.parent is not None and not 0 <= node.parent < index:
                raise ValueError(f"node {index} must come after its parent, not {node.parent}")
            if node.frame is not None and not 0 <= node.frame < len(profile.frames):
                raise ValueError(f"there is no frame {node.frame}, which node {index} names")
        return profile


# The fields of a Site that identify it.
_Key = tuple[str, str, int | None, int | None, int | None, int | None]


def _key(frame: Frame, by: By) -> _Key:
    if by == "function":
        return (frame.function, frame.file, frame.first_line, None, None, None)
    if by == "line":
        return (frame.function, frame.file, frame.line, None, None, None)
    if by == "call":
        return (
            frame.function,
            frame.file,
            frame.line,
            frame.end_line,
            frame.column,
            frame.end_column,
        )
    raise ValueError(f'by must be "line", "call" or "function", not {by!r}')


@dataclass(slots=True)
class _Sums:
    """What is added up for a Site."""

    held_self: float = 0.0
    held_total: float = 0.0
    caused_self: float = 0.0
    caused_total: float = 0.0
