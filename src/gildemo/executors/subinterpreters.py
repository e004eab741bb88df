"""Runs tasks in subinterpreters, each with a GIL of its own (Python 3.14 and later)."""

from __future__ import annotations

import sys
from concurrent.futures import Executor

from gildemo.executors.kind import ExecutorKind

_UNAVAILABLE = (
    "InterpreterPoolExecutor needs Python 3.14 or later, but this is "
    f"{sys.version_info.major}.{sys.version_info.minor}"
)


def _open(workers: int) -> Executor:
    if sys.version_info >= (3, 14):
        from concurrent.futures import InterpreterPoolExecutor

        from gildemo.executors.worker import set_path

        return InterpreterPoolExecutor(
            workers,
            thread_name_prefix="subinterpreter",
            initializer=set_path,
            initargs=(tuple(sys.path),),
        )
    raise RuntimeError(_UNAVAILABLE)


KIND = ExecutorKind(
    "subinterpreters",
    _open,
    pickles=True,
    unavailable=None if sys.version_info >= (3, 14) else _UNAVAILABLE,
)
