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

from gildemo._cli import exit_status

_OWN_FILES = (__file__, "<frozen runpy>", runpy.__file__)


def run_program(arguments: Sequence[str], as_module: bool) -> int:
    """Run a script, or with `as_module` a module, with its arguments; return its exit status.

    arguments: sys.argv for the program.

    sys.excepthook shows exceptions of the program, without the frames of this module. As Python
    does, this waits for all threads of the program except daemons. KeyboardInterrupt gives the
    status 130, as in a shell. Raises OSError if the script can't be read, and ImportError if there
    is no such module.
    """
    sys.argv[:] = arguments
    # Python makes __file__ absolute, but leaves sys.argv[0] as it was given.
    path = Path(arguments[0]).absolute()
    if as_module:
        set_first_path(os.getcwd())  # noqa: PTH109 (sys.path wants a str)
        _check_module(arguments[0])
        source = b""
    else:
        set_first_path(str(path.resolve().parent))
        source = path.read_bytes()
    status = exit_status.DONE
    try:
        if as_module:
            runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
        else:
            code = compile(source, str(path), "exec", dont_inherit=True)
            exec(code, _main_module(str(path)).__dict__)
    except SystemExit as error:
        status = _status_of(error)
    except BaseException as error:
        traceback = _without_own_frames(error.__traceback__)
        sys.excepthook(type(error), error.with_traceback(traceback), traceback)
        interrupted = isinstance(error, KeyboardInterrupt)
        status = exit_status.INTERRUPTED if interrupted else exit_status.FAILED
    try:
        # Python calls this after the last line of a program, and there is no public name for it. It
        # wakes the idle workers of concurrent.futures, then waits for all threads except daemons.
        threading._shutdown()  # type: ignore[attr-defined]
    except KeyboardInterrupt:
        status = exit_status.INTERRUPTED
    return status


def set_first_path(folder: str) -> None:
    """Replace the folder of this command, which Python has put first in sys.path."""
    if not sys.flags.safe_path:
        sys.path[0] = folder


def _check_module(name: str) -> None:
    """Raise ImportError if the module is missing, but not if it fails to import another one."""
    if importlib.util.find_spec(name) is None:
        raise ImportError(f"No module named {name}")


def _main_module(path: str) -> types.ModuleType:
    """Install a new __main__. It stays, because pickling and atexit functions need it later."""
    main = types.ModuleType("__main__")
    main.__file__ = path
    main.__loader__ = importlib.machinery.SourceFileLoader("__main__", path)
    sys.modules["__main__"] = main
    return main


def _status_of(error: SystemExit) -> int:
    """Return the status with which Python exits for this argument of sys.exit()."""
    if error.code is None:
        return exit_status.DONE
    if isinstance(error.code, int):
        return error.code & 0xFF
    sys.stderr.write(f"{error.code}\n")
    return exit_status.FAILED


def _without_own_frames(traceback: TracebackType | None) -> TracebackType | None:
    """Return the traceback from the program's first frame on."""
    while traceback is not None and traceback.tb_frame.f_code.co_filename in _OWN_FILES:
        traceback = traceback.tb_next
    return traceback
