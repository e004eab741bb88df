"""Runs a program inside this process, as `python` would."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import runpy
import sys
import threading
import types
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

_OWN_FRAMES = (__file__, "<frozen runpy>", runpy.__file__)


def run(arguments: Sequence[str], as_module: bool) -> int:
    """Run a script, or with `as_module` a module, with its arguments; return its exit status.

    arguments: sys.argv as the program is to see it. An exception of the program is shown as
    Python shows it, by sys.excepthook and without the frames of this module. Like Python it
    waits for the program's threads, but for daemons. KeyboardInterrupt gives 130, as a shell
    tells it. Raises OSError if the script can't be read, ImportError if there is no such module.
    """
    sys.argv[:] = arguments
    # As Python has it, __file__ is absolute and sys.argv[0] as it was given.
    path = Path(arguments[0]).absolute()
    if as_module:
        set_first_path(os.getcwd())  # noqa: PTH109 (sys.path wants a str)
        _check_module(arguments[0])
        source = b""
    else:
        set_first_path(str(path.resolve().parent))
        source = path.read_bytes()
    status = 0
    try:
        if as_module:
            runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
        else:
            code = compile(source, str(path), "exec", dont_inherit=True)
            exec(code, _main_module(str(path)).__dict__)
    except SystemExit as error:
        status = _exit_status(error)
    except BaseException as error:
        traceback = own_traceback(error.__traceback__)
        sys.excepthook(type(error), error.with_traceback(traceback), traceback)
        status = 130 if isinstance(error, KeyboardInterrupt) else 1
    try:
        # What Python does after the last line of a program, and which has no public name: wake the
        # idle workers of concurrent.futures, then wait for all threads but daemons.
        threading._shutdown()  # type: ignore[attr-defined]
    except KeyboardInterrupt:
        status = 130
    return status


def set_first_path(folder: str) -> None:
    """Put the program's folder where Python put this command's."""
    if not sys.flags.safe_path:
        sys.path[0] = folder


def _check_module(name: str) -> None:
    """Tell a module that is not there from one that fails to import another."""
    if importlib.util.find_spec(name) is None:
        raise ImportError(f"No module named {name}")


def _main_module(path: str) -> types.ModuleType:
    """A new __main__, which stays: what the program pickles, or runs at exit, looks there."""
    main = types.ModuleType("__main__")
    main.__file__ = path
    main.__loader__ = importlib.machinery.SourceFileLoader("__main__", path)
    sys.modules["__main__"] = main
    return main


def _exit_status(error: SystemExit) -> int:
    """What Python makes of the argument of sys.exit()."""
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    sys.stderr.write(f"{error.code}\n")
    return 1


def own_traceback(traceback: TracebackType | None) -> TracebackType | None:
    """The traceback from the program's first frame on."""
    while traceback is not None and traceback.tb_frame.f_code.co_filename in _OWN_FRAMES:
        traceback = traceback.tb_next
    return traceback
