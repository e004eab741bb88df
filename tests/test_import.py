"""`import gildemo` is cheap: a program that only uses spin() pays for nothing else."""

from __future__ import annotations

from helpers import run_python

HEAVY = {
    "asyncio",
    "concurrent.futures",
    "matplotlib",
    "multiprocessing",
    "rich",
    "subprocess",
    "typing",
}


def test_import_loads_nothing_heavy() -> None:
    # What the interpreter loads for itself, and for .pth files, is no business of this package.
    loaded = run_python("""
        import sys
        before = set(sys.modules)
        import gildemo
        print(*set(sys.modules) - before)
    """).split()
    assert "gildemo._core" in loaded
    assert not HEAVY & set(loaded)
