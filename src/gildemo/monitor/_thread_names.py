"""The names of threads, including threads that have ended."""

from __future__ import annotations

import os
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

# How many ended threads are remembered: as many as a monitor can distinguish.
_REMEMBERED = 8192

# The function that threading calls to start a thread, in Python 3.11.
_NAME = "_start_new_thread"
_replaceable: Callable[..., object] | None = (
    vars(threading).get(_NAME) if sys.version_info < (3, 12) else None
)


class ThreadNames:
    """The names of threads by their native ids.

    threading.enumerate() does not list threads that have ended, so each Thread is remembered when
    it starts. Python 3.12 and later raise an audit event at that point. Python 3.11 does not, so
    there the function that starts a thread is replaced while there are watchers.
    """

    def __init__(self) -> None:
        self._started: list[threading.Thread] = []
        self._hooked = False
        self._watchers: set[object] = set()

    def watch(self, watcher: object) -> None:
        """Remember the threads that exist, and all that start from now on."""
        self._watchers.add(watcher)
        self._started.extend(threading.enumerate())
        if _replaceable is not None:
            if vars(threading)[_NAME] is _replaceable:
                vars(threading)[_NAME] = self._start
        elif not self._hooked:
            # An audit hook can't be removed.
            self._hooked = True
            sys.addaudithook(self._on_audit_event)

    def unwatch(self, watcher: object) -> None:
        """Forget all threads if this was the last watcher."""
        self._watchers.discard(watcher)
        if self._watchers:
            return
        self._started = []
        # Another library may have replaced the function since.
        if _replaceable is not None and vars(threading)[_NAME] == self._start:
            vars(threading)[_NAME] = _replaceable

    def by_native_id(self) -> dict[int, str]:
        """Return the names of all threads that are remembered or running."""
        threads = [*self._started, *threading.enumerate()]
        names = {t.native_id: t.name for t in threads if t.native_id is not None}
        if sys.platform == "linux":
            # In the child of a fork, threading still has the thread's native id in the parent.
            names.setdefault(os.getpid(), threading.main_thread().name)
        return names

    def _on_audit_event(self, event: str, args: tuple[Any, ...]) -> None:
        if event in ("_thread.start_new_thread", "_thread.start_joinable_thread"):
            self._remember(args[0])

    def _start(self, function: object, *args: object) -> object:
        assert _replaceable is not None
        self._remember(function)
        return _replaceable(function, *args)

    def _remember(self, function: object) -> None:
        # A Thread starts with one of its own methods. Attributes of other callables are not read,
        # because that could run their code.
        if self._watchers and isinstance(function, types.MethodType):
            thread = function.__self__
            if isinstance(thread, threading.Thread):
                self._started.append(thread)
                if len(self._started) > 2 * _REMEMBERED:
                    self._forget()

    def _forget(self) -> None:
        """Keep only the newest threads, and the older ones that are still running."""
        older, newest = self._started[:-_REMEMBERED], self._started[-_REMEMBERED:]
        self._started = [thread for thread in older if thread.is_alive()] + newest


thread_names = ThreadNames()
