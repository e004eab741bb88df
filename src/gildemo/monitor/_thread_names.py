"""The names of threads, also of those that have ended."""

from __future__ import annotations

import os
import sys
import threading
import types
from typing import Any

# How many ended threads are remembered: as many as a monitor can tell apart.
_REMEMBERED = 8192


class ThreadNames:
    """The names of threads by their native ids, those of ended ones too.

    A thread that has ended is no longer in threading.enumerate(). What tells of every thread
    while it starts is the audit event of its start, which has the Thread object as its target.
    It is new in 3.12; in 3.11 those remain which the program still has a reference to.
    """

    def __init__(self) -> None:
        self._started: list[threading.Thread] = []
        self._hooked = False
        self._watchers: set[object] = set()

    def watch(self, watcher: object) -> None:
        """Remember the present threads and those to come. The hook stays: it can't be removed."""
        self._watchers.add(watcher)
        self._started.extend(threading.enumerate())
        if not self._hooked and sys.version_info >= (3, 12):
            self._hooked = True
            sys.addaudithook(self._hook)

    def unwatch(self, watcher: object) -> None:
        """Remember them no longer, if nobody else wants it."""
        self._watchers.discard(watcher)
        if not self._watchers:
            self._started = []

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if event not in ("_thread.start_new_thread", "_thread.start_joinable_thread"):
            return
        # Of another callable, to ask for an attribute could run its code.
        if self._watchers and isinstance(args[0], types.MethodType):
            thread = args[0].__self__
            if isinstance(thread, threading.Thread):
                self._started.append(thread)
                if len(self._started) > 2 * _REMEMBERED:
                    self._forget()

    def _forget(self) -> None:
        """Remember only the newest, and those that still run."""
        older, newest = self._started[:-_REMEMBERED], self._started[-_REMEMBERED:]
        self._started = [thread for thread in older if thread.is_alive()] + newest

    def by_native_id(self) -> dict[int, str]:
        referenced = [] if self._hooked else _referenced_threads()
        threads = [*self._started, *referenced, *threading.enumerate()]
        names = {t.native_id: t.name for t in threads if t.native_id is not None}
        if sys.platform == "linux":
            # In the child of a fork threading has the number that it had in the parent.
            names.setdefault(os.getpid(), threading.main_thread().name)
        return names


def _referenced_threads() -> list[threading.Thread]:
    """The Thread objects of 3.11, of threads that ended too; none where there is no such set."""
    references = list(getattr(getattr(threading, "_dangling", None), "data", ()))
    return [thread for thread in (reference() for reference in references) if thread is not None]


thread_names = ThreadNames()
