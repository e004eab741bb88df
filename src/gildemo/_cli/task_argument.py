"""The task that the command line names: a statement, or a function in a module."""

from __future__ import annotations

import difflib
import importlib
import re
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from gildemo.statement import Statement

_NAME = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_FUNCTION = re.compile(f"{_NAME}:{_NAME}")


class TaskError(Exception):
    """The command line does not name a valid task; the text says why."""


class ImportFailedError(Exception):
    """The import of the function's module failed; the text is the traceback."""


def task_from_arguments(
    statements: Sequence[str], setups: Sequence[str], expressions: Sequence[str]
) -> tuple[Callable[..., object] | Statement, list[object], str | None]:
    """Return the task, its arguments and its name, or None for the name that the task has.

    Raises SyntaxError, TaskError, and ImportFailedError if the import of the module fails.
    """
    text = "\n".join(statements)
    if not _FUNCTION.fullmatch(text):
        if expressions:
            raise TaskError(
                f"--arg needs a function, such as package.module:function, but {text!r} is a "
                "statement: leave out --arg"
            )
        return Statement(text, "\n".join(setups) or "pass"), [], None
    if setups:
        raise TaskError(
            f"-s needs a statement, but {text!r} is a function: pass its arguments with --arg"
        )
    module, function = _function(text)
    return function, [_evaluate(expression, module) for expression in expressions], text


def _function(target: str) -> tuple[Any, Callable[..., object]]:
    module_name, _, path = target.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise ImportFailedError(_from_module(error)) from None
        raise TaskError(
            f"there is no module {error.name!r} in the current folder or on sys.path"
        ) from None
    except (Exception, SystemExit) as error:
        raise ImportFailedError(_from_module(error)) from None
    found: Any = module
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            close = difflib.get_close_matches(name, dir(found), n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            where = getattr(found, "__name__", repr(found))
            raise TaskError(f"{where} has no {name!r}{hint}") from None
    if not callable(found):
        raise TaskError(f"{target} is not callable: it is of type {type(found).__name__}")
    return module, found


def _from_module(error: BaseException) -> str:
    """Return the traceback without the frames of this command and of the import system."""
    own = error.__traceback__
    while own is not None and _is_importing(own.tb_frame.f_code.co_filename):
        own = own.tb_next
    return "".join(traceback.format_exception(type(error), error, own))


def _is_importing(file: str) -> bool:
    return file in (__file__, importlib.__file__) or file.startswith("<frozen importlib")


def _evaluate(expression: str, module: Any) -> object:
    try:
        return eval(expression, dict(vars(module)))
    except (Exception, SystemExit) as error:
        raise TaskError(f"--arg {expression!r} failed: {type(error).__name__}: {error}") from None
