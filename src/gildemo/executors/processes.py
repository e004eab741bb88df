"""Runs tasks in the processes of a ProcessPoolExecutor."""

from __future__ import annotations

from concurrent.futures import Executor

from gildemo.executors.kind import ExecutorKind


def _open(workers: int, start_method: str | None) -> Executor:
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    from gildemo.executors.worker import initialize_process

    return ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context(start_method),
        initializer=initialize_process,
    )


def _kind(start_method: str | None = None) -> ExecutorKind:
    return ExecutorKind(
        f"processes:{start_method}" if start_method else "processes",
        lambda workers: _open(workers, start_method),
        pickles=True,
        handles_blocked_signals=True,
    )


KIND = _kind()


def with_start_method(start_method: str) -> ExecutorKind:
    """Return the kind whose processes start by "fork", "spawn" or "forkserver".

    Raises ValueError for a start method that this platform does not have.
    """
    import multiprocessing

    known = multiprocessing.get_all_start_methods()
    if start_method not in known:
        raise ValueError(f"unknown start method {start_method!r}: use one of {', '.join(known)}")
    return _kind(start_method)


def forks(kind: ExecutorKind) -> bool:
    """Return whether the workers of this kind are forks of this process."""
    if kind.name != KIND.name:
        return kind.name == "processes:fork"
    from multiprocessing import get_start_method

    return get_start_method() == "fork"
