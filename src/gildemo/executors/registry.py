"""The names of the executors. Options, help texts, tables and plots take them from here."""

from __future__ import annotations

from gildemo.executors import processes, serial, subinterpreters, threads
from gildemo.executors.kind import ExecutorKind

# To add an executor, add a line here. Tables, plots and help texts keep this order.
KINDS = {
    kind.name: kind for kind in (serial.KIND, threads.KIND, processes.KIND, subinterpreters.KIND)
}

NAMES = tuple(KINDS)

# The executors that this Python has.
AVAILABLE = tuple(name for name, kind in KINDS.items() if kind.unavailable is None)

# The names of gildemo 0.1.0, still accepted as options, arguments and keys.
_OLD_NAMES = {"thread": "threads", "process": "processes", "interpreter": "subinterpreters"}


def canonical(name: str) -> str:
    """Return the name that results use: "threads" for "thread", for example.

    A start method stays: "processes:fork" for "process:fork".
    """
    base, colon, start_method = name.partition(":")
    return f"{_OLD_NAMES.get(base, base)}{colon}{start_method}"


def is_processes(name: str) -> bool:
    """Return whether a name means processes, with or without a start method."""
    return canonical(name).partition(":")[0] == processes.KIND.name


def resolve(executor: str | ExecutorKind) -> ExecutorKind:
    """Return the kind with this name, such as "threads" or "processes:spawn".

    An ExecutorKind is returned as it is. Raises ValueError for an unknown name.
    """
    if isinstance(executor, ExecutorKind):
        return executor
    name, _, start_method = canonical(executor).partition(":")
    if name == processes.KIND.name and start_method:
        return processes.with_start_method(start_method)
    if start_method or name not in KINDS:
        raise ValueError(f"unknown executor {executor!r}: use {spelled()}")
    return KINDS[name]


def spelled() -> str:
    """Return all names as a phrase for messages and help texts."""
    *names, last = (*NAMES, f"{processes.KIND.name}:START_METHOD")
    return f"{', '.join(names)} or {last}"
