"""The ways to run tasks side by side: serial, threads, processes and subinterpreters.

Each is an ExecutorKind; `resolve` finds one by its name. To compare an executor of your own, pass
compare() an ExecutorKind with a name and a factory.
"""

from gildemo.executors.cpus import usable_cpus
from gildemo.executors.kind import ExecutorKind
from gildemo.executors.registry import AVAILABLE, NAMES, canonical, resolve
from gildemo.executors.serial import SerialExecutor

__all__ = [
    "AVAILABLE",
    "NAMES",
    "ExecutorKind",
    "SerialExecutor",
    "canonical",
    "resolve",
    "usable_cpus",
]
