"""Pauses the running monitors around every fork."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import defaultdict

from gildemo import _core


class Forks:
    """Lets no fork happen while a native thread holds a lock of CPython's, as its child would
    find that locked for ever: the thread that could release it does not exist there.
    """

    def __init__(self) -> None:
        self._running: list[_core.Monitor] | None = None
        # For each thread, as two may fork at once, and the hooks of one may fork again.
        self._paused: defaultdict[int, list[list[_core.Monitor]]] = defaultdict(list)

    def mind(self, monitor: _core.Monitor) -> None:
        """Pause this monitor around every fork."""
        if self._running is None:
            self._running = []
            os.register_at_fork(
                before=self._pause, after_in_parent=self._resume, after_in_child=self._paused.clear
            )
        self._running.append(monitor)

    def forget(self, monitor: _core.Monitor) -> None:
        """It has stopped."""
        if self._running is not None and monitor in self._running:
            self._running.remove(monitor)

    def _pause(self) -> None:
        monitors = list(self._running or ())
        self._paused[threading.get_ident()].append(monitors)
        for monitor in monitors:
            # In a fork's child, which may fork again, the parent's monitors say no.
            with contextlib.suppress(RuntimeError):
                monitor._pause()

    def _resume(self) -> None:
        levels = self._paused[threading.get_ident()]
        for monitor in levels.pop() if levels else ():
            with contextlib.suppress(RuntimeError):
                monitor._resume()
        if not levels:
            del self._paused[threading.get_ident()]


forks = Forks()
