"""The names of threads, including threads that have ended."""

from __future__ import annotations

import os
import sys
import threading
import types
from typing import Any

# How many ended threads are remembered: as many as a record can have.
_REMEMBERED = 8192


class ThreadNames:
    """The names of threads by native id, including threads that have ended.

    threading.enumerate() does not list threads that have ended. Since 3.12, an audit event comes
    with the Thread object of each thread that starts. In 3.11, only those ended threads are found
    that the program still refers to.
    """

    def __init__(self) -> None:
        self._started: list[threading.Thread] = []
        self._hooked = False
        self._watchers: set[object] = set()

    def watch(self, watcher: object) -> None:
        """Remember the threads that run now, and those that start later."""
        self._watchers.add(watcher)
        self._started.extend(threading.enumerate())
        if not self._hooked and sys.version_info >= (3, 12):
            self._hooked = True  # for good: an audit hook can't be removed
            sys.addaudithook(self._hook)

    def unwatch(self, watcher: object) -> None:
        """Forget the threads, unless another watcher needs them."""
        self._watchers.discard(watcher)
        if not self._watchers:
            self._started = []

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if event not in ("_thread.start_new_thread", "_thread.start_joinable_thread"):
            return
        # Asking any other callable for an attribute could run its code.
        if self._watchers and isinstance(args[0], types.MethodType):
            thread = args[0].__self__
            if isinstance(thread, threading.Thread):
                self._started.append(thread)
                if len(self._started) > 2 * _REMEMBERED:
                    self._forget()

    def _forget(self) -> None:
        """Keep the newest threads, and those that still run."""
        older, newest = self._started[:-_REMEMBERED], self._started[-_REMEMBERED:]
        self._started = [thread for thread in older if thread.is_alive()] + newest

    def by_native_id(self) -> dict[int, str]:
        referenced = [] if self._hooked else _referenced_threads()
        threads = [*self._started, *referenced, *threading.enumerate()]
        names = {t.native_id: t.name for t in threads if t.native_id is not None}
        if sys.platform == "linux":
            # In a forked child, threading still has the native id of the parent's thread.
            names.setdefault(os.getpid(), threading.main_thread().name)
        return names


def _referenced_threads() -> list[threading.Thread]:
    """Return the Thread objects that 3.11 keeps weak references to, also of ended threads."""
    references = list(getattr(getattr(threading, "_dangling", None), "data", ()))
    return [thread for thread in (reference() for reference in references) if thread is not None]


thread_names = ThreadNames()
