"""What an entry of the table says, and how it becomes a call."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

Verdict = Literal["releases", "holds"]
RELEASES: Verdict = "releases"
HOLDS: Verdict = "holds"

# The calling thread holds the GIL for at most, or for at least, this fraction of the call.
AT_MOST = 0.1
AT_LEAST = 0.9

Names = Mapping[str, object]


def nothing() -> AbstractContextManager[Names]:
    return nullcontext({})


@dataclass(frozen=True)
class Known:
    """A call, and what CPython's source says about it."""

    call: str  # a statement
    size: str  # of its arguments, in words
    expected: Verdict
    source: str  # a file of CPython
    shows: str  # what that file shows
    setup: str = ""  # statements that run once before the call
    times: int = 1  # how often to run the call in a loop, if a single one is too short to measure
    # Makes the names that `setup` and `call` use, and cleans up afterwards.
    given: Callable[[], AbstractContextManager[Names]] = nothing
    needs: str = ""  # a module, or an attribute of a module, that not every Python has
    new_in: tuple[int, int] = (3, 11)  # the first version that has the call
    # The version from which on a different verdict is expected, and that verdict.
    changed: tuple[tuple[int, int], Verdict] | None = None

    @property
    def name(self) -> str:
        loop = f", {self.times:,} times" if self.times > 1 else ""
        return f"{self.call}: {self.size}{loop}"

    def expected_in(self, version: tuple[int, int]) -> Verdict:
        if self.changed is not None and version >= self.changed[0]:
            return self.changed[1]
        return self.expected

    def missing(self) -> str | None:
        """Return why this Python can't run the call, or None if it can."""
        if sys.version_info[:2] < self.new_in:
            return f"new in Python {self.new_in[0]}.{self.new_in[1]}"
        if self.needs and not _is_there(self.needs):
            return f"this Python has no {self.needs}"
        return None

    @contextmanager
    def prepared(self) -> Iterator[Callable[[], object]]:
        with self.given() as names:
            namespace: dict[str, Any] = dict(names)
            exec(self.setup, namespace)
            loop = f" for _ in range({self.times}):" if self.times > 1 else " if True:"
            exec(f"def call():\n{loop}\n  {self.call}", namespace)
            try:
                yield namespace["call"]
            finally:
                # The function and its namespace refer to each other.
                namespace.clear()


def _is_there(dotted: str) -> bool:
    """Return whether there is a module, or an attribute of a module, with this name."""
    try:
        importlib.import_module(dotted)
    except ImportError:
        module, _, attribute = dotted.rpartition(".")
        return bool(module) and hasattr(importlib.import_module(module), attribute)
    return True
