"""Statement: a task given as source code, as for `python -m timeit`."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import CodeType
from typing import Any

_FILE = "<statement>"


@dataclass(frozen=True)
class Statement:
    """Python statements to measure, and a setup that runs first and is not measured.

    Both run in one function, so the names that they bind are local variables. They are sent to
    the workers as source code. Raises SyntaxError if one of them is not valid Python.
    """

    stmt: str  # source code to measure
    setup: str = "pass"  # source code that runs once in each measurement, before it

    def __post_init__(self) -> None:
        # Compile each by itself: `return` or `break` would be valid inside the function and loop.
        for text, file in ((self.setup, "<setup>"), (self.stmt, "<stmt>")):
            compile(text, file, "exec")
        self._compile()

    def __str__(self) -> str:
        line, *more = self.stmt.strip().split("\n")
        return f"{line[:57]}..." if more or len(line) > 60 else line

    def _compile(self) -> CodeType:
        module = ast.parse("def inner(_calls, _begin):\n _begin()\n for _call in _calls: pass")
        function = module.body[0]
        assert isinstance(function, ast.FunctionDef)
        loop = function.body[1]
        assert isinstance(loop, ast.For)
        measured = ast.parse(self.stmt, "<stmt>")
        # Line numbers in tracebacks count the lines of the setup first.
        ast.increment_lineno(measured, len(self.setup.splitlines()))
        function.body[:0] = ast.parse(self.setup, "<setup>").body
        loop.body[:] = measured.body or [ast.Pass()]
        return compile(ast.fix_missing_locations(module), _FILE, "exec")

    def run(self, calls: Iterable[object], begin: Callable[[], None]) -> None:
        """Run the setup, call `begin`, then run the statement once for each of `calls`."""
        lines = [f"{line}\n" for text in (self.setup, self.stmt) for line in text.splitlines()]
        linecache.cache[_FILE] = (0, None, lines, _FILE)
        namespace: dict[str, Any] = {"__name__": "__gildemo__"}
        exec(self._compile(), namespace)
        namespace["inner"](calls, begin)
