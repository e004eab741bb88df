"""The names of threads, also of those that have ended."""

from __future__ import annotations

import sys
import threading
import types
from collections import deque
from typing import Any

# How many threads are remembered.
_REMEMBERED = 4096


class ThreadNames:
    """The names of threads by their native ids, those of ended ones too.

    A thread that has ended is no longer in threading.enumerate(). What tells of every thread
    while it starts is the audit event of its start, which has the Thread object as its target.
    It is new in 3.12; in 3.11 those remain which the program still has a reference to.
    """

    def __init__(self) -> None:
        self._started: deque[threading.Thread] = deque(maxlen=_REMEMBERED)
        self._hooked = False
        self._watchers = 0

    def watch(self) -> None:
        """Remember the present threads and those to come. The hook stays: it can't be removed."""
        self._watchers += 1
        self._started.extend(threading.enumerate())
        if not self._hooked and sys.version_info >= (3, 12):
            self._hooked = True
            sys.addaudithook(self._hook)

    def unwatch(self) -> None:
        """Remember them no longer, if nobody else wants it."""
        self._watchers -= 1
        if self._watchers == 0:
            self._started.clear()

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if event not in ("_thread.start_new_thread", "_thread.start_joinable_thread"):
            return
        # Of another callable, to ask for an attribute could run its code.
        if self._watchers > 0 and isinstance(args[0], types.MethodType):
            thread = args[0].__self__
            if isinstance(thread, threading.Thread):
                self._started.append(thread)

    def by_native_id(self) -> dict[int, str]:
        referenced = [] if self._hooked else _referenced_threads()
        threads = [*self._started, *referenced, *threading.enumerate()]
        return {t.native_id: t.name for t in threads if t.native_id is not None}


def _referenced_threads() -> list[threading.Thread]:
    """The Thread objects of 3.11, of threads that ended too; none where there is no such set."""
    references = list(getattr(getattr(threading, "_dangling", None), "data", ()))
    return [thread for thread in (reference() for reference in references) if thread is not None]


thread_names = ThreadNames()
