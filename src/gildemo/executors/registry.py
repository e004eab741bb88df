"""The names of the executors: everything else asks here."""

from __future__ import annotations

from typing import TypeVar

from gildemo.executors import processes, serial, subinterpreters, threads
from gildemo.executors.kind import ExecutorKind

# To add an executor, add a line here. The order is that of tables, plots and help texts.
KINDS = {
    kind.name: kind for kind in (serial.KIND, threads.KIND, processes.KIND, subinterpreters.KIND)
}

NAMES = tuple(KINDS)

# The ones that this Python has.
AVAILABLE = tuple(name for name, kind in KINDS.items() if kind.unavailable is None)

# What gildemo 0.1.0 called them: still accepted as options, arguments and keys.
_OLD_NAMES = {"thread": "threads", "process": "processes", "interpreter": "subinterpreters"}

_T = TypeVar("_T")


def canonical(name: str) -> str:
    """Return the name that results use: "threads" for "thread", "processes:fork" for "process:fork"."""
    base, colon, rest = name.partition(":")
    return f"{_OLD_NAMES.get(base, base)}{colon}{rest}"


def is_processes(name: str) -> bool:
    """Whether this is the name of an executor of processes, with or without a start method."""
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
    """Return the names as messages and help texts list them."""
    *names, last = (*NAMES, f"{processes.KIND.name}:START_METHOD")
    return f"{', '.join(names)} or {last}"
